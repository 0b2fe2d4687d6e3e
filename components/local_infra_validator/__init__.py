"""Infra validation: a model is served and queried before it is pushed."""
