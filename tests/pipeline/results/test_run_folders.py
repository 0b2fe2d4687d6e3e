"""Run folders are read back newest last, by id or its beginning, whatever a run left in them."""

import datetime
import re
import subprocess
import sys

import pytest

from pipeline.results import run_folders
from pipeline.results.run_folders import RunNotFound, new_run_id, newest_refusal, read_run, read_runs
from pipeline.results.verdict import Verdict, write_verdict
from tests.helpers.verdicts import a_verdict, an_infra_verdict


@pytest.fixture
def output(tmp_path):
    """Three runs, of which the second left no verdict."""
    for run_id, status in (("20240101-000000-aa", "pushed"), ("20240102-000000-ab", None), ("20240103-000000-bb", "x")):
        folder = tmp_path / "runs" / run_id
        folder.mkdir(parents=True)
        if status:
            write_verdict(folder, Verdict(run_id=run_id, status=status, reason="größer"))
    return tmp_path


def test_a_verdict_comes_back_as_it_was_written_and_knows_its_folder(output):
    verdict = read_run(output, "20240101-000000-aa")
    folder = output / "runs" / "20240101-000000-aa"
    assert verdict == Verdict(run_id="20240101-000000-aa", status="pushed", reason="größer", folder=str(folder))
    assert "größer" in (folder / "verdict.json").read_text(encoding="utf-8")


def test_runs_come_oldest_first(output):
    assert [run.run_id[:8] for run in read_runs(output)] == ["20240101", "20240102", "20240103"]


def test_a_verdict_is_read_when_it_is_looked_at(output, monkeypatch):
    read, read_verdict = [], run_folders.read_verdict
    monkeypatch.setattr(run_folders, "read_verdict", lambda folder: read.append(folder.name) or read_verdict(folder))
    known = read_runs(output)
    newest = known[-1].run_id
    assert (len(known), known[-1].run_id, newest[:8]) == (3, newest, "20240103")
    assert read == [newest]
    assert read_run(output, "20240101").status == "pushed"
    assert read == [newest, "20240101-000000-aa"]
    assert [run.run_id for run in known[1:]] == ["20240102-000000-ab", newest]


def test_runs_are_found_by_what_their_verdicts_hold(output):
    refused = a_verdict(infra=an_infra_verdict(blessed=False))
    write_verdict(output / "runs" / "20240102-000000-ab", refused)
    assert [run.run_id for run in read_runs(output, holding='"blessed": false')] == ["20240102-000000-ab"]
    assert newest_refusal(output) == "20240102-000000-ab"


def test_files_beside_the_run_folders_are_no_runs(output):
    (output / "runs" / "notes.txt").write_text("x")
    assert len(read_runs(output)) == 3


def test_without_a_name_it_is_the_newest(output):
    assert read_run(output).run_id == "20240103-000000-bb"


@pytest.mark.parametrize("name", ["20240101", "20240101-000000-a", "20240101-000000-aa"])
def test_the_unique_beginning_of_an_id_is_enough(output, name):
    assert read_run(output, name).run_id == "20240101-000000-aa"


def test_a_whole_id_wins_over_longer_ones(output):
    (output / "runs" / "20240101-000000-aab").mkdir()
    assert read_run(output, "20240101-000000-aa").run_id == "20240101-000000-aa"


@pytest.mark.parametrize(
    ("name", "problem"),
    [("2023", "which no run has"), ("202401", "with which 3 runs begin"), ("", "with which 3 runs begin")],
)
def test_a_name_that_is_not_one_run_is_refused_with_the_newest_ids(output, name, problem):
    with pytest.raises(RunNotFound) as caught:
        read_run(output, name)
    assert f"Received: {name!r}, {problem}." in str(caught.value)
    assert "20240103-000000-bb" in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_output_without_runs_says_what_to_type(tmp_path):
    assert [*read_runs(tmp_path / "missing")] == []
    with pytest.raises(RunNotFound, match=r"Received: .*missing, which has none\. Type `clickbait run`\."):
        read_run(tmp_path / "missing")


def test_reading_runs_imports_nothing_heavy():
    code = (
        "import sys, pipeline.results.run_folders, pipeline.results.summary; "
        "print([m for m in ('tensorflow', 'tfx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_run_ids_are_unique_and_sort_by_time_even_within_a_second():
    ids = [new_run_id() for _ in range(50)]
    assert len(set(ids)) == 50
    assert ids == sorted(ids)


@pytest.mark.parametrize("microsecond", [0, 1, 999_999])
def test_a_run_id_is_utc_to_the_second_and_of_one_length(monkeypatch, microsecond):
    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime(2024, 1, 2, 3, 4, 5, microsecond, tz)

    monkeypatch.setattr(run_folders.datetime, "datetime", Clock)
    assert re.fullmatch(r"20240102-030405-[0-9a-f]{5}", new_run_id())
