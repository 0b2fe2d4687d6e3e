"""The simplest models, trained on the same rows: an encoder must be worth more than they are."""
