"""How many labels a model needs, which of them are likely wrong, and which texts to label next."""
