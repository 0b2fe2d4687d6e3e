"""Requests and their scores as they were served, in TFRecord files of PredictionLog; off by default.

The log holds users' texts, as they were sent: the folder is its owner's alone, and old files are deleted.
"""
