"""Runs on a fake API server, and the command against it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from click.testing import CliRunner

from kubeflow.spec.pipeline_spec import load_spec
from pipeline.cli import main
from tests.kubeflow.golden import GOLDEN
from tests.kubeflow.status.argo import nodes
from tests.kubeflow.submit.fake_api import FakeApi

VALUES = {
    "data": "s3://b/d.csv",
    "data_digest": "sha256:0",
    "push_destination": "s3://b/m",
    "accepted_data": "s3://b/a",
}


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """The compiled default pipeline; to be copied before it is changed."""
    return load_spec(GOLDEN)


@pytest.fixture
def spec(golden) -> dict[str, Any]:
    return copy.deepcopy(golden)


class Cluster(FakeApi):
    """A server with runs that are there already, each newer than the one before."""

    def add_run(
        self,
        spec: dict[str, Any],
        tasks: Mapping[str, str],
        *,
        values: Mapping[str, Any] = {},
        state: str = "SUCCEEDED",
        platform: dict[str, Any] | None = None,
        pipeline: str = "clickbait",
        **options: Any,
    ) -> str:
        """Returns the id of a run whose nodes are those of `argo.nodes`."""
        number = 1 + len(self.things["runs"])
        pipelines = self.things["pipelines"]
        if pipeline not in {item["display_name"] for item in pipelines}:
            pipelines.append({"display_name": pipeline, "pipeline_id": f"id-of-{pipeline}"})
        content = {"pipeline_spec": spec, "platform_spec": platform} if platform else spec
        version = {"pipeline_id": f"id-of-{pipeline}", "pipeline_version_id": f"version-{number}"}
        self.things["pipeline_versions"].append(
            version | {"display_name": f"v{number}", "pipeline_spec": copy.deepcopy(content)}
        )
        self.things["runs"].append(
            {
                "run_id": f"run-{number}",
                "display_name": f"clickbait {number}",
                "experiment_id": "experiment-1",
                "pipeline_version_reference": version,
                "runtime_config": {"parameters": {**VALUES, **values}},
                "created_at": f"2026-01-02T{number:02}:00:00Z",
                "finished_at": f"2026-01-02T{number:02}:10:00Z",
                "state": state,
                "state_history": [{"state": "RUNNING"}, {"state": state}],
                "run_details": {"task_details": nodes(spec, tasks, **options)},
            }
        )
        return f"run-{number}"


@pytest.fixture
def api():
    server = Cluster()
    server.release = "2.17.0"
    yield server
    server.close()


@pytest.fixture
def status(api, outside, monkeypatch):
    """Returns a function that runs the command and gives its result; no traceback ever gets through."""
    monkeypatch.setattr("kubeflow.submit.follow._SETTLE_SECONDS", 0.1)
    monkeypatch.setattr("kubeflow.submit.follow._SETTLE_POLL_SECONDS", 0.01)

    def status(*arguments: str, host: str | None = None):
        result = CliRunner().invoke(main, ["kubeflow", "status", "--host", host or api.url, *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        assert "Traceback" not in result.output
        return result

    return status
