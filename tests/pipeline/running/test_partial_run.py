"""A part of the DAG is named by its components, and goes on only from what it fits."""

from dataclasses import replace

import pytest

from components.challenges import ChallengeConfig, ChallengeSource
from components.data_gate.policy import GateVerdict
from components.headline_example_gen.settings import LOCATIONS, DataConfig
from pipeline.config.pipeline_config import load_config
from pipeline.inputs import ChallengeInputs
from pipeline.results.verdict import Data, Encoder, SplitRows, Timing, Training, Verdict
from pipeline.running.partial_run import (
    NODES,
    PartialRunError,
    check_challenges,
    check_nodes,
    from_nodes,
    reuse_last,
)
from tests.helpers.verdicts import a_challenge

CONFIG = load_config("smoke", environ={})
DATA = {"sha256": "sha256:1", "text_column": "title", "label_column": "label", "limit_rows": None}
ROWS = {"train": SplitRows(7, 3)}


def verdict(**data):
    encoder = Encoder("embedded", True, "sha256:e")
    return Verdict(run_id="r9", status="running", data=Data.from_dict({**DATA, **data}), encoder=encoder)


def last(**settings):
    trained = {**CONFIG.training.model_dump(), "encoder_digest": "sha256:e", **settings}
    return Verdict(
        run_id="r1",
        status="done",
        data=Data.from_dict(DATA),
        gate_policy=CONFIG.gate.model_dump(),
        evaluation_policy=CONFIG.evaluation.model_dump(),
        infra_policy=CONFIG.infra.model_dump(),
        components={"Trainer": Timing("done", 1.0)},
        training=Training(settings=trained, train_rows=7, steps=1, trainable_parameters=1, fit_seconds=1.0),
    )


def test_the_tuner_is_a_component_where_recipes_are_tried():
    with pytest.raises(PartialRunError, match=r"Tuner must have recipes to try. Received: none. Give --tune N"):
        check_nodes(CONFIG, "Tuner", None)
    check_nodes(load_config("smoke", flags={"tuner.trials": 2}, environ={}), "Tuner", None)


def test_every_setting_that_the_rows_depend_on_is_compared():
    where_to_look = {*LOCATIONS, "window_spans", "last_span"}
    for name in DataConfig.model_fields.keys() - where_to_look:
        with pytest.raises(PartialRunError, match=f"with another data.{name}"):
            reuse_last(CONFIG, "StatisticsGen", verdict(**{name: "another"}), [last()])


def test_a_list_without_items_is_what_a_run_before_that_setting_had():
    assert reuse_last(CONFIG, "StatisticsGen", verdict(slice_columns=[]), [last()]).run_id == "r9"
    with pytest.raises(PartialRunError, match=r"with another data.slice_columns\. "):
        reuse_last(CONFIG, "StatisticsGen", verdict(slice_columns=["source"]), [last()])


def test_after_the_trainer_a_tuned_run_goes_on_by_what_was_asked_for():
    config = load_config("smoke", flags={"tuner.trials": 2}, environ={})
    asked = {**config.training.model_dump(), "encoder_digest": "sha256:e"}
    tuned = last(learning_rate=0.5)
    tuned = replace(tuned, tuner_policy=config.tuner.model_dump(), training=replace(tuned.training, asked=asked))
    reuse_last(config, "Evaluator", verdict(), [tuned])
    other = load_config("smoke", flags={"tuner.trials": 3}, environ={})
    with pytest.raises(PartialRunError, match="with another tuner"):
        reuse_last(other, "Evaluator", verdict(), [tuned])


@pytest.mark.slow
def test_the_nodes_are_those_of_the_dag_in_its_order(tmp_path):
    from pipeline.pipeline import create_pipeline

    texts = tmp_path / "new.csv"
    texts.write_text("title\nOne\n")
    (tmp_path / "elsewhere.csv").write_text("title,label\nOne,1\n")
    challenges = [{"name": "elsewhere", "path": str(tmp_path / "elsewhere.csv")}]
    flags = {"output": tmp_path, "bulk.path": texts, "tuner.trials": 2, "evaluation.challenges": challenges}
    config = load_config("smoke", flags=flags, environ={})
    known = [component.id for component in create_pipeline(config).components]
    # TFX sorts by dependencies; of components that do not depend on each other either may come first.
    assert sorted(known) == sorted(NODES)
    for component in create_pipeline(config).components:
        assert all(NODES.index(upstream.id) < NODES.index(component.id) for upstream in component.upstream_nodes)


