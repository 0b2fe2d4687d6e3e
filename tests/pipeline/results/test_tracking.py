"""Runs in MLflow: a real server on this machine, which is stopped in the end, and stores without a server."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.config.pipeline_config import load_config
from pipeline.config.reference import describe_config
from pipeline.results import tracking
from pipeline.results.run_folders import CONFIG_FILE, MODEL_CARD_FILE, REPORT_FILE
from pipeline.results.tracking import CHAMPION, Tracker, TrackingError, metrics_of, require_tracker
from pipeline.results.verdict import VERDICT_FILE, Cause, Pushed, Tracked, Verdict, read_verdict
from serving.versions.push import push_model
from serving.versions.version_folder import parse_card
from tests.helpers.encoders import write_shell
from tests.helpers.reports import a_report_run
from tests.helpers.verdicts import a_verdict, write_run

pytestmark = pytest.mark.slow

NAME = re.compile(r"[\w.\-: /]+")
"""What MLflow takes as the name of a metric."""


@pytest.fixture(scope="module", autouse=True)
def _environment() -> Iterator[None]:
    """The tracker sets variables of MLflow; they are gone with this module."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in tracking._ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


class Server(NamedTuple):
    """An MLflow server of one worker."""

    uri: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Ends it with its worker."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(timeout=60)


@pytest.fixture(scope="module", autouse=True)
def starting(tmp_path_factory, _environment) -> Iterator[Server]:
    """Starts it at once: the tests of stores run while it imports what it needs."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # As `mlflow server --workers 1` starts it, without the nine seconds of CPU time of its own imports.
    settings = {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/mlflow.db",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port), "mlflow.server.fastapi_app:app"],
        cwd=folder,
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    started = Server(f"http://127.0.0.1:{port}", process)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def server(starting) -> Server:
    while not _is_healthy(starting.uri):
        assert starting.process.poll() is None
        time.sleep(0.2)
    return starting


def _is_healthy(uri: str) -> bool:
    try:
        return requests.get(f"{uri}/health", timeout=5).ok
    except requests.RequestException:
        return False


class Story(NamedTuple):
    """What the tracker holds after the runs, and what came of those without it."""

    runs: dict[str, Any]
    """MLflow's runs, by the project's id."""
    artifacts: dict[str, list[str]]
    losses: list[tuple[int, float]]
    """Steps and values of the first run."""
    champions: list[str]
    """MLflow's version after each run and after the rollback."""
    registered: dict[str, dict[str, str]]
    """Tags, by MLflow's version."""
    rollback: str
    """What the command printed."""
    opened: dict[str, Verdict]
    """The verdicts when the runs had begun."""
    ended: dict[str, Verdict]
    rollback_without: str
    """What the command printed when the server was stopped."""


def a_config(output: Path, uri: str, *overrides: str):
    flags = {"output": output, "tracking.mlflow_uri": uri}
    given = ["training.learning_rate=0.001", "tracking.max_seconds=300", *overrides]  # of a busy machine, too
    return load_config("smoke", overrides=given, flags=flags, environ={})


def a_run(output: Path, run_id: str, weights: str = "", **changes: Any) -> tuple[Path, Verdict]:
    """Lays a finished run into the output; with weights, their model is pushed."""
    serving = output / "serving" / "clickbait"
    pushed = None
    if weights:
        model = write_shell(output / "models" / weights)
        (model / "variables" / "variables.data-00000-of-00001").write_text(weights)
        version = push_model(model, serving, run_id=run_id, fingerprint=weights, keep_versions=5).version
        pushed = Pushed(version, str(serving / str(version)), new=True)
    verdict, _ = a_report_run(run_id=run_id, elsewhere=True, **changes)
    verdict = replace(verdict, pushed=pushed)
    folder = write_run(output, verdict)
    for name in (CONFIG_FILE, REPORT_FILE, MODEL_CARD_FILE):
        (folder / name).write_text("{}", encoding="utf-8")
    return folder, verdict


