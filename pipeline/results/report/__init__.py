"""The results of a run for people: a page, a comparison of two runs and a model card, from the same facts."""
