"""Products in bfloat16 only where asked, lookups that leave the table alone, and both only inside."""

import logging
import os
import platform
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from trainer.model import build_model, compile_model
from trainer.settings import TrainingConfig
from trainer.tensorflow_setup.graph_options import multiplies_bfloat16, training_graphs

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


def test_bfloat16_rounds_inside_and_not_behind(caplog):
    exact = A.numpy() @ A.numpy()
    with caplog.at_level(logging.INFO, "trainer"), training_graphs("bfloat16"):
        error = np.max(np.abs(product() / exact - 1))
    if "computed in bfloat16" in caplog.text:
        assert 1e-4 < error < 0.02
    else:  # on a processor for which TensorFlow leaves oneDNN off
        assert error < 1e-5
        assert "stay in float32" in caplog.text
    np.testing.assert_allclose(product(), exact, rtol=1e-5)


def test_an_option_that_tensorflow_does_not_obey_is_not_said_to_be_obeyed(caplog, monkeypatch):
    # Which leaves products as they are.
    monkeypatch.setattr("trainer.tensorflow_setup.graph_options._BFLOAT16", "debug_stripper")
    with caplog.at_level(logging.INFO, "trainer"), training_graphs("bfloat16"):
        pass
    # TensorFlow may warn of its own, depending on what the process did before.
    (record,) = [one for one in caplog.records if one.name == "trainer"]
    assert record.notice
    assert "matrix products stay in float32" in record.getMessage()
    assert "TF_ENABLE_ONEDNN_OPTS=1" in record.getMessage()


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="TensorFlow has oneDNN's bfloat16 for x86 only")
def test_with_onednn_any_processor_rounds():
    test = f"{__file__}::{test_bfloat16_rounds_inside_and_not_behind.__name__}"
    call = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "log_cli=true", "-o", "log_cli_level=INFO"]
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"}
    done = subprocess.run([*call, test], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "are computed in bfloat16" in done.stdout


@pytest.mark.parametrize(("precision", "flags"), [("float32", "avx512_bf16"), ("auto", "avx512f")])
def test_float32_where_it_is_asked_or_quicker(cpuinfo, precision, flags):
    with training_graphs(precision, cpuinfo(flags)):
        np.testing.assert_allclose(product(), A.numpy() @ A.numpy(), rtol=1e-5)


@pytest.fixture(params=[None, True, False], ids=["left alone", "turned on", "turned off"])
def options(request):
    """TensorFlow's options, of which the user may have set one that a training sets too."""
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": request.param})
    yield tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": None})


def test_the_options_behind_are_those_before(options):
    with training_graphs("bfloat16"):
        assert tf.config.optimizer.get_experimental_options() != options
    assert tf.config.optimizer.get_experimental_options() == options


def test_a_failure_inside_leaves_nothing_behind(options):
    with pytest.raises(ZeroDivisionError), training_graphs("bfloat16"):
        raise ZeroDivisionError
    assert tf.config.optimizer.get_experimental_options() == options
    np.testing.assert_allclose(product(), A.numpy() @ A.numpy(), rtol=1e-5)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Of an encoder whose table is read as `tf.nn.embedding_lookup_sparse` does."""
    folder, buckets = tmp_path_factory.mktemp("lookups") / "encoder", 100
    encoder = tf.train.Checkpoint(table=tf.Variable(tf.zeros([buckets, 8])))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def call(texts):
        words = tf.strings.split(texts)
        ids = tf.ragged.map_flat_values(tf.strings.to_hash_bucket_fast, words, num_buckets=buckets)
        return tf.nn.safe_embedding_lookup_sparse(encoder.table, ids.to_sparse(), combiner="sqrtn")

    encoder.__call__, encoder.variables, encoder.trainable_variables = call, [encoder.table], [encoder.table]
    tf.saved_model.save(encoder, str(folder))
    made = build_model(folder, fine_tune=True)
    compile_model(made, TrainingConfig(learning_rate=1e-3, learning_rate_decay="constant"), steps=1)
    return made


def what_a_step_adds_up(model):
    """The operation that its sum over each text's rows takes them from, in the graph that TensorFlow made."""
    model.make_train_function(force=True)
    tensorflow = context.context()
    tensorflow.enable_graph_collection()
    try:
        model.train_on_batch(tf.constant([f"word and {row}" for row in range(32)]), tf.zeros([32]))
        graphs = tensorflow.export_run_metadata().function_graphs
    finally:
        tensorflow.disable_graph_collection()
    (taken,) = {
        nodes[node.input[0]].op
        for nodes in ({node.name: node for node in graph.post_optimization_graph.node} for graph in graphs)
        for node in nodes.values()
        if node.op == "SparseSegmentSqrtN"
    }
    return taken


def test_a_lookup_reads_its_rows_and_not_the_table(model):
    with training_graphs("float32"):
        assert what_a_step_adds_up(model) == "ResourceGather"
    # TensorFlow left alone reads all of the table; were that mended there, the option could go.
    assert what_a_step_adds_up(model) == "ReadVariableOp"
