"""`clickbait monitor` before anything is compared: what it takes, and what a mistake is told."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from components.data_gate.policy import Finding
from pipeline.cli import main
from pipeline.commands.monitor import Since
from pipeline.config.pipeline_config import load_config
from pipeline.monitoring.monitor import _reason, _status, judge_logs, open_logs, write_report
from pipeline.monitoring.served_version import MonitorError
from serving.versions.version_folder import ChosenThreshold, VersionCard, write_card
from tests.helpers.request_logs import an_entry, write_log
from tests.pipeline.test_cli import clickbait


@pytest.fixture
def output(tmp_path) -> Path:
    """With a version 7 that somebody put there."""
    version = tmp_path / "output" / "serving" / "clickbait" / "7"
    version.mkdir(parents=True)
    (version / "saved_model.pb").touch()
    return tmp_path / "output"


@pytest.mark.parametrize(("span", "seconds"), [("30m", 1800), ("24h", 86_400), ("7d", 604_800)])
def test_a_span_is_counted_back_from_now(span, seconds):
    assert abs(Since().convert(span, None, None) - (time.time() - seconds)) < 5


def test_a_date_is_utc_unless_it_says_otherwise():
    noon = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC).timestamp()
    assert Since().convert("2026-01-02T12:00", None, None) == noon
    assert Since().convert("2026-01-02T13:00+01:00", None, None) == noon


@pytest.mark.parametrize("span", ["", "24", "h", "24 h", "-1h", "yesterday"])
def test_what_is_no_time(span):
    with pytest.raises(click.BadParameter, match="30m, 24h or 7d, or an ISO date"):
        Since().convert(span, None, None)


@pytest.mark.parametrize(
    ("entries", "arguments", "part"),
    [
        (None, [], "no *.tfrecord in it"),
        ([], [], "Received: 1 files with none"),
        ([an_entry(["a"], [0.5], model="mine")], [], "Received: 1 of mine, in 1 files. Give --model"),
        ([an_entry(["a"], [0.5], version=8)], [], "Received: version 8; the folder has 7"),
        ([an_entry(["a"], [0.5])], ["--version", "8"], "Received: 8; the folder has 7, the logs have 7"),
        ([an_entry(["a"], [0.5])], ["--output", "other"], "the folder has none"),
        ([an_entry(["a"], [0.5])], ["--since", "soon"], "Invalid value for '--since'"),
        ([an_entry(["a"] * 500, [0.5] * 500)], [], "clickbait did not push it"),
    ],
)
def test_mistakes_end_with_2_and_leave_nothing(output, tmp_path, entries, arguments, part):
    (tmp_path / "log").mkdir()
    if entries is not None:
        write_log(tmp_path / "log" / "1.tfrecord", entries)
    done = clickbait("monitor", "log", "--output", output, *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert part in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (output / "monitor").exists() and not (tmp_path / "other").exists()


def test_a_file_that_is_no_log_is_named(output, tmp_path):
    (tmp_path / "notes.tfrecord").write_text("these are notes and nothing else")
    done = clickbait("monitor", "notes.tfrecord", "--output", output, cwd=tmp_path)
    assert done.returncode == 2
    assert "notes.tfrecord: the checksum of a record's length is wrong" in done.stderr


def test_too_few_are_said_and_end_with_0_and_without_tensorflow(output, tmp_path):
    write_log(tmp_path / "1.tfrecord", [an_entry(["a", "b"], [0.5, 0.5])])
    done = clickbait("monitor", "1.tfrecord", "--output", output, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not judged: expected >= 500 rows, observed 2 rows" in done.stdout
    (folder,) = (output / "monitor").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["log.txt", "monitor.json"]
    assert (folder / "log.txt").read_text() == ""


@pytest.mark.parametrize("place", ["output/monitor", "blocked"])
def test_a_report_that_cannot_be_written_is_said_before_the_logs_are_read(output, tmp_path, place):
    (tmp_path / place).write_text("a file")
    where = output if place == "output/monitor" else tmp_path / place
    done = clickbait("monitor", "no-such-log", "--output", where, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "The report must have a writable folder in the output. Received: " in done.stderr
    assert ": Not a directory." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_leaves_no_half_report(output, tmp_path, monkeypatch):
    path = write_log(tmp_path / "1.tfrecord", [an_entry(["a"], [0.5])])
    report = open_logs(load_config(overrides=[f"output={output}"], environ={}), [str(path)]).report
    monkeypatch.setattr(Path, "replace", lambda *paths: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(MonitorError, match="Received: .*: No space left on device"):
        write_report(tmp_path, report)
    assert not (tmp_path / "monitor.json").exists()


def test_what_is_left_out_is_told(output, tmp_path):
    path = write_log(
        tmp_path / "1.tfrecord",
        [
            an_entry(["a", "b"], [0.5, 0.5], time=1_767_225_600),
            an_entry(["c"], [0.5], version=6),
            an_entry(["d"], [0.5], model="mine"),
            an_entry(["e"], [0.5, 0.5]),
        ],
    )
    with path.open("ab") as stream:
        stream.write(b"torn")
    done = clickbait("monitor", "1.tfrecord", "--output", output, cwd=tmp_path)
    assert done.returncode == 0
    for part in (
        "logs     1 files · 1 requests · 2 texts · 2026-01-01 00:00 to 2026-01-01 00:00 UTC",
        "not judged: 1 texts of version 6",
        "left out: 1 entries of other models",
        "left out: 1 entries without a text and a score each",
        "1.tfrecord is read up to where the file ends within a record",
    ):
        assert part in done.stdout


def test_unsure_scores_are_counted_where_the_card_has_a_band(output, tmp_path):
    chosen = ChosenThreshold(0.8, (0.3, 0.8), {"precision": 0.95}, {"coverage": (0.9, 0.8, 0.95)}, 500, "rows", "now")
    (output / "serving" / "clickbait" / "7" / "assets.extra").mkdir()
    write_card(output / "serving" / "clickbait", 7, VersionCard("sha256:1", "r1", "f", "now", threshold=chosen))
    write_log(tmp_path / "1.tfrecord", [an_entry(["a", "b", "c", "d"], [0.1, 0.5, 0.25, 0.875])])
    done = clickbait("monitor", "1.tfrecord", "--output", output, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "unsure   25.0% of the texts, with scores from 0.3 to 0.8; 10.0% of the rows" in done.stdout
    (folder,) = (output / "monitor").iterdir()
    counted = json.loads((folder / "monitor.json").read_text())["unsure"]
    assert counted == {"begin": 0.3, "end": 0.8, "rows": 1, "share": 0.25, "expected_share": pytest.approx(0.1)}


def test_at_most_so_many_rows_are_compared(output, tmp_path):
    path = write_log(tmp_path / "1.tfrecord", [an_entry(["a"] * 40, [0.5] * 40)])
    overrides = ["monitor.max_compared_rows=30", f"output={output}"]
    opened = open_logs(load_config(overrides=overrides, environ={}), [str(path)])
    assert len(opened.traffic.recent.rows) == 30
    report = judge_logs(load_config(overrides=overrides, environ={}), opened)
    assert (report.logs.rows, report.logs.compared_rows) == (40, 30)


def monitored(output, *arguments):
    """The command's result, in this process."""
    call = ["monitor", *map(str, arguments), "--output", str(output)]
    return CliRunner().invoke(main, call, env={"COLUMNS": "240"})


