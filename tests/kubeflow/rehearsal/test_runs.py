"""Whole rehearsals of the compiled pipeline: they end as local runs end, over plain files and over S3."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kubeflow.rehearsal import processes
from kubeflow.rehearsal.driver import LOGS
from kubeflow.rehearsal.executions import Executions
from kubeflow.rehearsal.run import Options, rehearse
from kubeflow.rehearsal.values import as_stored
from kubeflow.spec.messages import iterate_artifacts
from kubeflow.spec.pipeline_spec import write_spec
from pipeline.config.paths import SAMPLE_FILE
from pipeline.config.pipeline_config import PipelineConfig, load_config
from pipeline.results.run_folders import read_run
from serving.versions.version_folder import list_versions, read_card
from tests.helpers.forkserver import forkserver
from tests.helpers.object_stores import s3_server

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_server")]

PATIENCE = 300
RECORDED = Path(__file__).parents[1] / "container" / "recorded"
RULE = ("rule", "split", "slice", "metric", "against", "direction", "gates", "outcome")
CACHED_AGAIN = {
    "HeadlineExampleGen",
    "ImportSchemaGen",
    "StatisticsGen",
    "ExampleValidator",
    "DataGate",
    "Trainer",
    "VariantExampleGen",
    "BaselineScorer",
}


@pytest.fixture(scope="module", autouse=True)
def _one_forkserver():
    forkserver()


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("rehearsals")


@pytest.fixture(scope="module")
def configure(place, tiny_encoder):
    """Makes the configuration of runs in an output of that name, on data that may be changed."""
    (place / "headlines.csv").write_bytes(SAMPLE_FILE.read_bytes())

    def configure(output: str, *overrides: str) -> PipelineConfig:
        flags = {
            "data.path": place / "headlines.csv",
            "encoder.source": tiny_encoder,
            "training.casing": "as_is",  # the quickest to build
            "output": place / output,
        }
        quick = ["infra.golden_rows=2", "kubeflow.backoff_seconds=0"]
        return load_config("smoke", overrides=[*quick, *overrides], flags=flags, environ={})

    return configure


@pytest.fixture(scope="module")
def compiled(configure, place):
    """Compiles the pipeline with overrides, and returns the file."""

    def compiled(name: str, *overrides: str) -> Path:
        path = place / f"{name}.yaml"
        write_spec(processes.call_forked("kubeflow.compiler.compile_pipeline", configure("any", *overrides)), path)
        return path

    return compiled


@pytest.fixture(scope="module")
def spec(compiled) -> Path:
    return compiled("spec")


@pytest.fixture(scope="module")
def first_rehearsal(configure, spec, place) -> tuple[dict[str, Any], dict[str, dict]]:
    """The verdict of the first rehearsal in `output`, and its artifacts, by task."""
    assert rehearse(configure("output"), spec) == 0
    return read_run(place / "output"), executions(place / "output")


@pytest.fixture(scope="module")
def first(first_rehearsal) -> dict[str, Any]:
    """The verdict of the first rehearsal in `output`."""
    return first_rehearsal[0]


@pytest.fixture(scope="module")
def artifacts(first_rehearsal) -> dict[str, dict]:
    """What the first rehearsal in `output` made, by task."""
    return first_rehearsal[1]


@pytest.fixture(scope="module")
def local(configure) -> dict[str, Any]:
    """The verdict of a local run of the same."""
    assert processes.call_forked("pipeline.running.local_runner.run_pipeline", configure("local")) == 0
    return read_run(configure("local").output)


def statuses(verdict: dict[str, Any]) -> dict[str, str]:
    return {task: one.status for task, one in verdict.components.items()}


def with_status(verdict: dict[str, Any], status: str) -> set[str]:
    return {task for task, one in statuses(verdict).items() if one == status}


def executions(output: Path) -> dict[str, dict]:
    """The artifacts of the newest run, by task."""
    return {one.task: one.artifacts for one in Executions(output / "rehearsal" / "executions")._known}


def test_a_rehearsal_ends_as_the_local_run_does(first, local, place):
    assert first.status == local.status == "pushed"
    for key in ("rows", "ingest", "gate", "blessed", "reason", "baseline_version"):
        assert getattr(first, key) == getattr(local, key), key
    both = zip(first.thresholds, local.thresholds, strict=True)
    for one, other in both:
        assert one.observed == pytest.approx(other.observed, abs=0.02)
        assert [getattr(one, key) for key in RULE] == [getattr(other, key) for key in RULE]
    assert {*first.evaluation.contenders} == {*local.evaluation.contenders} == {"tfidf_cased", "tfidf_lower"}
    assert first.training.settings["epochs"] == local.training.settings["epochs"]
    assert [one.rule for one in first.infra.findings] == [one.rule for one in local.infra.findings]
    (version,) = list_versions(place / "output" / "serving" / "clickbait")
    assert version == first.pushed.version
    assert read_card(place / "output" / "serving" / "clickbait", version).run_id == first.run_id
    assert Path(first.folder, "rejects.csv").is_file()


def test_every_task_ran_once_each_with_a_log_of_its_own(first):
    assert with_status(first, "done") == {*statuses(first)}
    assert len(statuses(first)) == 16
    logs = {log.stem: log.read_text(encoding="utf-8", errors="replace") for log in Path(first.folder).glob("tasks/*")}
    assert {*logs} == {*statuses(first)}
    assert "Starting executor" in logs["Trainer"] or "epoch 1/1" in logs["Trainer"]
    assert "pure virtual method" not in "".join(logs.values())


def test_the_page_of_the_run_has_metrics_the_confusion_matrix_and_the_report(first, artifacts, place):
    (metrics,), (matrix,), (report,) = (
        artifacts["RunReport"][key] for key in ("metrics", "confusion_matrix", "report")
    )
    overall = [one for one in first.thresholds if one.against == "bound" and not one.slice]
    observed = {f"{one.split} {one.metric}": one.observed for one in overall}
    for name, value in observed.items():
        assert metrics["metadata"][name] == pytest.approx(value)
    rows = [row["row"] for row in matrix["metadata"]["confusionMatrix"]["struct"]["rows"]]
    assert sum(map(sum, rows)) == first.rows["eval"].rows
    assert sum(rows[1]) == first.rows["eval"].clickbait
    assert (rows[0][0] + rows[1][1]) / sum(map(sum, rows)) == pytest.approx(observed["eval binary_accuracy"])
    page = place / "output" / "rehearsal" / "store" / report["uri"].replace("://", "/")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    for section in ("variants", "rules", "quality", "errors", "data", "training", "serving", "lineage"):
        assert f'<h2 id="{section}">' in text
    assert f"clickbait run <code>{first.run_id}</code>" in text
    assert 'id="changes"' not in text  # no task knows the runs before
    assert "/pods/" not in text


def test_artifacts_have_the_uris_of_the_store_wherever_containers_saw_them(artifacts):
    text = json.dumps(artifacts)
    assert "minio://mlpipeline/v2/artifacts/clickbait/" in text
    assert "/pods/" not in text


def test_tasks_write_what_the_real_launcher_read_of_them(artifacts):
    if not (RECORDED / "job.json").exists():
        pytest.skip("recorded/job.json is not there: the job of the recorded runs")
    for path in (RECORDED / "outputs" / "2.17.0").glob("*.json"):
        real = dict(iterate_artifacts(json.loads(path.read_text(encoding="utf-8"))))
        ours = {key: entry[0] for key, entry in artifacts[path.stem].items() if key != LOGS}
        written, read = ({key: kinds(artifact) for key, artifact in side.items()} for side in (ours, real))
        if "metrics" in written:  # there are more of them since, by names as those
            metrics, recorded = written.pop("metrics"), read.pop("metrics")
            assert recorded.items() <= metrics.items()
            assert {*metrics.values()} == {float}
        assert written == read, path


def kinds(artifact: dict) -> dict[str, type]:
    """The names of its metadata and the kinds of their values, but of what the launcher adds itself."""
    added = ("display_name", "store_session_info")
    kept = {name: as_stored(value) for name, value in artifact.get("metadata", {}).items() if name not in added}
    return {name: float if isinstance(value, int) else type(value) for name, value in kept.items()}


def test_an_unchanged_rerun_takes_from_the_cache_what_the_world_has_no_part_in(configure, spec, first, place):
    assert rehearse(configure("output"), spec) == 0
    verdict = read_run(place / "output")
    assert verdict.status == "unchanged"
    assert with_status(verdict, "cached") == CACHED_AGAIN
    assert list_versions(place / "output" / "serving" / "clickbait") == [first.pushed.version]


def test_a_model_that_is_not_blessed_ends_with_exit_code_4_and_no_push(configure, spec, first, place, capfd):
    assert rehearse(configure("output"), spec, ["min_eval_accuracy=1.0", "min_eval_auc=1.0"]) == 4
    verdict = read_run(place / "output")
    assert (verdict.status, verdict.blessed, verdict.pushed) == ("not blessed", False, None)
    assert verdict.reason.startswith("failed rules: eval ")
    assert statuses(verdict)["Verdict"] == "failed"
    assert list_versions(place / "output" / "serving" / "clickbait") == [first.pushed.version]
    assert "failed rules" in capfd.readouterr().out


def test_a_model_that_is_not_fit_to_be_served_ends_with_exit_code_5_and_no_push(configure, compiled, first, place):
    assert rehearse(configure("output"), compiled("small", "infra.max_memory_gb=0.001")) == 5
    verdict = read_run(place / "output")
    assert verdict.status == "infra not blessed"
    assert "memory" in verdict.reason
    assert list_versions(place / "output" / "serving" / "clickbait") == [first.pushed.version]


def test_changed_content_at_the_same_path_runs_again_and_refused_data_ends_with_exit_code_3(
    configure, spec, first, place, capfd
):
    before = (place / "headlines.csv").read_bytes()
    with (place / "headlines.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.reader(stream) if row[1] in ("label", "1")]
    try:
        with (place / "headlines.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(rows[:400])
        assert rehearse(configure("output"), spec) == 3
    finally:
        (place / "headlines.csv").write_bytes(before)
    verdict = read_run(place / "output")
    assert statuses(verdict)["HeadlineExampleGen"] == "done"
    assert statuses(verdict)["DataGate"] == "refused"
    assert not {"Trainer", "VersionedPusher"} & {*statuses(verdict)}
    assert (verdict.status, verdict.gate.accepted) == ("refused", False)
    broken = {(one.rule, one.where) for one in verdict.gate.findings if one.outcome == "fail"}
    assert {("classes", "train"), ("classes", "eval")} <= broken
    assert verdict.ingest.read == 399
    assert list_versions(place / "output" / "serving" / "clickbait") == [first.pushed.version]
    shown = capfd.readouterr().err
    assert "classes, eval: expected both classes" in shown
    assert "Traceback" not in shown


@pytest.fixture(scope="module")
def bucket():
    """A bucket of an S3 server on this machine; returns its address."""
    with s3_server() as address:
        yield address


def kill_in_the_trainer(place: Path, *arguments: Any) -> None:
    """Starts the command and kills it as soon as the Trainer is at work."""
    call = [sys.executable, "-m", "pipeline", "kubeflow", "rehearse", *arguments]
    with (place / "killed.txt").open("wb") as shown:
        command = subprocess.Popen([*map(str, call)], stdout=shown, stderr=shown)
    (output,) = (arguments[at + 1] for at, one in enumerate(arguments) if one == "--output")
    began, pod = time.monotonic(), output / "rehearsal" / "pods" / "Trainer"
    while not pod.exists() and command.poll() is None and time.monotonic() - began < PATIENCE:
        time.sleep(0.05)
    command.kill()
    assert command.wait() == -signal.SIGKILL, (place / "killed.txt").read_text()


def test_over_s3_all_lies_in_the_bucket_and_what_was_killed_in_the_trainer_goes_on_from_there(
    configure, spec, place, bucket
):
    import s3fs

    files = s3fs.S3FileSystem(endpoint_url=bucket)
    files.put_file(str(place / "headlines.csv"), "bucket/in/headlines.csv")
    parameters = ["data=s3://bucket/in/headlines.csv", "accepted_data=s3://bucket/accepted"]
    options = Options(store="s3://bucket/artifacts", endpoint=bucket)
    (place / "config.yaml").write_text(configure("s3").to_yaml(), encoding="utf-8")
    said = [f"--parameter={parameter}" for parameter in parameters]
    where = ["--output", place / "s3", "--store", options.store, "--endpoint", bucket]
    kill_in_the_trainer(place, "--spec", spec, "--config", place / "config.yaml", *where, *said)
    assert rehearse(configure("s3"), spec, parameters, options) == 0
    verdict = read_run(place / "s3")
    after = {"Trainer", "VariantExampleGen", "BaselineScorer"}
    assert verdict.status == "pushed"
    assert with_status(verdict, "kept") == CACHED_AGAIN - after | {"NewestVersion", "LatestBlessedModel"}
    assert with_status(verdict, "kept") | with_status(verdict, "done") == {*statuses(verdict)}
    assert verdict.pushed.path == f"s3://bucket/artifacts/serving/clickbait/{verdict.pushed.version}"
    files.invalidate_cache()
    assert {int(one.rpartition("/")[2]) for one in files.ls("bucket/artifacts/serving/clickbait")} == {
        verdict.pushed.version
    }
    assert files.exists(f"{verdict.pushed.path}/saved_model.pb")
    assert files.exists("bucket/accepted/1/card.json")
    (run,) = files.ls("bucket/artifacts/clickbait")
    assert files.find(f"{run}/Trainer")
    assert not (place / "s3" / "rehearsal" / "store").exists()

    # Once more: the version there is the baseline, and the model is that very one.
    assert rehearse(configure("s3"), spec, parameters, options) == 0
    again = read_run(place / "s3")
    assert (again.status, again.baseline_version) == ("unchanged", str(verdict.pushed.version))
    assert with_status(again, "cached") == CACHED_AGAIN


def test_after_the_root_has_moved_what_the_cache_gives_out_cannot_be_opened(configure, spec, first, place, bucket):
    options = Options(store="s3://bucket/moved", endpoint=bucket)
    assert rehearse(configure("output"), spec, options=options) == 1
    verdict = read_run(place / "output")
    assert (verdict.status, statuses(verdict)["Trainer"]) == ("failed", "cached")
    assert "the launcher failed: An input must lie in the bucket of the pipeline root" in verdict.reason
