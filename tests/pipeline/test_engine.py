"""`clickbait doctor --beam`: what it says of an engine that is not well. Of one that is: `test_on_an_engine`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from components.beam_probe import TOKEN_FILE, Versions, installed_versions, look_around
from components.flink_rest import Flink, FlinkJob
from pipeline import engine
from pipeline.commands.doctor import doctor
from pipeline.config.pipeline_config import load_config
from tests.helpers.beam_engine import free_port

VERSIONS = installed_versions()


def served(*overrides: str):
    there = ["beam.runner=FlinkRunner", "beam.job_endpoint=jobs:8099", "beam.environment_type=LOOPBACK"]
    return load_config(overrides=[*there, *overrides], environ={})


def test_a_wrong_address_is_said_at_once():
    call = ["--beam", "--set", "beam.runner=FlinkRunner", "--set", "beam.environment_type=LOOPBACK"]
    done = CliRunner().invoke(doctor, [*call, "--set", f"beam.job_endpoint=localhost:{free_port()}"])
    assert done.exit_code == 1
    assert "✗ job server" in done.output and "Beam's job server must answer when a run begins." in done.output


def test_in_this_process_there_is_nothing_to_try():
    done = CliRunner().invoke(doctor, ["--beam"])
    assert done.exit_code == 0 and "✓ engine" in done.output
    assert engine.jobs_left(load_config(environ={})) == []


class Busy(Flink):
    buffers = None

    def overview(self):
        return {"flink-version": "1.19.1", "taskmanagers": 1, "slots-total": 2, "slots-available": 0}

    def jobs(self):
        return [FlinkJob("1", "another's", "RUNNING"), FlinkJob("2", "old", "FINISHED")]

    def setting(self, key):
        return self.buffers


def test_a_flink_without_slots_and_with_its_own_buffers():
    slots, buffers = engine._check_flink(Busy("http://flink:8081"))
    assert slots.result == "1.19.1 at http://flink:8081: 0 of 2 slots free"
    assert slots.way_out.startswith("Flink must have a free slot. Received: none; another's run.")
    assert buffers.result == "512 network buffers for each exchange" and "min-buffers to 32" in buffers.way_out
    Busy.buffers = "32"
    assert len([*engine._check_flink(Busy("http://flink:8081"))]) == 1


def test_a_flink_that_does_not_answer():
    (finding,) = engine._check_flink(Flink(f"http://localhost:{free_port()}"))
    assert finding.way_out.startswith("beam.options.flink_master must be the address of Flink's REST service.")


def result(**changes):
    return {"host": "w1", "versions": VERSIONS, "missing": [], **changes}


def ways_out(results):
    return {finding.name: finding.way_out for finding in engine._judge(results, "/shared/output", 3.0)}


def test_workers_that_are_alike():
    assert ways_out([result(), result(host="w2")]) == {"workers": None, "versions": None, "folders": None}


def test_workers_that_differ_or_see_other_folders():
    other = Versions("3.9", {**VERSIONS.packages, "apache-beam": "2.1"})
    found = [*engine._judge([result(), result(versions=other, missing=["/shared/data"])], "/shared/output", 3.0)]
    versions, folders = found[1:]
    assert versions.result.startswith("Python 3.9 (here ") and "apache-beam 2.1 (here" in versions.result
    assert versions.way_out.startswith("Driver and workers must be the same build")
    assert folders.result == "no /shared/data for the workers" and folders.way_out
    assert ways_out([])["folders"].startswith("Driver and workers must share the folder of --output")


def test_a_worker_looks_around(tmp_path):
    (tmp_path / TOKEN_FILE).write_text("t")
    look_around(0, str(tmp_path), "t", [str(tmp_path), "/nowhere"])
    (report,) = tmp_path.glob("worker-*.json")
    seen = json.loads(report.read_text())
    assert seen["missing"] == ["/nowhere"] and Versions(*seen["versions"]) == VERSIONS
    with pytest.raises(RuntimeError, match="must be the same folder for the worker on .* Received: another one"):
        look_around(0, str(tmp_path), "other", [])
    with pytest.raises(RuntimeError, match="must be the same folder .* Received: .*No such file"):
        look_around(0, str(tmp_path / "nowhere"), "t", [])


@pytest.mark.slow  # imports Beam
def test_a_job_that_an_earlier_run_left_is_named(monkeypatch, tmp_path):
    beam_jobs = pytest.importorskip("components.beam_jobs")
    config = served(f"output={tmp_path}", "beam.options={flink_master: flink:8081}")
    ours = beam_jobs.job_prefix(f"{tmp_path}/tfx") + "StatisticsGen-1"
    running = [beam_jobs.EngineJob(ours, "7"), beam_jobs.EngineJob("clickbait-00000000-DataGate-1", "8")]
    monkeypatch.setattr(beam_jobs, "running_jobs", lambda endpoint, flink: running)
    (job,) = engine.jobs_left(config)
    line = engine.describe_job_left(config, job)
    assert line.startswith(f"a job of an earlier run still runs on the engine: {ours}.")
    assert "`curl -X PATCH http://flink:8081/jobs/7`" in line
