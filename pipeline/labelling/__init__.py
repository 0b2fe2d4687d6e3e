"""How many labels a model needs, which of them are wrong, and which to give next."""
