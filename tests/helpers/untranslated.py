"""Imported where processes are forked from: AutoGraph leaves the libraries' own code as it is.

It would translate Keras's anew in each child, which is five of the Trainer's six seconds.
"""

from tensorflow.python.autograph.core import config

config.CONVERSION_RULES = (*map(config.DoNotConvert, ("tf_keras", "tensorflow_hub")), *config.CONVERSION_RULES)