@pytest.fixture(scope="module")
def story(server, tmp_path_factory) -> Story:
    """The runs one after the other; during the last but one the server is stopped."""
    from mlflow import MlflowClient

    output = tmp_path_factory.mktemp("output")
    tracker, client = Tracker(a_config(output, server.uri)), MlflowClient(server.uri, server.uri)
    opened, ended, champions = {}, {}, []

    def roll_back() -> str:
        called = CliRunner().invoke(main, ["rollback", "--output", str(output)])
        assert called.exit_code == 0, called.output
        return called.output

    def run(run_id: str, weights: str = "", *, stopped: bool = False, **changes: Any) -> None:
        folder, verdict = a_run(output, run_id, weights, **changes)
        opened[run_id] = tracker.begin(verdict)
        if stopped:
            server.stop()
        ended[run_id] = tracker.end(opened[run_id], folder)
        assert read_verdict(folder).tracked == ended[run_id].tracked
        if not stopped and server.process.poll() is None:
            champions.append(client.get_model_version_by_alias("clickbait", CHAMPION).version)

    run("first", "a")
    run("not-blessed", status="not blessed", exit_code=4, blessed=False, cause=Cause("overfitted", "much", "less"))
    run("second", "b")
    rolled_back = roll_back()
    champions.append(client.get_model_version_by_alias("clickbait", CHAMPION).version)
    run("refused", status="refused", exit_code=3, reason="too few rows", training=None, evaluation=None, thresholds=[])
    run("interrupted", status="interrupted", exit_code=130)
    experiment = client.get_experiment_by_name("clickbait")
    runs = {known.info.run_name: known for known in client.search_runs([experiment.experiment_id])}
    artifacts = {name: [file.path for file in client.list_artifacts(known.info.run_id)] for name, known in runs.items()}
    losses = [(point.step, point.value) for point in client.get_metric_history(runs["first"].info.run_id, "val_loss")]
    registered = {known.version: known.tags for known in client.search_model_versions("name='clickbait'")}
    run("half", "c", stopped=True)
    run("without")
    return Story(runs, artifacts, losses, champions, registered, rolled_back, opened, ended, roll_back())


@pytest.mark.parametrize("scheme", ["sqlite:///", "file:"])
def test_a_store_needs_no_server(tmp_path, monkeypatch, scheme):
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    uri = f"{scheme}{tmp_path}/store"
    folder, verdict = a_run(tmp_path / "output", "first", "a")
    tracker = Tracker(a_config(tmp_path / "output", uri))
    verdict = tracker.end(tracker.begin(verdict), folder)
    assert not verdict.tracked.problem
    client = MlflowClient(uri, uri)
    assert client.get_model_version_by_alias("clickbait", CHAMPION).run_id == verdict.tracked.run
    assert REPORT_FILE in [file.path for file in client.list_artifacts(verdict.tracked.run)]
    (card,) = client.list_artifacts(verdict.tracked.run, "pushed")
    assert parse_card(Path(client.download_artifacts(verdict.tracked.run, card.path)).read_bytes()).run_id == "first"
    assert not (tmp_path / "mlruns").exists()


def test_the_settings_are_parameters_by_their_dotted_names(story, server):
    parameters = story.runs["first"].data.params
    config = a_config(Path("output"), server.uri)
    assert {"preset", *(setting.key for setting in describe_config(config))} == {*parameters}
    assert (parameters["training.learning_rate"], parameters["preset"]) == ("0.001", "smoke")
    assert parameters["tracking.mlflow_uri"] == server.uri


def test_the_figures_of_the_verdict_are_metrics_and_the_curves_have_steps(story):
    metrics, verdict = story.runs["first"].data.metrics, story.ended["first"]
    assert metrics == pytest.approx({**metrics_of(verdict), **dict.fromkeys(verdict.training.epochs, 0.75)})
    assert story.losses == [(1, 0.5), (2, 0.75)]


def test_report_card_verdict_and_settings_are_artifacts(story):
    files = {REPORT_FILE, MODEL_CARD_FILE, VERDICT_FILE, CONFIG_FILE}
    assert {*story.artifacts["first"]} == {*files, "pushed"}
    assert {*story.artifacts["not-blessed"]} == files


