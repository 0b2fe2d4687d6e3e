"""Run folders are read back newest last, by id or its beginning, whatever a run left in them."""

import json
import subprocess
import sys

import pytest

from pipeline.results import run_folders
from pipeline.results.run_folders import RunNotFound, read_run, read_runs, write_verdict


@pytest.fixture
def output(tmp_path):
    """Three runs, of which the second left no verdict."""
    for run_id, status in (("20240101-000000-aa", "pushed"), ("20240102-000000-ab", None), ("20240103-000000-bb", "x")):
        folder = tmp_path / "runs" / run_id
        folder.mkdir(parents=True)
        if status:
            write_verdict(folder, {"run_id": run_id, "status": status, "reason": "größer"})
    return tmp_path


def test_a_verdict_comes_back_as_it_was_written_and_knows_its_folder(output):
    verdict = read_run(output, "20240101-000000-aa")
    folder = output / "runs" / "20240101-000000-aa"
    assert verdict == {
        "run_id": "20240101-000000-aa",
        "status": "pushed",
        "reason": "größer",
        "folder": str(folder),
    }
    assert "größer" in (folder / "verdict.json").read_text(encoding="utf-8")


def test_runs_come_oldest_first(output):
    assert [one["run_id"][:8] for one in read_runs(output)] == ["20240101", "20240102", "20240103"]


@pytest.mark.parametrize("content", [b"", b'{"status": "pu', b"[]", b"{}", b"null", b"\xff\xfe"])
def test_a_damaged_verdict_is_said_and_hides_no_other_run(output, content):
    path = output / "runs" / "20240102-000000-ab" / "verdict.json"
    path.write_bytes(content)
    first, second, third = read_runs(output)
    assert (second["run_id"], second["status"]) == ("20240102-000000-ab", "damaged")
    assert second["reason"] == f"{path} is no verdict"
    assert {first["status"], third["status"]}.isdisjoint({"damaged"})


def test_a_run_without_a_verdict_was_interrupted(output):
    (output / "runs" / "20240102-000000-ab" / "verdict.json").unlink(missing_ok=True)
    verdict = read_runs(output)[1]
    assert (verdict["run_id"], verdict["status"]) == ("20240102-000000-ab", "interrupted")
    assert verdict["reason"] == "the run left no verdict"


def test_a_verdict_is_read_when_it_is_looked_at(output, monkeypatch):
    read, one_verdict = [], run_folders._read_verdict
    monkeypatch.setattr(run_folders, "_read_verdict", lambda folder: read.append(folder.name) or one_verdict(folder))
    known = read_runs(output)
    newest = known[-1]["run_id"]
    assert (len(known), known[-1]["run_id"], newest[:8]) == (3, newest, "20240103")
    assert read == [newest]
    assert [one["run_id"] for one in known[1:]] == ["20240102-000000-ab", newest]


def test_runs_are_found_by_what_their_verdicts_hold(output):
    write_verdict(output / "runs" / "20240102-000000-ab", {"status": "pushed", "infra": {"blessed": False}})
    assert [one["run_id"] for one in read_runs(output, holding='"blessed": false')] == ["20240102-000000-ab"]


def test_files_beside_the_run_folders_are_no_runs(output):
    (output / "runs" / "notes.txt").write_text("x")
    assert len(read_runs(output)) == 3


def test_without_a_name_it_is_the_newest(output):
    assert read_run(output)["run_id"] == "20240103-000000-bb"


@pytest.mark.parametrize("name", ["20240101", "20240101-000000-a", "20240101-000000-aa"])
def test_the_unique_beginning_of_an_id_is_enough(output, name):
    assert read_run(output, name)["run_id"] == "20240101-000000-aa"


def test_a_whole_id_wins_over_longer_ones(output):
    (output / "runs" / "20240101-000000-aab").mkdir()
    assert read_run(output, "20240101-000000-aa")["run_id"] == "20240101-000000-aa"


@pytest.mark.parametrize(
    ("name", "problem"),
    [("2023", "no run is called so"), ("202401", "3 runs begin so"), ("", "3 runs begin so")],
)
def test_a_name_that_is_not_one_run_is_refused_with_the_newest_ids(output, name, problem):
    with pytest.raises(RunNotFound) as caught:
        read_run(output, name)
    assert f"Received: {name!r}, {problem}." in str(caught.value)
    assert "20240103-000000-bb" in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_output_without_runs_says_what_to_type(tmp_path):
    assert [*read_runs(tmp_path / "missing")] == []
    with pytest.raises(RunNotFound, match=r"Received: .*missing, where none was run\. Type `clickbait run`\."):
        read_run(tmp_path / "missing")


def test_a_verdict_that_cannot_be_written_whole_leaves_the_old_one(output):
    folder = output / "runs" / "20240101-000000-aa"
    before = (folder / "verdict.json").read_bytes()
    with pytest.raises(TypeError):
        write_verdict(folder, {"status": object()})
    assert (folder / "verdict.json").read_bytes() == before


def test_a_verdict_replaces_the_old_one_and_leaves_nothing_beside_it(output):
    folder = output / "runs" / "20240101-000000-aa"
    write_verdict(folder, {"status": "done"})
    assert [path.name for path in folder.iterdir()] == ["verdict.json"]
    assert json.loads((folder / "verdict.json").read_text()) == {"status": "done"}


def test_reading_runs_imports_nothing_heavy():
    code = (
        "import sys, pipeline.results.run_folders, pipeline.results.summary; "
        "print([m for m in ('tensorflow', 'tfx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_rule_of_an_earlier_schema_is_read_as_what_it_was(tmp_path):
    old = {"split": "eval", "metric": "binary_accuracy", "against": "bound", "bound": 0.9, "observed": 0.8}
    folder = tmp_path / "runs" / "20240101-000000-aa"
    folder.mkdir(parents=True)
    write_verdict(folder, {"status": "not blessed", "thresholds": [{**old, "passed": False}]})
    (rule,) = read_run(tmp_path)["thresholds"]
    assert (rule["rule"], rule["slice"], rule["outcome"], rule["gates"]) == ("accuracy", {}, "broken", True)
