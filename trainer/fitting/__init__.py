"""Fitting a model: schedule, checkpoints, divergence, progress."""
