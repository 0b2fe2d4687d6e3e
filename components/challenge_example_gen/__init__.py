"""Labelled texts from elsewhere as tf.Examples, without those that were trained on."""