def logged_and_labelled(folder, rows=40, days=2):
    """A log of a model that is right on each text but every fourth, with its labels and a text that was never sent."""
    scores = [0.25 + (row % 2) / 2 if row % 4 else 0.75 for row in range(rows)]
    texts = [f"text {row}" for row in range(rows)]
    entries = [an_entry(texts, scores, time=1_767_225_600 + 86_400 * day) for day in range(days)]
    write_log(folder / "1.tfrecord", [*entries, an_entry(texts[:2], [0.5, math.nan], version=6, time=1_767_225_600)])
    lines = [f"{text},{row % 2}" for row, text in enumerate(texts)]
    (folder / "labels.csv").write_text("\n".join(["title,label", *lines, *lines[:1], "never sent,1", "x,7", ""]))
    return [folder / "1.tfrecord", "--labels", folder / "labels.csv", "--set", "monitor.min_labelled_rows=10"]


def test_late_labels_are_measured_by_version_and_day(output, tmp_path):
    done = monitored(output, *logged_and_labelled(tmp_path))
    assert (done.exit_code, done.stderr) == (0, "")
    for part in (
        f"labels   41 texts of {tmp_path}/labels.csv · 40 in the log, 1 not",
        "left out: 1 unknown_label, 1 repeated rows",
        "7        all            40      50.0%  0.750 (0.598 to 0.858)",
        "7        2026-01-02     40      50.0%  0.750 (0.598 to 0.858)",
        "1 scores are no numbers: they count as wrong",
    ):
        assert part in done.stdout
    (folder,) = (output / "monitor").iterdir()
    report = json.loads((folder / "monitor.json").read_text())["labels"]
    assert (report["version"], report["not_in_log"], report["rejected"]) == ("7", 1, {"unknown_label": 1})
    assert [(part["version"], part["day"]) for part in report["slices"]] == [
        ("6", None),
        ("6", "2026-01-01"),
        ("7", None),
        ("7", "2026-01-01"),
        ("7", "2026-01-02"),
    ]
    assert report["slices"][0]["metrics"]["auc"] == {"value": None, "interval": None}


