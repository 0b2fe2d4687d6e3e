"""Requests and their scores as they were served, in TFRecord files of PredictionLog: off unless somebody asks for it.

What is logged are users' texts, as they were sent: the folder is its owner's alone, and what is old is deleted.
"""
