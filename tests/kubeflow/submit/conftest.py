"""A fake API server, and the command against it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from tests.kubeflow.submit.fake_api import FakeApi

#: As the compiled pipeline is, with three of its tasks.
SMALL = Path(__file__).parent / "small.yaml"
#: What it has no defaults for.
SAID = (
    "data=s3://bucket/{SPAN}/titles.csv",
    "data_digest=sha256:0",
    "push_destination=s3://b/m",
    "accepted_data=s3://b/a",
)


@pytest.fixture
def api():
    server = FakeApi()
    yield server
    server.close()


@pytest.fixture
def submit(api, outside, monkeypatch):
    """Returns a function that runs the command and gives its result; no traceback ever gets through."""
    monkeypatch.setattr("kubeflow.submit.follow._SETTLE_SECONDS", 0.2)
    monkeypatch.setattr("kubeflow.submit.follow._SETTLE_POLL_SECONDS", 0)

    def submit(*arguments: str, said=SAID, host=None):
        command = ["kubeflow", "submit", "--spec", str(SMALL), "--host", host or api.url, "--poll", "0"]
        result = CliRunner().invoke(main, [*command, *(f"--parameter={one}" for one in said), *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        assert "Traceback" not in result.output
        return result

    return submit
