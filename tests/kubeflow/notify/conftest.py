"""A webhook and an API server on loopback, and the command between them."""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kubeflow.container.exit_codes import termination_message
from kubeflow.submit.tasks import node_id
from pipeline.cli import main
from tests.kubeflow.status.argo import WORKFLOW
from tests.kubeflow.status.conftest import Cluster

SECRET = "T0-very-secret"
#: Before all runs of the server, the first of which is of 2026-01-02T01:00.
BEFORE = "2026-01-02T00:00:00"


def small_spec(mask: bool = False) -> dict[str, Any]:
    """The compiled pipeline as far as it matters here."""
    tasks: dict[str, Any] = {name: {} for name in ("HeadlineExampleGen", "DataGate", "Trainer", "Verdict")}
    policy = {"runtimeValue": {"constant": json.dumps({"mask_examples": mask})}}
    tasks["DataGate"]["inputs"] = {"parameters": {"policy": policy}}
    return {"pipelineInfo": {"name": "clickbait"}, "root": {"dag": {"tasks": tasks}}}


class Receiver:
    """A webhook.

    Attributes:
      bodies: what was posted and taken.
      posts: how often it was called.
      answers: status and headers of the next answers; 200 after that. None gives no answer for a second.
    """

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.posts = 0
        self.answers: list[tuple[int, dict[str, str]] | None] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == f"/services/{SECRET}"
                receiver.posts += 1
                answer = receiver.answers.pop(0) if receiver.answers else (200, {})
                if answer is None:
                    time.sleep(1)
                    return
                status, headers = answer
                if status < 300:
                    receiver.bodies.append(json.loads(body))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(f"no such path: {self.path}".encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.handle_error = lambda *_: None  # who waits no longer, or speaks TLS
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/services/{SECRET}"

    def close(self) -> None:
        """Nobody answers any more."""
        self._server.shutdown()
        self._server.server_close()


class Runs(Cluster):
    """A server with runs that end one by one."""

    def end_run(
        self, task: str = "", log: str = "", *, state: str = "", spec: dict[str, Any] | None = None, **options: Any
    ) -> str:
        """Adds a run that has ended; with a task, failed in it. Returns its id."""
        tasks = {
            "HeadlineExampleGen": "SUCCEEDED",
            "ImportSchemaGen": "SUCCEEDED",
            **({task: "FAILED"} if task else {}),
        }
        if task and log:
            self.artifacts[node_id(WORKFLOW, f"{WORKFLOW}.root.{task}.executor(0)")] = log
        spec = spec or small_spec()
        return self.add_run(spec, tasks, state=state or ("FAILED" if task else "SUCCEEDED"), **options)

    def run(self, run_id: str) -> dict[str, Any]:
        """Returns a run, to be changed."""
        return next(run for run in self.things["runs"] if run["run_id"] == run_id)


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def api():
    server = Runs()
    server.things["pipelines"].append({"display_name": "clickbait", "pipeline_id": "id-of-clickbait"})
    yield server
    server.close()


@pytest.fixture
def state(tmp_path) -> Path:
    return tmp_path / "notified.json"


@pytest.fixture
def notify(api, receiver, state, outside, monkeypatch):
    """Returns a function that runs the command and gives its result; never with a traceback or the secret."""
    monkeypatch.setenv("CLICKBAIT_WEBHOOK", receiver.url)
    monkeypatch.setattr("kubeflow.notify.webhook._FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr("kubeflow.notify.webhook._READ_SECONDS", 0.2)

    def notify(*arguments: str, host: str | None = None):
        command = ["kubeflow", "notify", "--host", host or api.url, "--state", str(state), "--since", BEFORE]
        if "--overdue" not in arguments:
            command += ["--overdue", "0"]
        result = CliRunner().invoke(main, [*command, *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        assert "Traceback" not in result.output
        assert SECRET not in result.output
        assert not state.exists() or SECRET not in state.read_text()
        return result

    return notify


def log_of(code: int, reason: str) -> str:
    """The log of a task that failed."""
    return (
        f"importing\n{termination_message(code, reason)}\n"
        "F1130 10:00:01.000001      17 main.go:59] failed to execute component: exit status 1\n"
    )


def at(text: str) -> datetime:
    """A time of the server's."""
    return datetime.fromisoformat(f"{text}+00:00")
