"""Scores in bulk, by a model that all validations blessed."""
