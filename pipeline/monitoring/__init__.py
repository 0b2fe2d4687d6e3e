"""The comparison of served texts and scores with the training data."""
