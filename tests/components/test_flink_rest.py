"""What Flink's REST service says, of answers as Flink 1.19 gives them."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

from components.flink_rest import Flink
from tests.helpers.beam_engine import free_port

VERTEX = {"status": "RUNNING", "metrics": {"read-records": 1, "write-records": 10}}
WAITING = {"status": "SCHEDULED", "metrics": {"read-records": 0, "write-records": 0}}
TRACE = """org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy
\tat org.apache.flink.runtime.X.y(X.java:1)
Caused by: java.util.concurrent.CompletionException: x
\t... 3 more
Caused by: java.io.IOException: Insufficient number of network buffers: required 512, but only 99 available.
\tat org.apache.flink.runtime.Z.y(Z.java:1)
"""
cancelled: list[str] = []
ANSWERS = {
    "/overview": {"flink-version": "1.19.1", "taskmanagers": 2, "slots-total": 2, "slots-available": 0},
    "/jobs/overview": {
        "jobs": [
            {"jid": "a", "name": "ours", "state": "FAILED", "start-time": 1},
            {"jid": "b", "name": "ours", "state": "RUNNING", "start-time": 3},
            {"jid": "c", "name": "waits", "state": "CREATED", "start-time": 2},
        ]
    },
    "/jobs/b": {"vertices": [VERTEX, WAITING]},
    "/jobs/c": {"vertices": [WAITING], "state": "RUNNING"},
    "/jobs/d": {"vertices": [], "state": "CANCELED"},
    "/jobs/b/exceptions": {"root-exception": TRACE},
    "/jobmanager/config": [{"key": "restart-strategy.type", "value": "none"}],
}


@pytest.fixture(scope="module")
def flink():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path in ANSWERS else 404)
            self.end_headers()
            self.wfile.write(json.dumps(ANSWERS.get(self.path)).encode())

        def do_PATCH(self):
            cancelled.append(self.path)
            self.send_response(202)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Flink.at(f"127.0.0.1:{server.server_port}")
        server.shutdown()


def test_the_newest_job_of_a_name(flink):
    assert flink.job("ours").id == "b" and flink.job("ours").runs
    assert flink.job("nobody's") is None and flink.vertices("nobody's") is None
    assert flink.vertices("ours") == [("RUNNING", 1, 10), ("SCHEDULED", 0, 0)]


def test_what_a_job_waits_for(flink):
    assert flink.waits_for("ours") == "1 of its 2 vertices run and hand on no rows: their workers may not start"
    assert flink.waits_for("waits") == "none of its 1 vertices run: of 2 slots 0 are free, and ours run, too"


def test_the_cause_is_the_innermost(flink):
    assert flink.exception_of("ours") == (
        "java.io.IOException: Insufficient number of network buffers: required 512, but only 99 available."
    )
    assert flink.exception_of("waits") is None


def test_a_job_is_cancelled(flink):
    assert flink.cancel("d", 5) and not flink.cancel("c", 0.1)
    assert cancelled == ["/jobs/d", "/jobs/c"]


def test_settings(flink):
    assert flink.setting("restart-strategy.type") == "none" and flink.setting("x") is None


def test_one_that_does_not_answer_says_nothing():
    away = Flink.at(f"http://localhost:{free_port()}")
    assert away.overview() is None and away.jobs() == [] and away.setting("x") is None
    assert away.waits_for("ours") == f"Flink at {away.address} does not know"


def test_what_is_no_address():
    assert [Flink.at(master) for master in (None, "", "[auto]", "[local]")] == [None] * 4