@pytest.mark.parametrize(
    ("from_node", "now", "before", "named"),
    [
        ("StatisticsGen", verdict(sha256="sha256:2"), last(), "data.sha256"),
        ("Trainer", verdict(text_column="text"), last(), "data.text_column"),
        ("Evaluator", verdict(), last(seed=99), "training.seed"),
        ("VersionedPusher", verdict(), last(encoder_digest="sha256:f"), "encoder"),
        ("Trainer", verdict(train_buckets=5), last(), "data.train_buckets"),
        ("Trainer", verdict(schema_sha256="sha256:s"), last(), "schema"),
        ("Trainer", verdict(), replace(last(), gate_policy={}), "gate.rejects"),
        ("LocalInfraValidator", verdict(), replace(last(), evaluation_policy={}), "evaluation.min_eval_accuracy"),
        ("VersionedPusher", verdict(), replace(last(), infra_policy={}), "infra.server"),
    ],
)
def test_what_differs_from_the_last_run_is_refused_by_name(from_node, now, before, named):
    with pytest.raises(PartialRunError, match=f"with another {named}"):
        reuse_last(CONFIG, from_node, now, [before])


def test_a_last_run_that_did_not_train_is_nothing_to_go_on_from_behind_the_trainer():
    refused = replace(last(), training=None)
    with pytest.raises(PartialRunError, match="a last run, r1, that did not"):
        reuse_last(CONFIG, "Evaluator", verdict(), [refused])


def test_before_the_trainer_other_training_is_what_from_is_for():
    counted = replace(last(seed=99), rows=ROWS, gate=GateVerdict(True, []))
    assert reuse_last(CONFIG, "Trainer", verdict(), [counted]) == replace(verdict(), rows=ROWS, gate=counted.gate)
    assert reuse_last(CONFIG, "StatisticsGen", verdict(), [counted]) == replace(verdict(), rows=ROWS)


def test_without_an_earlier_run_there_is_nothing_to_go_on_from():
    with pytest.raises(PartialRunError, match="and no run"):
        reuse_last(CONFIG, "Trainer", verdict(), [Verdict(run_id="r0", status="failed", components={})])


def test_after_a_run_that_was_killed_from_is_refused():
    killed = Verdict(run_id="r2", status="interrupted", reason="the run left no verdict")
    with pytest.raises(PartialRunError, match="a last run, r2, that left none"):
        reuse_last(CONFIG, "Trainer", verdict(), [last(), killed])
    assert reuse_last(CONFIG, "Trainer", verdict(), [killed, last()]) == verdict()


def test_a_run_that_evaluates_anew_looks_anew_for_its_baseline_and_its_rows():
    assert from_nodes(CONFIG, None) == []
    assert from_nodes(CONFIG, "Trainer") == ["Trainer", "LatestBlessedModel", "VariantExampleGen"]
    assert from_nodes(CONFIG, "Evaluator") == ["Evaluator"]


def test_a_run_that_scores_a_file_reads_the_file_wherever_it_begins():
    config = load_config("smoke", flags={"bulk.path": "new.csv"}, environ={})
    assert from_nodes(config, "Trainer") == ["Trainer", "LatestBlessedModel", "VariantExampleGen", "BulkExampleGen"]
    assert from_nodes(config, "VersionedPusher") == ["VersionedPusher", "BulkExampleGen"]
    assert from_nodes(config, "BulkInferrer") == ["BulkInferrer"]
    check_nodes(config, "BulkInferrer", None)


def test_what_scores_a_file_is_no_node_without_one():
    with pytest.raises(PartialRunError, match="Give --bulk FILE"):
        check_nodes(CONFIG, "BulkInferrer", None)


def test_a_run_goes_on_with_the_challenges_that_the_last_one_measured_on():
    def given(**source):
        source = {"name": "a", "path": "elsewhere.csv", "sha256": "sha256:a", **source}
        settings = ChallengeConfig(name="a", path="elsewhere.csv", slice_columns=source.pop("slice_columns", []))
        return ChallengeInputs((settings,), (ChallengeSource(**source),))

    measured = replace(last(), challenges=[a_challenge("a")])
    sliced = replace(last(), challenges=[a_challenge("a", slice_columns=["kind"])])
    reuse_last(CONFIG, "Evaluator", verdict(), [measured], given())
    reuse_last(CONFIG, "Evaluator", verdict(), [sliced], given(slice_columns=["kind"]))
    for run, challenges in (
        (measured, None),
        (last(), given()),
        (measured, given(sha256="x")),
        (measured, given(slice_columns=["kind"])),
        (sliced, given()),
    ):
        with pytest.raises(PartialRunError, match="with another evaluation.challenges"):
            reuse_last(CONFIG, "Evaluator", verdict(), [run], challenges)
        reuse_last(CONFIG, "ChallengeExampleGen", verdict(), [run], challenges)


def test_challenges_are_read_again_beside_what_does_not_depend_on_them():
    assert "ChallengeExampleGen" in from_nodes(CONFIG, "Trainer", has_challenges=True)
    assert "ChallengeExampleGen" not in from_nodes(CONFIG, "Trainer")
    with pytest.raises(PartialRunError, match="ChallengeExampleGen must have a challenge. Received: none. Give --chal"):
        check_challenges([], "ChallengeExampleGen", None)
