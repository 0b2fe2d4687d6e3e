"""The simplest models, trained on the same rows: what the encoder has to be worth."""
