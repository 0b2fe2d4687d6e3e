"""`check_encoder` lets text encoders pass and says of everything else what is wrong with it."""

import shutil

import pytest

from tests.helpers import encoders
from trainer.encoders.errors import EncoderError


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Returns a function that writes a module of `tests.helpers.encoders` once a session."""
    folder, done = tmp_path_factory.mktemp("encoders"), {}

    def write(name):
        if name not in done:
            done[name] = getattr(encoders, f"write_{name}")(folder / name)
        return done[name]

    return write


def check(path, fine_tune=True):
    from trainer.encoders.check import check_encoder

    return check_encoder(path, source="my-encoder", fine_tune=fine_tune)


@pytest.mark.parametrize(
    ("name", "fine_tune", "dimension", "trainable", "parameters"),
    [
        ("reusable_encoder", True, 16, 1024, 1024),
        ("reusable_encoder", False, 16, 0, 1024),
        ("nnlm_encoder", True, 8, 64, 64),
        ("nnlm_encoder", False, 8, 0, 64),
        ("frozen_encoder", False, 16, 0, 1024),
        ("rounding_encoder", False, 16, 0, 1024),
    ],
)
def test_accepts(written, name, fine_tune, dimension, trainable, parameters):
    facts = check(written(name), fine_tune)
    assert (facts.dimension, facts.trainable_parameters, facts.parameters) == (dimension, trainable, parameters)


@pytest.mark.parametrize("fine_tune", [True, False])
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("signature_encoder", "no __call__, only signatures: serving_default(string [None])"),
        ("float_encoder", "it takes float32 [None, 4]"),
        ("fixed_batch_encoder", "it takes string [2]"),
        ("dict_encoder", "a dict (pooled_output)"),
        ("integer_encoder", "returns int64, not floats"),
        ("token_encoder", "shape [2, 1, 16] for two"),
        ("vector_encoder", "shape [2] for two"),
        ("mixing_encoder", "one row a headline"),
        ("nan_encoder", "not finite"),
    ],
)
def test_refuses_what_is_no_text_encoder(written, name, found, fine_tune):
    with pytest.raises(EncoderError) as refused:
        check(written(name), fine_tune)
    message = str(refused.value)
    assert found in message
    assert "my-encoder" in message
    assert "https://www.tensorflow.org/hub/reusable_saved_models" in message
    assert "fine_tune=false" not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("frozen_encoder", "no trainable_variables list"),
        ("no_gradient_encoder", "gradient"),
        ("rounding_encoder", "gradient"),
    ],
)
def test_refuses_to_fine_tune_what_cannot_be(written, name, found):
    with pytest.raises(EncoderError, match=found) as refused:
        check(written(name))
    assert "--set training.fine_tune=false" in str(refused.value)


def test_refuses_an_empty_list_of_trainable_variables(tmp_path):
    import tensorflow as tf

    module = tf.train.Checkpoint(variables=[], trainable_variables=[], regularization_losses=[])
    module.__call__ = tf.function(
        lambda texts: tf.cast(tf.strings.length(texts), tf.float32)[:, tf.newaxis],
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(module, str(tmp_path / "empty"))
    with pytest.raises(EncoderError, match="an empty trainable_variables list"):
        check(tmp_path / "empty")
    assert check(tmp_path / "empty", fine_tune=False).parameters == 0


def test_names_an_unknown_op(written, tmp_path):
    path = tmp_path / "unknown"
    shutil.copytree(written("reusable_encoder"), path)
    graph = path / "saved_model.pb"
    graph.write_bytes(graph.read_bytes().replace(b"StringToHashBucketFast", b"StringToHashBucketFoot"))
    with pytest.raises(EncoderError, match="uses the op StringToHashBucketFoot"):
        check(path)


def test_says_why_a_damaged_module_cannot_be_loaded(written, tmp_path):
    path = tmp_path / "damaged"
    shutil.copytree(written("reusable_encoder"), path)
    data = path / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(EncoderError, match="cannot be loaded") as refused:
        check(path)
    assert "\n" not in str(refused.value)