@pytest.mark.parametrize(
    ("least", "action", "code", "part"),
    [
        (0.8, "fail", 0, "fine: the model reaches its thresholds on texts with late labels"),
        (0.9, "fail", 3, "below threshold: the model is below its thresholds on texts with late labels: accuracy 0.75"),
        (0.9, "warn", 0, "fine: the model is below its thresholds on texts with late labels: accuracy 0.75"),
    ],
)
def test_late_labels_below_a_threshold_are_an_alarm(output, tmp_path, least, action, code, part):
    call = [
        *logged_and_labelled(tmp_path),
        "--set",
        f"monitor.min_accuracy={least}",
        "--set",
        f"monitor.labels={action}",
    ]
    done = monitored(output, *call)
    assert (done.exit_code, done.stderr) == (code, "")
    assert part in done.stdout
    assert ("next     clickbait run --data NEW.csv" in done.stdout) == (code == 3)
    assert ("below    labels of accuracy" in done.stdout) == (code == 3)


def test_days_beyond_a_month_and_one_class(output, tmp_path):
    call = logged_and_labelled(tmp_path, rows=1, days=33)
    done = monitored(output, *call)
    assert done.exit_code == 0
    for part in (
        "the last 31 of 33 days are shown",
        "no AUC where all labels are of one class",
        "labels is not judged: expected >= 10 labelled texts in the log, observed 1",
    ):
        assert part in done.stdout


def test_labels_of_texts_that_were_never_sent(output, tmp_path):
    logged_and_labelled(tmp_path)
    (tmp_path / "labels.csv").write_text("text,kind\nother,1\n")
    call = [
        tmp_path / "1.tfrecord",
        "--labels",
        tmp_path / "labels.csv",
        "--text-column",
        "text",
        "--label-column",
        "kind",
    ]
    done = monitored(output, *call)
    assert done.exit_code == 0
    assert f"labels   1 texts of {tmp_path}/labels.csv · 0 in the log, 1 not" in done.stdout
    assert "mean score" not in done.stdout


def test_texts_and_labels_are_one_reason():
    failed = Finding("skew", "title_words", "<= 0.1", 0.3, False, outcome="fail")
    passed = Finding("labels", "accuracy", ">= 0.9", "0.95", True, outcome="kept")
    below = Finding("labels", "AUC", ">= 0.9", "0.5", False, outcome="fail")
    assert _status([failed, below]) == "drifted"
    assert _reason("drifted", [failed, passed]) == (
        "what is served is not what the model was trained on: skew of title_words 0.3; "
        "the model reaches its thresholds on texts with late labels"
    )
    fine = dataclasses.replace(failed, outcome="kept")
    assert _status([fine, below]) == "below threshold"
    assert _reason("below threshold", [fine, below]) == (
        "what is served is like what the model was trained on; "
        "the model is below its thresholds on texts with late labels: AUC 0.5, expected >= 0.9"
    )