def test_the_data_is_a_dataset_by_its_digest(story):
    (logged,) = story.runs["first"].inputs.dataset_inputs
    sha256 = story.ended["first"].data.sha256
    assert (logged.dataset.name, logged.dataset.digest) == ("headlines.csv", sha256.removeprefix("sha256:")[:36])
    assert sha256 in logged.dataset.source
    assert story.runs["first"].data.tags["data.sha256"] == sha256


@pytest.mark.parametrize(
    ("run", "status", "tags"),
    [
        ("first", "FINISHED", {"status": "pushed", "blessed": "true", "exit_code": "0"}),
        ("not-blessed", "FAILED", {"status": "not blessed", "blessed": "false", "cause.name": "overfitted"}),
        ("refused", "FAILED", {"status": "refused", "exit_code": "3", "reason": "too few rows"}),
        ("interrupted", "KILLED", {"status": "interrupted", "exit_code": "130"}),
    ],
)
def test_the_outcome_is_in_status_and_tags(story, run, status, tags):
    assert story.runs[run].info.status == status
    assert tags.items() <= story.runs[run].data.tags.items()
    assert story.ended[run].tracked.run == story.runs[run].info.run_id
    assert not story.ended[run].tracked.problem


def test_the_alias_follows_push_and_rollback_and_no_other_run_moves_it(story):
    first, not_blessed, second, rollback, *others = story.champions
    assert (first, not_blessed, second, rollback, others) == ("1", "1", "2", "1", ["1", "1"])
    assert re.search(rf"{CHAMPION} in http://\S+ is version 1 of clickbait\n", story.rollback)
    newest = re.search(r"version (\d+) is a copy of", story.rollback)[1]
    assert {tags["run_id"]: tags["version"] for tags in story.registered.values()} == {
        "first": newest,
        "second": str(story.ended["second"].pushed.version),
    }


def test_a_server_that_stops_in_the_middle_or_is_not_there_is_named_and_raises_nothing(story, server):
    assert story.opened["half"].tracked.run and not story.opened["half"].tracked.problem
    assert story.ended["half"].tracked == Tracked(server.uri, story.opened["half"].tracked.run, "Connection refused")
    assert story.ended["without"].tracked == Tracked(server.uri, None, "Connection refused")
    assert f"warning: {CHAMPION} is not moved in {server.uri}: Connection refused\n" in story.rollback_without


def test_a_server_that_does_not_answer_costs_the_seconds_that_it_may(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        tracker = Tracker(a_config(tmp_path, uri, "tracking.max_seconds=0.5"))
        began = time.monotonic()
        verdict = tracker.begin(a_verdict())
        assert verdict.tracked == Tracked(uri, None, "no answer within 0.5 s")
        assert time.monotonic() - began < tracking.TrackingConfig().max_seconds


def test_without_the_package_a_run_is_refused_with_the_way_to_install_it(answer, monkeypatch, tmp_path):
    monkeypatch.setattr(tracking.importlib.util, "find_spec", lambda name: None)
    refused = answer("run", "--set", "tracking.mlflow_uri=http://localhost:5000")
    assert refused.returncode == 2
    assert "pip install 'clickbait-tfx[mlflow]'" in refused.stderr
    assert not (tmp_path / "output").exists()
    with pytest.raises(TrackingError, match="must have the package mlflow"):
        require_tracker(a_config(tmp_path, "file:store").tracking)


def test_an_address_of_another_kind_is_refused(answer):
    refused = answer("run", "--set", "tracking.mlflow_uri=postgresql://host/db")
    assert refused.returncode == 2
    assert "tracking.mlflow_uri (--set): must be" in refused.stderr


def test_the_metrics_are_numbers_by_names_that_mlflow_takes():
    verdict, _ = a_report_run(elsewhere=True)
    metrics = metrics_of(verdict)
    assert all(isinstance(value, float) and NAME.fullmatch(name) for name, value in metrics.items())
    expected = {"eval binary_accuracy", "train binary_accuracy", "eval auc", "eval lower binary_accuracy", "eval rows"}
    assert expected <= metrics.keys()
    assert f"challenge {verdict.challenges[0].name} auc" in metrics
    assert metrics_of(a_verdict(schema_version=1))["eval binary_accuracy"] == 0.99
