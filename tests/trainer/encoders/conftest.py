"""Shared by the encoder tests: Keras's policy before anything imports TensorFlow."""

import trainer.tensorflow_setup.keras_policy  # noqa: F401
