"""Products in bfloat16 only where asked, lookups that leave the table alone, and both only inside."""

import time

import numpy as np
import pytest
import tensorflow as tf

from trainer.graphs import multiplies_bfloat16, training_graphs
from trainer.model import build_model, compile_model

A = tf.random.stateless_uniform([64, 64], [1, 2])


@pytest.fixture
def cpuinfo(tmp_path):
    def write(flags):
        path = tmp_path / "cpuinfo"
        path.write_text(f"processor : 0\nflags\t\t: fpu {flags} sse\n", encoding="utf-8")
        return path

    return write


def product():
    """Of a graph that nobody has run yet."""
    return tf.function(lambda x: tf.nn.relu(tf.matmul(x, x)))(A).numpy()


@pytest.mark.parametrize(
    ("flags", "native"), [("avx512_bf16", True), ("amx_bf16", True), ("avx512f avx512_vnni", False), ("", False)]
)
def test_native_where_the_processor_says_so(cpuinfo, flags, native):
    assert multiplies_bfloat16(cpuinfo(flags)) is native


def test_another_system_has_none(tmp_path):
    assert not multiplies_bfloat16(tmp_path / "missing")


def test_bfloat16_rounds_inside_and_not_behind():
    exact = A.numpy() @ A.numpy()
    with training_graphs("bfloat16"):
        rounded = product()
    assert 1e-4 < np.max(np.abs(rounded / exact - 1)) < 0.02
    np.testing.assert_allclose(product(), exact, rtol=1e-5)


@pytest.mark.parametrize(("precision", "flags"), [("float32", "avx512_bf16"), ("auto", "avx512f")])
def test_float32_where_it_is_asked_or_quicker(cpuinfo, precision, flags):
    with training_graphs(precision, cpuinfo(flags)):
        np.testing.assert_allclose(product(), A.numpy() @ A.numpy(), rtol=1e-5)


def test_a_failure_inside_leaves_nothing_behind():
    with pytest.raises(ZeroDivisionError), training_graphs("bfloat16"):
        raise ZeroDivisionError
    np.testing.assert_allclose(product(), A.numpy() @ A.numpy(), rtol=1e-5)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Of an encoder with a table of 256 MB, read as `tf.nn.embedding_lookup_sparse` does."""
    folder, buckets = tmp_path_factory.mktemp("large") / "encoder", 1_000_000
    encoder = tf.train.Checkpoint(table=tf.Variable(tf.zeros([buckets, 64])))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def call(texts):
        words = tf.strings.split(texts)
        ids = tf.ragged.map_flat_values(tf.strings.to_hash_bucket_fast, words, num_buckets=buckets)
        return tf.nn.safe_embedding_lookup_sparse(encoder.table, ids.to_sparse(), combiner="sqrtn")

    encoder.__call__, encoder.variables, encoder.trainable_variables = call, [encoder.table], [encoder.table]
    tf.saved_model.save(encoder, str(folder))
    made = build_model(folder, fine_tune=True)
    compile_model(made, optimizer="lazy_adam", learning_rate=1e-3, learning_rate_decay="constant", steps=1)
    return made


def seconds_a_step(model):
    """The median, of a graph that nobody has run yet."""
    model.make_train_function(force=True)
    spent = []
    for number in range(15):
        texts = tf.constant([f"word {number} and {row}" for row in range(32)])
        began = time.perf_counter()
        model.train_on_batch(texts, tf.zeros([32]))
        spent.append(time.perf_counter() - began)
    return float(np.median(spent[5:]))


def test_a_step_on_a_large_table_costs_no_copy_of_it(model):
    with training_graphs("float32"):
        inside = seconds_a_step(model)
    # TensorFlow left alone reads all of the table; were that mended there, the option could go.
    assert seconds_a_step(model) > 2 * inside
