"""On Prism and a worker pool, other processes and gRPC between them, components do as they do in memory.

What ends an engine is seen on Beam's local job service: Prism ends itself where there is no worker pool.
"""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import contextlib
import filecmp
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.errors import describe_failure
from pipeline.config.beam import beam_flags
from pipeline.config.pipeline_config import load_config
from tests.components.headline_example_gen.ingests import Ingested, run_executor, write_csv
from tests.flink.compare import rounded
from tests.helpers.beam_engine import Engine, find_prism, free_port, local_engine, stop
from tests.helpers.statistics_by_feature import by_feature
from tests.helpers.variants import read_rows

pytestmark = pytest.mark.slow

SCHEMA = Path(__file__).parents[2] / "data" / "schema.pbtxt"
ROWS = [(f"Headline “{number}” About {'a Storm' if number % 2 else 'Nothing'}", number % 2) for number in range(300)]
FAULTS = [("Not so sure", "maybe"), ("", 1), (ROWS[0][0], 1), ("a,b", 0, "more")]


@pytest.fixture(autouse=True)
def no_command_line(monkeypatch):
    # TFX's Beam components read absl's flags from the command line, where -v would be a number.
    monkeypatch.setattr("sys.argv", ["pytest"])


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    prism = find_prism()
    if prism is None:
        pytest.skip("needs Prism, which `make test-tools` builds where Go is installed, or the path of one in PRISM")
    with local_engine(tmp_path_factory.mktemp("engine"), prism) as engine:
        yield engine


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_csv(folder / "a.csv", [*ROWS[:200], *FAULTS])
    write_csv(folder / "b.csv", [*ROWS[150:], *FAULTS])
    return folder


@pytest.fixture(scope="module")
def in_memory(data, tmp_path_factory) -> Ingested:
    return run_executor(data, tmp_path_factory.mktemp("memory"), limit_rows=250)


def flags(engine: Engine, component: str, *overrides: str) -> list[str]:
    return beam_flags(load_config(overrides=[*engine.overrides, *overrides], environ={}).beam, component)


# Workers in threads of this process have TensorFlow already, which costs another 5 s a job.
HERE = ("beam.environment_type=LOOPBACK", "beam.environment_config=null")


@pytest.fixture(scope="module")
def model(tiny_encoder, tmp_path_factory):
    import tfx.v1 as tfx

    from trainer.export import export_model
    from trainer.model import build_model

    model = tfx.types.standard_artifacts.Model()
    model.uri = str(tmp_path_factory.mktemp("model"))
    export_model(build_model(tiny_encoder, fine_tune=True, seed=1), f"{model.uri}/Format-Serving", policy="lower")
    return model


