"""AutoGraph leaves the code of libraries as it is: translating it takes seconds and changes nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tensorflow.python.autograph.core import config

_LIBRARIES = ("tf_keras", "tensorflow_hub")


@contextlib.contextmanager
def untranslated_libraries() -> Iterator[None]:
    """Within it, Keras and TensorFlow Hub are to AutoGraph what `tf.keras` is: code that needs no translation.

    TensorFlow's public switches (`autograph=False`, `do_not_convert`) do not reach the functions that Keras traces when
    it is saved. Which libraries AutoGraph leaves alone is a list that has `keras` and not `tf_keras`.
    """
    before = config.CONVERSION_RULES
    config.CONVERSION_RULES = (*map(config.DoNotConvert, _LIBRARIES), *before)
    try:
        yield
    finally:
        config.CONVERSION_RULES = before
