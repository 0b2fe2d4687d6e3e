"""TFX's Tuner, which requires accepted data."""

RESULTS_FILE = "tuner_results.json"
"""TFX's: a record for each trial, the best first."""
