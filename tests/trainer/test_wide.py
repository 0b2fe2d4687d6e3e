"""The wide part: its counts and weights against plain Python and scikit-learn, any script and length, exported."""

import collections
import math
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from trainer import features, wide

TITLES = [
    "You Won't Believe These 9 Cats!",
    "Parliament passes budget",
    "¿Qué pasó? ¡Increíble!",
    "Парламент принял бюджет",
    "議会が予算を可決",
    "9 cats, 9 lives and 9 reasons why",
    "संसद ने बजट पारित किया",
    "Budget: what you won't believe",
    "🎉 party 🎉",
    "x",
]
LABELS = [1, 0, 1, 0, 0, 1, 0, 1, 1, 0]
EDGES = ["", "   ", "\u00a0\u3000", "a" * 10_000, "word " * 2_000, "é", "\x00", "İstanbul"]


def counted_in_python(title):
    """Words, pairs of words and n-grams within words, by plain Python."""
    title = title.lower()
    tokens = re.findall(r"\w+|[^\w\s]", title)
    counts = collections.Counter(("word", token) for token in tokens)
    counts.update(("word", f"{first} {second}") for first, second in zip(tokens, tokens[1:], strict=False))
    for word in title.split():
        spelled = f" {word} "
        for size in (2, 3, 4, 5):
            counts.update(("characters", spelled[k : k + size]) for k in range(len(spelled) - size + 1))
    return counts


@pytest.fixture(scope="module")
def weights():
    return wide.fit(TITLES, LABELS)


@pytest.fixture(scope="module")
def layer(weights):
    return wide.WideLogit(weights)


@pytest.fixture(scope="module")
def exported(layer, tmp_path_factory):
    title = tf_keras.Input(shape=[], dtype=tf.string, name=features.TITLE)
    folder = tmp_path_factory.mktemp("wide") / "model"
    tf.saved_model.save(tf_keras.Model(title, layer(title)), str(folder))
    return tf.saved_model.load(str(folder))


@pytest.mark.parametrize("title", ["You Won't Believe These 9 Cats!", "¿Qué pasó? ¡Increíble!", "a a a", "議会が予算"])
def test_counts_are_those_of_plain_python(title):
    expected = counted_in_python(title)
    assert sorted(wide.count([title]).data) == sorted(expected.values())


def test_words_and_characters_have_buckets_of_their_own():
    counts = wide.count(["cats"])
    assert (counts.indices < wide.WORD_BUCKETS).sum() == 1
    assert (counts.indices >= wide.WORD_BUCKETS).sum() == len(" cats ") * 4 - (1 + 2 + 3 + 4)


def test_weighed_words_and_characters_have_length_1(weights):
    weighed = wide.weigh(wide.count(TITLES), weights.importance)
    for half in (weighed[:, : wide.WORD_BUCKETS], weighed[:, wide.WORD_BUCKETS :]):
        np.testing.assert_allclose(np.sqrt(half.multiply(half).sum(axis=1)), 1, rtol=1e-5)


def test_the_importance_is_scikit_learns(weights):
    counts = wide.count(TITLES)
    in_two = np.flatnonzero(np.bincount(counts.indices, minlength=wide.BUCKETS) == 2)
    np.testing.assert_allclose(weights.importance[in_two], math.log((1 + len(TITLES)) / 3) + 1, rtol=1e-6)


def test_what_no_training_title_holds_counts_for_nothing(layer):
    known, with_unknown = layer(tf.constant(["budget", "budget ζζζζ"])).numpy()
    assert known == pytest.approx(with_unknown, abs=1e-6)


def test_it_learns_its_rows(layer):
    assert ((layer(tf.constant(TITLES)).numpy()[:, 0] > 0) == LABELS).all()


def test_casing_changes_nothing(layer):
    as_they_are, upper = layer(tf.constant(TITLES)), layer(tf.constant([title.upper() for title in TITLES]))
    np.testing.assert_array_equal(as_they_are, upper)


def test_equal_rows_in_equal_order_make_equal_weights(weights):
    again = wide.fit(TITLES, LABELS)
    np.testing.assert_array_equal(again.importance, weights.importance)
    np.testing.assert_array_equal(again.kernel, weights.kernel)
    assert again.bias == weights.bias


def test_counts_give_the_layers_logits(layer, weights):
    titles = TITLES + EDGES
    expected = layer(tf.constant(titles)).numpy()[:, 0]
    np.testing.assert_allclose(wide.logits_of_counts(weights, wide.count(titles)), expected, atol=1e-5)


def test_a_title_without_words_gets_the_bias(layer, weights):
    np.testing.assert_allclose(layer(tf.constant(["", "   ", "\u00a0\u3000"])), [[weights.bias]] * 3)


def test_a_title_scores_the_same_alone_and_in_a_batch(layer):
    titles = TITLES + EDGES
    score = tf.function(layer, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    alone = [score([title]).numpy()[0] for title in titles]
    np.testing.assert_allclose(layer(tf.constant(titles)), alone, atol=1e-6)


def test_no_titles_have_no_logits(layer):
    assert layer(tf.constant([], tf.string)).shape == (0, 1)
    assert wide.count([]).shape == (0, wide.BUCKETS)


def test_training_leaves_it_alone(layer):
    model = tf_keras.Sequential([tf_keras.Input(shape=[], dtype=tf.string), layer])
    model.trainable = True
    assert model.trainable_weights == []


def test_exported_it_scores_the_same(exported, layer):
    titles = tf.constant(TITLES + EDGES)
    np.testing.assert_allclose(exported(titles), layer(titles), atol=1e-6)


def test_a_long_title_among_many_takes_its_own_memory_alone():
    """Not that of as many words as there are, each as long as the longest."""

    def megabytes(field):
        (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field)]
        return int(line.split()[1]) / 1024

    titles = [*(f"title {number} of the world" for number in range(254)), "x" * 10_000, "y " * 5_000]
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = megabytes("VmRSS")
    assert wide.count(titles).shape[0] == 256
    assert megabytes("VmHWM") - before < 300
