"""The same model, saved by whatever process, has the same bytes, and still scores."""

from __future__ import annotations

import logging

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, saved_model_pb2

from trainer import canonical_saved_model, saved_model
from trainer.export import export_model
from trainer.model import build_model


def test_one_model_saved_twice_has_one_digest_and_scores_as_before(tiny_encoder, tmp_path):
    titles, digests = tf.constant(["You won't believe this cat", "Parliament passes the budget"]), set()
    for name in ("first", "second"):
        model = build_model(tiny_encoder, fine_tune=True, seed=1)
        export_model(model, tmp_path / name, policy="augment")
        tf.function(lambda x: x + 1).get_concrete_function(tf.constant(1.0))  # moves TensorFlow's counters
        digests.add(saved_model.digest(tmp_path / name))
        loaded = tf.saved_model.load(str(tmp_path / name))
        scored = loaded.signatures["serving_default"](title=titles)["probability"]
        np.testing.assert_allclose(scored, model(titles), atol=1e-6)
    assert len(digests) == 1


def test_what_is_set_in_the_process_is_not_in_the_bytes(tiny_encoder, tmp_path):
    """The graphs' options, which a training sets, and what else each process has of its own: devices, addresses."""
    digests, model = set(), build_model(tiny_encoder, fine_tune=True, seed=1)
    try:
        for layout in (None, True, False):
            tf.config.optimizer.set_experimental_options({"layout_optimizer": layout})
            export_model(model, tmp_path / str(layout), policy="augment")
            digests.add(saved_model.digest(tmp_path / str(layout)))
    finally:
        tf.config.optimizer.set_experimental_options({"layout_optimizer": None})
    assert len(digests) == 1


def test_another_casing_policy_or_other_weights_have_another(tiny_encoder, tmp_path):
    for policy, seed in (("augment", 1), ("lower", 1), ("augment", 2)):
        model = build_model(tiny_encoder, fine_tune=True, seed=seed)
        export_model(model, tmp_path / f"{policy}-{seed}", policy=policy)
    assert len({saved_model.digest(folder) for folder in tmp_path.iterdir()}) == 3


def graph(first: int, order: int) -> saved_model_pb2.SavedModel:
    """Two resources, each with its maker, and a function that calls the one that captures; numbered from `first` on."""
    model = saved_model_pb2.SavedModel()
    library = model.meta_graphs.add().graph_def.library
    for number in range(2)[::order]:
        maker = library.function.add()
        maker.signature.name = f"__inference_maker_{first + number}"
        node = maker.node_def.add(name="made", op="Table")
        node.attr["shared_name"].s = f"encoder/table_load_{first + number}".encode()
    caller = library.function.add()
    caller.signature.name = f"__inference_call_{first + 2}"
    caller.signature.input_arg.add(name=f"captured_{first + 3}")
    caller.arg_attr[0].attr["_user_specified_name"].s = str(first + 3).encode()
    for number in range(2):
        node = caller.node_def.add(name=f"made_{number}", op="StatefulPartitionedCall")
        node.attr["f"].func.name = f"__inference_maker_{first + number}"
        config = config_pb2.ConfigProto(device_count={"GPU": first}, allow_soft_placement=True)
        config.experimental.collective_group_leader = f"/job:worker/replica:0/task:{first}"
        node.attr["config_proto"].s = config.SerializeToString()
        node.input.extend([f"captured_{first + 3}", f"^captured_{first + 3}"])
    caller.ret["out"] = f"captured_{first + 3}"
    node = model.meta_graphs[0].object_graph_def.nodes.add()
    node.function.concrete_functions.append(caller.signature.name)
    model.meta_graphs[0].object_graph_def.concrete_functions[caller.signature.name].bound_inputs.append(1)
    return model


def test_numbers_of_the_process_are_gone_wherever_they_stand(tmp_path):
    written = []
    for first, order in ((26, 1), (11756, -1)):
        (tmp_path / "saved_model.pb").write_bytes(graph(first, order).SerializeToString())
        (tmp_path / "fingerprint.pb").write_bytes(b"of the graph before")
        canonical_saved_model.make_canonical(tmp_path)
        written.append((tmp_path / "saved_model.pb").read_bytes())
        assert not (tmp_path / "fingerprint.pb").exists()
    assert written[0] == written[1]
    (meta_graph,) = saved_model_pb2.SavedModel.FromString(written[0]).meta_graphs
    caller, *makers = meta_graph.graph_def.library.function
    assert [caller.signature.name, *(one.signature.name for one in makers)] == [
        "__inference_call_0",
        "__inference_maker_1",
        "__inference_maker_2",
    ]
    assert [node.attr["f"].func.name for node in caller.node_def] == [one.signature.name for one in makers]
    assert [one.node_def[0].attr["shared_name"].s for one in makers] == [
        b"encoder/table_load_0",
        b"encoder/table_load_1",
    ]
    for node in caller.node_def:  # as TensorFlow says it of every function
        assert config_pb2.ConfigProto.FromString(node.attr["config_proto"].s) == config_pb2.ConfigProto(
            allow_soft_placement=True
        )
    assert caller.node_def[0].input[:] == ["captured_0", "^captured_0"]
    assert caller.ret["out"] == caller.signature.input_arg[0].name == "captured_0"
    assert [*meta_graph.object_graph_def.concrete_functions] == ["__inference_call_0"]


def test_saving_writes_no_line_and_leaves_tensorflows_log_as_it_was(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "tensorflow"):
        canonical_saved_model.save(tf.Module(), tmp_path / "quiet")
        tf.get_logger().info("heard")
    assert [record.message for record in caplog.records if record.name == "tensorflow"] == ["heard"]
    assert not (tmp_path / "quiet" / "fingerprint.pb").exists()
