"""Monitoring against a real run: its artifacts, its model, and logs as servers write them."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.config.paths import SAMPLE_FILE, OutputPaths
from pipeline.config.pipeline_config import PipelineConfig, load_config
from pipeline.monitoring.monitor import judge_logs, open_logs
from pipeline.monitoring.served_version import MonitorError
from pipeline.running.local_runner import run_pipeline
from serving.versions import version_folder
from tests.helpers.request_logs import an_entry, write_log

pytestmark = pytest.mark.slow

ROWS_PER_CALL = 50


@pytest.fixture(scope="module")
def config(tmp_path_factory, tiny_encoder, quick_server) -> PipelineConfig:
    """Of a run that pushed a version of the sample."""
    flags = {
        "data.path": SAMPLE_FILE,
        "encoder.source": tiny_encoder,
        "output": tmp_path_factory.mktemp("output"),
    }
    overrides = [
        "data.limit_rows=null",
        "training.epochs=10",
        "training.learning_rate=0.05",
        "training.casing=as_is",  # the quickest to build
        "monitor.min_compared_rows=300",
    ]
    found = load_config("smoke", overrides=overrides, flags=flags, environ={})
    assert run_pipeline(found) == 0
    return found


@pytest.fixture(scope="module")
def paths(config) -> OutputPaths:
    return OutputPaths.of(config)


@pytest.fixture(scope="module")
def version(paths) -> int:
    return version_folder.list_versions(paths.serving_model)[-1]


@pytest.fixture(scope="module")
def rows() -> list[tuple[str, str]]:
    with SAMPLE_FILE.open(encoding="utf-8", newline="") as stream:
        found = [(row["title"], row["label"]) for row in csv.DictReader(stream)]
    random.Random(5).shuffle(found)
    return found


@pytest.fixture(scope="module")
def serve(paths, version):
    """Scores texts by the pushed version, and writes the log of it."""
    from serving.protocol.tensors import string_tensor
    from serving.server.servable import Servable

    model = Servable("clickbait", version, paths.serving_model / str(version))
    signature = model.signatures["serving_default"]

    def scores_of(texts):
        feeds = {"title": string_tensor(text.encode() for text in texts)}
        (found,) = model.run(feeds, signature.inputs, [signature.outputs["probability"].name])
        return found.ravel().tolist()

    def write(path: Path, texts, *, named: int | None = version, at: float | None = None) -> Path:
        calls = [texts[start : start + ROWS_PER_CALL] for start in range(0, len(texts), ROWS_PER_CALL)]
        entries = [
            an_entry(call, scores_of(call), examples=number % 2 == 1, version=named, time=int(at or time.time()))
            for number, call in enumerate(calls)
        ]
        return write_log(path, entries)

    yield write
    model.close()


def judge(config: PipelineConfig, *places, **choice) -> dict:
    return judge_logs(config, open_logs(config, [str(place) for place in places], **choice))


def broken(report) -> set[tuple[str, str]]:
    return {(finding.rule, finding.where) for finding in report.findings if finding.outcome == "fail"}


def test_traffic_drawn_from_the_sample_is_fine(config, version, rows, serve, tmp_path):
    serve(tmp_path / "log" / "1.tfrecord", [title for title, _ in rows[:400]])
    serve(tmp_path / "log" / "2.tfrecord", [title for title, _ in rows[400:600]])
    report = judge(config, tmp_path / "log")
    assert (report.status, report.exit_code, broken(report)) == ("fine", 0, set())
    assert (report.version, report.logs.rows, report.logs.requests) == (version, 600, 12)
    judged = {(finding.rule, finding.where) for finding in report.findings if finding.outcome == "kept"}
    titles = {("skew", f"title_{what}") for what in ("length", "words", "casing")}
    assert judged == titles | {("scores", "probability")}


def test_traffic_without_capitals_has_drifted(config, rows, serve, tmp_path):
    path = serve(tmp_path / "1.tfrecord", [title.lower() for title, _ in rows[:600]])
    report = judge(config, path)
    assert (report.status, report.exit_code) == ("drifted", 3)
    assert ("skew", "title_casing") in broken(report)
    assert "skew of title_casing" in report.reason


def test_a_flood_of_clickbait_has_drifted_by_its_scores(config, rows, serve, tmp_path):
    path = serve(tmp_path / "1.tfrecord", [title for title, label in rows if label == "1"][:600])
    report = judge(config, path)
    assert report.exit_code == 3
    assert ("scores", "probability") in broken(report)
    off = config.model_copy(update={"monitor": config.monitor.model_copy(update={"scores": "warn", "skew": "off"})})
    assert judge(off, path).exit_code == 0


def test_since_divides_what_is_judged_from_what_was_before(config, rows, serve, tmp_path):
    serve(tmp_path / "1.tfrecord", [title.upper() for title, _ in rows[:500]], at=1_000_000)
    serve(tmp_path / "2.tfrecord", [title for title, _ in rows[500:1000]], at=2_000_000)
    report = judge(config, tmp_path, since=1_500_000)
    assert (report.status, report.logs.rows, report.logs.earlier_rows) == ("fine", 500, 500)
    assert ("drift", "title_casing", "warn") in {
        (finding.rule, finding.where, finding.outcome) for finding in report.findings
    }


def test_too_few_are_not_judged(config, rows, serve, tmp_path):
    report = judge(config, serve(tmp_path / "1.tfrecord", [title.lower() for title, _ in rows[:100]]))
    assert (report.status, report.exit_code) == ("not judged", 0)
    assert report.reason == "expected >= 300 rows, observed 100 rows"


def test_a_torn_file_is_judged_by_what_is_whole(config, rows, serve, tmp_path):
    path = serve(tmp_path / "1.tfrecord", [title for title, _ in rows[:600]])
    path.write_bytes(path.read_bytes()[:-10])
    report = judge(config, path)
    assert (report.status, report.logs.rows) == ("fine", 550)
    assert report.logs.faults == {str(path): "the file ends within a record"}


def test_requests_that_name_no_version_count_for_the_one_that_is_asked_for(config, version, rows, serve, tmp_path):
    path = serve(tmp_path / "1.tfrecord", [title for title, _ in rows[:600]], named=None)
    with pytest.raises(MonitorError, match="Received: version not named"):
        judge(config, path)
    assert judge(config, path, version=version).status == "fine"


def test_the_evaluation_split_is_scored_once(config, paths, rows, serve, tmp_path, monkeypatch):
    from pipeline.monitoring import reference

    path = serve(tmp_path / "1.tfrecord", [title for title, _ in rows[:600]])
    first = judge(config, path)
    monkeypatch.setattr(reference, "_score", lambda *arguments: pytest.fail("scored again"))
    assert judge(config, path).findings == first.findings
    (kept,) = (paths.monitor / "reference").glob("*.json")
    known = json.loads(kept.read_text())
    verdict = json.loads(next(paths.runs.glob("*/verdict.json")).read_text())
    assert len(known["scores"]) == verdict["rows"]["eval"]["rows"]


def test_a_version_that_is_served_and_not_yet_asked_is_not_judged(config, paths, version, rows, serve, tmp_path):
    path = serve(tmp_path / "1.tfrecord", [title.lower() for title, _ in rows[:600]])
    newer = paths.serving_model / str(version + 1)
    newer.mkdir()
    (newer / "saved_model.pb").touch()
    try:
        report = judge(config, path)
        assert (report.status, report.version, report.exit_code) == ("not judged", version + 1, 0)
        assert judge(config, path, version=version).status == "drifted"
        path = serve(tmp_path / "2.tfrecord", [title for title, _ in rows[:600]], named=version + 1)
        with pytest.raises(MonitorError, match="clickbait did not push it"):
            judge(config, path)
    finally:
        (newer / "saved_model.pb").unlink()
        newer.rmdir()


def test_the_command_from_logs_to_report_and_exit_code(config, paths, rows, serve, tmp_path, clickbait):
    path = serve(tmp_path / "1.tfrecord", [title.lower() for title, _ in rows[:600]])
    call = ["monitor", path, "--output", config.output, "--set", "monitor.min_compared_rows=300"]
    done = subprocess.run([clickbait, *call], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stdout + done.stderr
    for part in ("title_casing", "failed", "lower: ", "-> 100.0%", "clickbait run --data NEW.csv", "600 texts"):
        assert part in done.stdout
    assert done.stderr == ""
    report = json.loads(max(paths.monitor.glob("*/monitor.json")).read_text())
    assert (report["schema_version"], report["status"], report["exit_code"]) == (1, "drifted", 3)
    printed = subprocess.run([clickbait, *call, "--json"], capture_output=True, text=True, check=False)
    assert {**json.loads(printed.stdout), "monitored_at": ""} == {**report, "monitored_at": ""}


def test_artifacts_that_are_gone(config, paths, rows, serve, tmp_path):
    path = serve(tmp_path / "1.tfrecord", [title for title, _ in rows[:600]])
    statistics = paths.pipeline_root / "StatisticsGen"
    statistics.rename(statistics.with_name("moved"))
    try:
        with pytest.raises(MonitorError, match=r"FeatureStats.pb, which is gone. Run `clickbait run` again"):
            judge(config, path)
    finally:
        statistics.with_name("moved").rename(statistics)
