"""The exported SavedModel: two signatures, the casing policy inside, no optimizer, the same scores anywhere."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests.helpers.examples import serialized_example
from trainer import casing, features
from trainer.export import export_model
from trainer.model import build_model, compile_model
from trainer.settings import TrainingConfig

TITLES = ["You Won't Believe These 9 Cats", "PARLIAMENT PASSES BUDGET", "déjà vu à Paris", "cat"]
LABELS = [1.0, 0.0, 1.0, 0.0]


def write_cased_encoder(path):
    """A reusable SavedModel that sees casing, unlike those of `tests.helpers.encoders`."""
    table = tf.Variable(tf.random.stateless_uniform([64, 16], [3, 4], -1.0, 1.0))

    def call(texts):
        return tf.gather(table, tf.strings.to_hash_bucket_fast(texts, 64))

    module = tf.train.Checkpoint()
    module.__call__ = tf.function(call, input_signature=[tf.TensorSpec([None], tf.string)])
    module.variables = module.trainable_variables = [table]
    module.regularization_losses = []
    tf.saved_model.save(module, str(path))
    return path


def trained_model(encoder, epochs=1):
    """Stepped, so that its optimizer has slots to lose."""
    model = build_model(encoder, fine_tune=True, seed=1)
    compile_model(model, TrainingConfig(optimizer="adam", learning_rate=1e-3), steps=10)
    model.fit(tf.constant(TITLES), tf.constant(LABELS), epochs=epochs, verbose=0)
    assert int(model.optimizer.iterations) == epochs
    return model


@pytest.fixture(scope="module")
def cased_encoder(tmp_path_factory):
    return write_cased_encoder(tmp_path_factory.mktemp("cased") / "encoder")


@pytest.fixture(scope="module")
def model(cased_encoder):
    return trained_model(cased_encoder)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """Folders of the same model, exported with each policy."""
    folder = tmp_path_factory.mktemp("exported")
    for policy in casing.POLICIES:
        export_model(model, folder / policy, policy=policy)
    return folder


@pytest.fixture(scope="module")
def loaded(exported):
    return {policy: tf.saved_model.load(str(exported / policy)) for policy in casing.POLICIES}


def score(module, titles):
    signature = module.signatures[features.RAW_SIGNATURE]
    return signature(title=tf.constant(titles, tf.string))[features.PROBABILITY].numpy()


def numbers(folder):
    """The sizes of the variables of a SavedModel, but for a checkpoint's own counter and graph."""
    variables = tf.train.list_variables(str(folder / "variables" / "variables"))
    return [int(np.prod(shape)) for name, shape in variables if not name.startswith("_") and "save_counter" not in name]


def bytes_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_signatures_have_the_names_and_shapes_that_clients_use(loaded):
    signatures = loaded["as_is"].signatures
    assert sorted(signatures) == ["serving_default", "serving_examples"]
    for name, argument in (("serving_default", "title"), ("serving_examples", "examples")):
        ((taken, spec),) = signatures[name].structured_input_signature[1].items()
        assert (taken, spec.dtype, spec.shape.as_list()) == (argument, tf.string, [None])
        ((given, spec),) = signatures[name].structured_outputs.items()
        assert (given, spec.dtype, spec.shape.as_list()) == ("probability", tf.float32, [None, 1])


@pytest.mark.parametrize("policy", casing.POLICIES)
def test_examples_score_as_their_titles(loaded, policy):
    serialized = tf.constant([serialized_example(title) for title in TITLES])
    scores = loaded[policy].signatures["serving_examples"](examples=serialized)["probability"]
    np.testing.assert_array_equal(scores, score(loaded[policy], TITLES))


def test_an_example_may_carry_its_label(loaded):
    serialized = tf.constant([serialized_example(TITLES[0], 1)])
    scores = loaded["as_is"].signatures["serving_examples"](examples=serialized)["probability"]
    np.testing.assert_array_equal(scores, score(loaded["as_is"], TITLES[:1]))


@pytest.mark.parametrize("policy", casing.POLICIES)
def test_titles_are_normalised_inside(loaded, model, policy):
    normalised = {
        "as_is": TITLES,
        "lower": [title.lower() for title in TITLES],
        "augment": [TITLES[0], TITLES[1].lower(), *TITLES[2:]],
    }[policy]
    np.testing.assert_allclose(score(loaded[policy], TITLES), model(tf.constant(normalised)), rtol=1e-6)


