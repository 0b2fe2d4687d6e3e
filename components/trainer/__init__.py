"""TFX's Trainer, which asks for accepted data."""
