"""What AutoGraph translates while `untranslated_libraries` holds, and after it."""

import pytest
import tensorflow_hub as hub
import tf_keras
from tensorflow.python.autograph.impl.conversion import is_allowlisted

from trainer.translation import untranslated_libraries

LIBRARIES = (tf_keras.layers.Dense.call, hub.KerasLayer.call)


def ours():
    pass


def test_the_libraries_are_left_as_they_are_and_our_own_code_is_translated():
    with untranslated_libraries():
        assert all(map(is_allowlisted, LIBRARIES))
        assert not is_allowlisted(ours)


def test_it_ends_whatever_happens():
    with pytest.raises(ValueError), untranslated_libraries():
        raise ValueError
    assert not any(map(is_allowlisted, LIBRARIES))
