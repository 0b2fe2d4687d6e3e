"""Copies of the evaluation rows that are written otherwise, for a model that must judge the words alone."""
