"""TFX's Evaluator, which a first run without a baseline does not confuse."""
