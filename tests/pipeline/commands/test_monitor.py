"""`clickbait monitor` before anything is compared: what it takes, and what a mistake is told."""

from __future__ import annotations

import datetime
import json
import time
from pathlib import Path

import click
import pytest

from pipeline.commands.monitor import Since
from pipeline.config.pipeline_config import load_config
from pipeline.monitoring.monitor import judge_logs, open_logs, write_report
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
