"""Each difference by release, and that the table of `--help` has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from kubeflow.rehearsal import driver, launcher
from kubeflow.rehearsal.releases import CHANGES, RELEASES, Release, changes_text
from pipeline.cli import main
from tests.helpers.specs import a_spec, container_task, pipeline_of

ROOT = "minio://mlpipeline/v2/artifacts/p/run"


def stored(tmp_path: Path) -> set[str]:
    """The names of the files in the store, without what is another in each run."""
    folder = tmp_path / "store" / "minio" / "mlpipeline" / "v2" / "artifacts" / "a-pipeline"
    paths = (path.relative_to(folder).parts for path in folder.rglob("*") if path.is_file())
    return {"/".join((task, *names)) for _, task, _, *names in paths}


@pytest.mark.parametrize(
    ("release", "output_file", "name"),
    [("2.14", "/tmp/kfp_outputs/output_metadata.json", None), ("2.15", "the root's", "thing")],
)
def test_outputs_are_provisioned_as_the_release_does(release, output_file, name):
    component = a_spec()["components"]["comp-make"]
    outputs = driver.provision_outputs(component, "make", ROOT, Release(release))
    (thing,) = outputs["artifacts"]["thing"]["artifacts"]
    assert thing["uri"].startswith(f"{ROOT}/make/")
    assert thing.get("name") == name
    root = "/" + thing["uri"].replace("://", "/", 1).removesuffix("/thing")
    assert outputs["outputFile"] == (f"{root}/output_metadata.json" if name else output_file)


@pytest.mark.parametrize(
    ("release", "names"),
    [
        ("2.14", {"good/executor-logs"}),
        ("2.15", {"good/executor-logs"}),
        ("2.16", {"good/executor-logs-0", "shaky/executor-logs-0", "shaky/executor-logs-1"}),
        ("2.17", {"good/executor-logs-0", "shaky/executor-logs-0"}),
    ],
)
def test_logs_and_retries_are_those_of_the_release(rehearse, tmp_path, release, names):
    retries = {"retryPolicy": {"maxRetryCount": 1, "backoffDuration": "0s"}}
    good, shaky = container_task("good", "echo fine"), container_task("shaky", "echo no; exit 1", after=["good"])
    shaky["task"] |= retries
    run, _ = rehearse(pipeline_of([good, shaky]), release=release)
    assert run.failure.task == "shaky"
    assert stored(tmp_path) == names
    for path in (tmp_path / "store").rglob("executor-logs*"):
        assert path.read_text() == ("fine\n" if "good" in path.parts else "no\n")  # each attempt's own


@pytest.mark.parametrize(("release", "seen"), [("2.16", "model\nmodel_run\n"), ("2.17", "model\n")])
def test_an_input_comes_with_all_whose_names_begin_so(rehearse, tmp_path, release, seen):
    script = 'mkdir -p "$0" "$1" && echo x > "$0/file" && echo y > "$1/file"'
    keys = ["model", "model_run"]
    train = container_task(
        "train", script, [f"{{{{$.outputs.artifacts['{key}'].path}}}}" for key in keys], outputs=keys
    )
    look = container_task(
        "look",
        'ls "$(dirname "$0")"',
        ["{{$.inputs.artifacts['model'].path}}"],
        inputs={"model": "train.model"},
    )
    rehearse(pipeline_of([train, look]), release=release)
    assert (tmp_path / "logs" / "look.txt").read_text() == seen


@pytest.mark.parametrize(("release", "status"), [("2.14", "cached"), ("2.15", "done")])
def test_the_cache_goes_by_volume_claims(rehearse, statuses, release, status):
    def platform(claim: str) -> dict:
        executor = {"pvcMount": [{"constant": claim, "mountPath": "/data"}]}
        return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-make": executor}}}}}

    rehearse(a_spec(), release=release, platform=platform("one"))
    run, _ = rehearse(a_spec(), release=release, platform=platform("other"))
    assert statuses(run)["make"] == status


def test_a_newer_release_finds_the_cache_empty(rehearse, statuses):
    rehearse(a_spec(), release="2.14")
    assert statuses(rehearse(a_spec(), release="2.15")[0]) == {"make": "done", "use": "done"}


@pytest.mark.parametrize(
    ("release", "endpoint", "retries"),
    [("2.14", "minio-service", None), ("2.15", "minio-service", "5"), ("2.16", "seaweedfs", "5")],
)
def test_the_session_of_the_store(release, endpoint, retries):
    session = json.loads(launcher.session_info("minio://mlpipeline/v2/artifacts", Release(release)))
    assert session["Params"]["endpoint"] == f"{endpoint}.kubeflow:9000"
    assert session["Params"].get("maxRetries") == retries
    for scheme in ("s3", "gs"):
        session = json.loads(launcher.session_info(f"{scheme}://bucket/folder", Release(release)))
        assert session == {"Provider": scheme, "Params": {"fromEnv": "true"}}


@pytest.mark.parametrize(
    ("constant", "release", "value"),
    [
        ("{{$.pipeline_job_uuid}}", "2.14", "a-run\n"),
        ("{{$.pipeline_task_name}}", "2.14", "say\n"),
        ("{{$.pipeline_job_create_time_utc}}", "2.15", "{{$.pipeline_job_create_time_utc}}\n"),
        ("run {{$.pipeline_job_uuid}}", "2.17", "run {{$.pipeline_job_uuid}}\n"),
        ("{{$.pipeline_root}}", "2.17", "{{$.pipeline_root}}\n"),
    ],
)
def test_only_whole_constants_of_the_drivers_list_are_replaced(rehearse, tmp_path, constant, release, value):
    parameters = {"text": {"runtimeValue": {"constant": constant}}}
    say = container_task("say", 'echo "$0"', ["{{$.inputs.parameters['text']}}"], parameters=parameters)
    rehearse(pipeline_of([say]), run_id="a-run", release=release)
    assert (tmp_path / "logs" / "say.txt").read_text() == value


def test_the_time_of_the_run_is_a_constant_since_2_16():
    constants = driver.run_constants("run", "say", "2026-01-31T06:00:00Z", Release("2.16"))
    assert constants["pipeline_job_create_time_utc"] == "2026-01-31T06:00:00Z"


def test_help_has_the_table():
    shown = CliRunner().invoke(main, ["kubeflow", "rehearse", "--help"]).output
    for line in changes_text().splitlines():
        assert line in shown
    assert {change.since for change in CHANGES} < {*RELEASES}
