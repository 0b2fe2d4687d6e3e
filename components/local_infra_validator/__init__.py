"""A model is served and asked before it is pushed."""
