"""TFX's Trainer, which requires accepted data."""