def test_policies_score_a_shouted_title_differently(loaded):
    shouted = [TITLES[1]]
    assert score(loaded["as_is"], shouted) != score(loaded["lower"], shouted)
    assert score(loaded["augment"], shouted) == score(loaded["lower"], shouted)


def test_no_optimizer_is_stored(exported, cased_encoder):
    assert sorted(numbers(exported / "as_is")) == [1, 16, 64 * 16]
    assert sum(numbers(exported / "as_is")) <= 1.1 * sum(numbers(cased_encoder))


def test_the_trained_weights_are_stored_not_the_encoders_first_ones(exported, cased_encoder, model):
    def table(folder):
        reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
        shapes = reader.get_variable_to_shape_map()
        (name,) = [name for name in shapes if shapes[name] == [64, 16]]
        return reader.get_tensor(name)

    np.testing.assert_array_equal(table(exported / "lower"), model.layers[0].weights[0])
    assert not np.array_equal(table(exported / "lower"), table(cased_encoder))


@pytest.mark.parametrize("policy", casing.POLICIES)
def test_an_empty_batch_gives_no_scores(loaded, policy):
    assert score(loaded[policy], []).shape == (0, 1)


def test_the_model_can_go_on_training_after_its_export(model, exported):
    before = model.get_weights()
    model.train_on_batch(tf.constant(TITLES), tf.constant(LABELS))
    after = model.get_weights()
    model.set_weights(before)
    assert not any(np.array_equal(old, new) for old, new in zip(before, after, strict=True))


RELOAD = """
import json, sys
import tensorflow as tf
import tensorflow_text
module = tf.saved_model.load(sys.argv[1])
titles, serialized = json.loads(sys.argv[2]), json.loads(sys.argv[3])
raw = module.signatures["serving_default"](title=tf.constant(titles))["probability"]
examples = module.signatures["serving_examples"](
    examples=tf.constant([bytes.fromhex(one) for one in serialized]))["probability"]
print("scores", json.dumps([raw.numpy().tolist(), examples.numpy().tolist()]))
"""


@pytest.mark.slow
def test_a_fresh_process_scores_the_default_encoder_equally_and_it_stays_small(embedded_encoder, tmp_path):
    model = trained_model(embedded_encoder)
    export_model(model, tmp_path / "model", policy="lower")
    assert bytes_of(tmp_path / "model") <= 1.1 * bytes_of(embedded_encoder)
    # Each variable once, and none of the optimizer's.
    assert sum(numbers(tmp_path / "model")) == 68_927_232 + 512 + 1

    serialized = [serialized_example(title).hex() for title in TITLES]
    done = subprocess.run(
        [sys.executable, "-c", RELOAD, str(tmp_path / "model"), json.dumps(TITLES), json.dumps(serialized)],
        capture_output=True,
        text=True,
        timeout=300,
        # TensorFlow's lower-casing obeys the locale; Turkish has an I of its own.
        env=os.environ | {"LC_ALL": "tr_TR.UTF-8"},
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("scores ")] or [done.stderr]
    raw, examples = json.loads(line.removeprefix("scores "))
    expected = model(casing.lower(tf.constant(TITLES))).numpy()
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(raw, expected, atol=1e-5)
    np.testing.assert_allclose(examples, expected, atol=1e-5)


def test_titles_that_the_policy_makes_equal_are_scored_once(tmp_path):
    def count(texts):
        return tf.fill([tf.size(texts), 1], tf.cast(tf.size(texts), tf.float32))

    counting = tf_keras.Sequential([tf_keras.layers.Lambda(count, input_shape=[], dtype=tf.string)])
    export_model(counting, tmp_path, policy="augment")
    titles = ["SHOUTED", "shouted", "Shouted", "shouted", "2048"]
    assert score(tf.saved_model.load(str(tmp_path)), titles).tolist() == [[3.0]] * 5


@pytest.mark.parametrize("policy", casing.POLICIES)
def test_each_title_has_its_own_score_whatever_comes_twice(loaded, policy):
    alone = [score(loaded[policy], [title])[0] for title in TITLES]
    np.testing.assert_allclose(score(loaded[policy], [*TITLES, *TITLES[::-1]]), [*alone, *alone[::-1]], atol=1e-6)
