"""Variants of the evaluation rows with other casing, punctuation or spelling: a model must judge the words alone."""