def files(folder: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def run(executor, component: str, inputs, outputs, properties, folder: Path, beam: list[str]) -> None:
    context = executor.Context(beam_pipeline_args=beam, tmp_dir=str(folder / "tmp"), unique_id=component)
    executor(context).Do(inputs, outputs, properties)


def test_the_ingest_writes_the_same_bytes(engine, data, in_memory, tmp_path):
    there = run_executor(data, tmp_path, limit_rows=250, beam_flags=flags(engine, "HeadlineExampleGen", *HERE))

    assert there.report == in_memory.report
    assert there.report["rows"]["rejected"] > 0 and there.report["rows"]["left_out"] > 0
    for uri, other in ((there.examples.uri, in_memory.examples.uri), (there.ingest.uri, in_memory.ingest.uri)):
        names = files(uri)
        assert names == files(other)
        assert filecmp.cmpfiles(uri, other, names, shallow=False)[0] == names


def test_titles_in_both_splits_are_the_same(engine, in_memory, tmp_path):
    from apache_beam.options.pipeline_options import PipelineOptions

    from components.beam_jobs import WatchedPipeline
    from components.data_gate.leakage import find_leaks

    folder = f"{in_memory.examples.uri}/Split-train"
    ours, theirs = (
        find_leaks(
            WatchedPipeline(options=PipelineOptions(beam)), {"train": folder, "eval": folder}, str(tmp_path / "leaks")
        )
        for beam in ([], flags(engine, "DataGate", *HERE))
    )
    assert ours == theirs and ours[0] > 100


def test_the_statistics_are_the_same(engine, in_memory, tmp_path):
    import tfx.v1 as tfx

    from components.statistics_gen.component import Executor

    schema = tfx.types.standard_artifacts.Schema()
    schema.uri = str(tmp_path / "schema")
    Path(schema.uri).mkdir()
    shutil.copy(SCHEMA, schema.uri)
    results = []
    for place, beam in (("memory", []), ("engine", flags(engine, "StatisticsGen", *HERE))):
        statistics = tfx.types.standard_artifacts.ExampleStatistics()
        statistics.uri = str(tmp_path / place)
        inputs = {"examples": [in_memory.examples], "schema": [schema]}
        run(Executor, "StatisticsGen", inputs, {"statistics": [statistics]}, {}, tmp_path, beam)
        results.append([by_feature(Path(statistics.uri, name)) for name in files(statistics.uri)])

    assert len(results[0]) == 2 and results[0] == results[1]


@pytest.fixture(scope="module")
def challenges(in_memory, tmp_path_factory):
    from tfx.types.standard_artifacts import Examples

    from components.challenge_example_gen.write import write_challenges
    from components.challenges import ChallengeConfig, ChallengeSource, rows_to_json
    from components.labelled_csv.digests import file_digest

    folder = tmp_path_factory.mktemp("challenges")
    path = str(folder / "tube.csv")
    write_csv(folder / "tube.csv", [(f"Tube {title}", label) for title, label in ROWS[:40]])
    challenges = Examples()
    challenges.uri = str(folder / "challenges")
    counts = write_challenges(
        [ChallengeConfig(name="tube", path=path)],
        [ChallengeSource(name="tube", path=path, sha256=file_digest(path))],
        f"{in_memory.examples.uri}/Split-train",
        f"{challenges.uri}/Split-challenge",
    )
    challenges.split_names = '["challenge"]'
    challenges.set_string_custom_property("challenges", rows_to_json(counts))
    return challenges


def evaluate(examples, challenges, model, folder: Path, beam_of) -> dict[str, Any]:
    """Runs the components from the variants to the verdict, and returns their outputs by name."""
    from tfx.types.standard_artifacts import Examples, ModelBlessing, ModelEvaluation

    from components.baseline_scorer.component import BaselineScorer
    from components.data_gate.verdict import DataVerdict, write_verdict
    from components.evaluator.component import Evaluator
    from components.evaluator.policy import EvaluationConfig
    from components.model_scorer.component import ModelScorer
    from components.model_scorer.explanations import Explanations
    from components.variant_example_gen.component import VariantExampleGen

    accepted = DataVerdict()
    accepted.uri = str(folder / "accepted")
    write_verdict(accepted, [])
    given_rows = {"data_verdict": [accepted], "challenges": [challenges]}
    models = {"model": [model], "baseline_model": [model]}
    scoring = {"batch_rows": 16, "explained_errors": len(ROWS), "behaviours": ""}
    made: dict[str, Any] = {"examples": examples}
    for component, source, inputs, properties, outputs in (
        (VariantExampleGen, "examples", given_rows, {}, {"variants": Examples}),
        (BaselineScorer, "variants", {}, {"max_train_rows": 150}, {"scored": Examples}),
        (ModelScorer, "scored", models, scoring, {"predictions": Examples, "explanations": Explanations}),
        (
            *(Evaluator, "predictions", {}, {"policy": EvaluationConfig().model_dump_json()}),
            {"evaluation": ModelEvaluation, "blessing": ModelBlessing},
        ),
    ):
        name = component.__name__
        for output, kind in outputs.items():
            made[output] = kind()
            made[output].uri = str(folder / output)
        given = {output: [made[output]] for output in outputs}
        executor = component.EXECUTOR_SPEC.executor_class
        run(executor, name, {"examples": [made[source]], **inputs}, given, properties, folder, beam_of(name))
    return made


def test_variants_their_scores_and_the_verdict_are_the_same(engine, in_memory, challenges, model, tmp_path):
    # A worker of the pool loads the model, and knows nothing of this process.
    here = {"ModelScorer": ()}
    given = in_memory.examples, challenges, model
    ours = evaluate(*given, tmp_path / "memory", lambda name: [])
    theirs = evaluate(*given, tmp_path / "engine", lambda name: flags(engine, name, *here.get(name, HERE)))

    for output in ("variants", "scored", "predictions"):
        assert files(ours[output].uri) == files(theirs[output].uri)
        before, after = (dict(artifact[output].mlmd_artifact.custom_properties) for artifact in (ours, theirs))
        assert before == after
    assert ours["variants"].get_int_custom_property("train_rows") > 100
    before, after = (keyed_rows(artifact["predictions"].uri) for artifact in (ours, theirs))
    assert before.keys() == after.keys() and len(before) > 500
    assert sum(split == "challenge" for split, *_ in before) == 80
    for key, row in before.items():
        assert without_scores(row) == without_scores(after[key])
        ours_here, theirs_here = ([scores[name] for name in SCORES if name in scores] for scores in (row, after[key]))
        assert np.allclose(ours_here, theirs_here, rtol=0, atol=1e-6), key
    # The order of errors that are equally sure hangs by the last bit.
    before, after = ({error["row"] for error in contents(made, "explanations")["errors"]} for made in (ours, theirs))
    assert before == after and len(before) > 10
    before, after = (rounded(contents(made, "evaluation", "verdict.json")) for made in (ours, theirs))
    assert before == after and before["thresholds"] and before["challenges"]


def contents(made: dict[str, Any], output: str, name: str = "explanations.json") -> dict[str, Any]:
    return json.loads(Path(made[output].uri, name).read_bytes())


SCORES = ("tfidf_cased", "tfidf_lower", "probability", "as_is_probability", "last_blessed")


def without_scores(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in SCORES}


def keyed_rows(uri: str) -> dict[tuple, dict[str, Any]]:
    rows = [row for folder in Path(uri).glob("Split-*") for row in read_rows(folder)]
    return {(row["split"], row["row"], row["variant"]): row for row in rows}


def test_scores_in_bulk_are_the_same(engine, model, tmp_path):
    import tfx.v1 as tfx

    from components.bulk_example_gen import BULK_SPLIT
    from components.bulk_example_gen.write import write_examples
    from components.bulk_inferrer.component import BulkInferrer, Executor
    from serving.client.bulk.files import file_digest

    texts = tmp_path / "texts.txt"
    texts.write_text("".join(f"{title}\n" for title, _ in ROWS), encoding="utf-8")
    examples = tfx.types.standard_artifacts.Examples()
    examples.uri, examples.split_names = str(tmp_path / "examples"), f'["{BULK_SPLIT}"]'
    write_examples(str(texts), "title", file_digest(str(texts)), f"{examples.uri}/Split-{BULK_SPLIT}")
    standard = tfx.types.standard_artifacts
    inputs = {"examples": [examples], "model": [model]}
    for name, kind in (("blessing", "ModelBlessing"), ("infra_blessing", "InfraBlessing")):
        blessing = getattr(standard, kind)()
        blessing.set_int_custom_property("blessed", 1)
        inputs[name] = [blessing]
    kinds = {name: type(artifacts[0]) for name, artifacts in inputs.items()}
    component = BulkInferrer(**{name: tfx.dsl.Channel(type=kind) for name, kind in kinds.items()})

    scores = []
    for place, beam in (("memory", []), ("engine", flags(engine, "BulkInferrer", *HERE))):
        scored = standard.Examples()
        scored.uri = str(tmp_path / place)
        outputs = {"output_examples": [scored]}
        run(Executor, "BulkInferrer", inputs, outputs, dict(component.exec_properties), tmp_path, beam)
        scores.append(read_scores(f"{scored.uri}/Split-{BULK_SPLIT}"))

    assert scores[0].keys() == scores[1].keys() == set(range(len(ROWS)))
    assert len({*scores[0].values()}) > 10
    assert np.allclose(*([by_row[row] for row in range(len(ROWS))] for by_row in scores), rtol=0, atol=1e-6)


def read_scores(folder: str) -> dict[int, float]:
    import tensorflow as tf

    paths = [str(Path(folder, name)) for name in files(folder)]
    found = {}
    for record in tf.data.TFRecordDataset(paths, compression_type="GZIP").as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        found[feature["row"].int64_list.value[0]] = feature["probability"].float_list.value[0]
    return found


# ---- A job of ours


def sleep(_):
    time.sleep(600)


def watched(beam: list[str], name: str, step=sleep):
    from apache_beam import Create, Map
    from apache_beam.options.pipeline_options import PipelineOptions

    from components.beam_jobs import WatchedPipeline

    with WatchedPipeline(options=PipelineOptions([*beam, f"--job_name={name}"])) as pipeline:
        _ = pipeline | Create([0]) | Map(step)


def test_a_job_that_does_not_move_is_cancelled(engine):
    from components.beam_jobs import BeamJobError, running_jobs

    with pytest.raises(BeamJobError) as caught:
        watched(flags(engine, "DataGate", "beam.stall_minutes=0.05"), "clickbait-test-stalled")
    code, message = describe_failure(caught.value)
    assert code == 1
    assert message.startswith("A Beam job must move. Received: clickbait-test-stalled, nothing for 0.05 minutes.")
    assert "`clickbait doctor --beam` tries the engine" in message
    assert running_jobs(engine.job_endpoint, None) == []


def test_a_step_that_raises_is_named(engine):
    def step(_):
        raise ValueError("a row is bad")

    with pytest.raises(RuntimeError) as caught:
        watched(flags(engine, "DataGate"), "clickbait-test-raises", step)
    assert "ValueError: a row is bad" in describe_failure(caught.value)[1]


def test_a_stopped_client_cancels_its_job(engine):
    from components.beam_jobs import running_jobs

    beam = [*flags(engine, "DataGate")]
    call = "import sys, tests.components.test_on_an_engine as us; us.watched(sys.argv[1:], 'clickbait-test-stopped')"
    client = subprocess.Popen([sys.executable, "-c", call, *beam], cwd=Path(__file__).parents[2])
    try:
        end = time.monotonic() + 120
        while not (jobs := running_jobs(engine.job_endpoint, None)) and time.monotonic() < end:
            time.sleep(0.5)
        assert [job.name for job in jobs] == ["clickbait-test-stopped"]
        time.sleep(1)  # it watches
        client.terminate()
        assert client.wait(60) == -signal.SIGTERM
    finally:
        client.kill()
    assert running_jobs(engine.job_endpoint, None) == []


def test_the_doctor_finds_the_engine_well(engine, tmp_path):
    from pipeline.engine import check_engine

    findings = [*check_engine(load_config(overrides=[*engine.overrides, f"output={tmp_path}"], environ={}))]
    assert [finding.name for finding in findings] == ["job server", "workers", "versions", "folders"]
    assert not any(finding.way_out for finding in findings), findings
    assert [*tmp_path.iterdir()] == []


# ---- What ends an engine


def explained(beam: list[str], step, started=lambda: None) -> tuple[int, str, float]:
    """Exit code, message and seconds of a job that fails, from when `started` has returned."""
    import apache_beam
    from apache_beam.options.pipeline_options import PipelineOptions

    failed = []

    def submit() -> None:
        try:
            with apache_beam.Pipeline(options=PipelineOptions(beam)) as pipeline:
                _ = pipeline | apache_beam.Create([0]) | apache_beam.Map(step)
        except Exception as error:
            failed.append(error)

    job = threading.Thread(target=submit, daemon=True)
    job.start()
    started()
    began = time.monotonic()
    job.join(60)
    assert failed, "the job hangs, or has not failed"
    return (*describe_failure(failed[0]), time.monotonic() - began)


def test_no_worker_pool_is_said_at_once(tmp_path):
    port = free_port()
    with local_engine(tmp_path) as engine:
        beam = flags(engine, "DataGate", f"beam.environment_config=localhost:{port}")
        code, message, seconds = explained(beam, print)
    assert code == 1 and seconds < 30
    assert message.startswith("Beam's engine must reach its workers. Received: ")
    assert f":{port}" in message and "Start the worker pool, or correct beam.environment_config." in message


@pytest.mark.parametrize(
    ("victim", "timeout", "expected"),
    [
        # Beam's local service never notices; the clock of its client does.
        ("worker_pool", 10, "A Beam job must end within its time. Received: no end; its workers may be gone"),
        ("job_service", 300, "Beam's job server must answer until a job ends. Received: "),
    ],
)
def test_what_dies_in_a_job_is_said_in_bounded_time(tmp_path, victim, timeout, expected):
    begun = str(tmp_path / "begun")

    def last(_):
        Path(begun).touch()
        time.sleep(600)

    def kill() -> None:
        end = time.monotonic() + 50
        while not Path(begun).exists():
            assert time.monotonic() < end, "the job does not begin"
            time.sleep(0.1)
        stop(getattr(engine.processes, victim))

    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(local_engine(tmp_path))
        beam = flags(engine, "DataGate", f"beam.options={{job_server_timeout: {timeout}}}")
        code, message, seconds = explained(beam, last, kill)
    assert code == 1 and seconds < 30
    assert message.startswith(expected)
    assert "Then run again: what is finished comes from the cache" in message
