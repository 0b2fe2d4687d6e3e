"""Every failure is one message that says the rule, what was received and the way out, with the contract's exit code."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from serving.client import Client, ClientOptions, Retry, ServingError, Tls
from serving.client.errors import Failure
from serving.client.failures import Lookup, error_for, lookup_for
from tests.serving.client.fakes import Fault


def failure(options: ClientOptions, **changes) -> ServingError:
    with Client(options=options, **changes) as client, pytest.raises(ServingError) as raised:
        client.predict(["a"])
    message = str(raised.value)
    assert "Received: " in message
    assert "\n" not in message
    assert message.endswith(".")
    return raised.value


@pytest.mark.parametrize(
    ("changes", "exit_code", "parts"),
    [
        ({"model": "m"}, 2, ["Received: 'm'", "Servable not found", "--model"]),
        (
            {"version": 7},
            2,
            ["Version 7 of 'clickbait' must be available", "3 (AVAILABLE), 1 (END)", "Give --version 3"],
        ),
        ({"version": 1}, 2, ["Version 1 of 'clickbait'", "3 (AVAILABLE), 1 (END)", "Give --version 3"]),
        ({"label": "canary"}, 2, ["Received: 'canary'", "3 (AVAILABLE), 1 (END)", "--version"]),
        ({"signature": "z"}, 2, ["serving_default (title: string [-1])", "serving_examples", "'z'", "--signature"]),
        ({"input_name": "headline"}, 2, ["title: string [-1]", "headline: string [-1]", "--input-name"]),
    ],
)
def test_what_the_server_has_instead(options, changes, exit_code, parts):
    error = failure(options, **changes)
    assert error.exit_code == exit_code
    assert [part for part in parts if part not in str(error)] == []


def test_the_answer_has_another_output(target):
    """REST names no single output, so there is nothing to miss."""
    error = failure(ClientOptions(target), output_name="logit")
    assert error.exit_code == 2
    assert "'logit'. Received: probability. " in str(error)


def test_no_version_is_available(options, model):
    model.versions = {1: "LOADING"}
    error = failure(options)
    assert (error.exit_code, error.code) == (2, "NOT_FOUND")
    assert "1 (LOADING)" in str(error)
    assert "--wait" in str(error)


@pytest.mark.parametrize(
    ("fault", "exit_code", "part"),
    [
        (Fault("RESOURCE_EXHAUSTED", "queue full"), 1, "--rows-per-call 256"),
        (Fault("INTERNAL", "op failed"), 1, "server's log"),
        (Fault("PERMISSION_DENIED", "no"), 2, "must be authorized"),
        (Fault("UNIMPLEMENTED", "no such method"), 2, "Something else listens there"),
        (Fault("INVALID_ARGUMENT", "tensor parsing\nerror: title"), 2, "the server says: tensor parsing error: title"),
    ],
)
def test_what_the_server_refuses(options, model, fault, exit_code, part):
    model.faults.append(fault)
    error = failure(options)
    assert (error.exit_code, error.code) == (exit_code, fault.code)
    assert part in str(error)


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
class TestNoServer:
    def test_nothing_listens(self, rest):
        with socket.socket() as taken:
            taken.bind(("localhost", 0))
            port = taken.getsockname()[1]
        error = failure(ClientOptions(f"localhost:{port}", rest=rest, retry=Retry(attempts=1)))
        assert error.exit_code == 1
        assert f"A server must listen at localhost:{port}. Received: connection refused. Start it" in str(error)

    def test_the_host_is_unknown(self, rest):
        error = failure(ClientOptions("no-such-host.invalid:8500", rest=rest, retry=Retry(attempts=1)))
        assert error.exit_code == 2
        assert "no-such-host.invalid:8500', which no name server knows" in str(error)

    def test_nothing_answers(self, rest):
        with socket.socket() as mute:
            mute.bind(("localhost", 0))
            mute.listen()
            port = mute.getsockname()[1]
            error = failure(ClientOptions(f"localhost:{port}", rest=rest, timeout_s=0.3))
        assert (error.exit_code, error.code) == (1, "DEADLINE_EXCEEDED")
        assert "within 0.3 s" in str(error)
        assert "--timeout" in str(error)


def test_the_rest_port_for_the_grpc_port(rest_target):
    error = failure(ClientOptions(rest_target, retry=Retry(attempts=1)))
    assert error.exit_code == 2
    assert "--rest" in str(error)


def test_the_grpc_port_for_the_rest_port(target):
    error = failure(ClientOptions(target, rest=True, retry=Retry(attempts=1)))
    assert error.exit_code == 1
    assert "leave --rest out" in str(error)


@pytest.mark.parametrize("body", [b"<html>\nhello</html>", b'{"outputs": "x"}', b"[]", b"{}"])
def test_a_web_server_that_is_no_tf_serving(body):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = HTTPServer(("localhost", 0), Handler)
    threading.Thread(target=server.handle_request).start()
    error = failure(ClientOptions(f"localhost:{server.server_port}", rest=True))
    server.server_close()
    assert error.exit_code == 1
    assert "not TF Serving's" in str(error)


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"target": "localhost"}, "HOST:PORT"),
        ({"target": "http://localhost:8501"}, "HOST:PORT"),
        ({"target": "localhost:99999"}, "HOST:PORT"),
        ({"target": "dns:///localhost:8500", "rest": True}, "HOST:PORT"),
        ({"model": ""}, "--model"),
        ({"version": 3, "label": "stable"}, "--version and --label"),
        ({"version": -1}, "from 0"),
        ({"timeout_s": 0}, "above 0"),
        ({"timeout_s": float("nan")}, "above 0"),
        ({"timeout_s": float("inf")}, "above 0"),
        ({"keepalive_s": -1}, "above 0"),
        ({"stall_timeout_s": 0}, "above 0"),
        ({"rows_per_call": 0}, "at least 1"),
        ({"calls_in_flight": 0}, "at least 1"),
    ],
)
def test_options_out_of_their_bounds(wrong, part):
    with pytest.raises(ServingError, match="Received") as raised:
        Client(**wrong)
    assert part in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("make", [lambda: Tls(cert="a"), lambda: Tls(key="a"), lambda: Retry(6), lambda: Retry(2, 0)])
def test_tls_and_retry_out_of_their_bounds(make):
    with pytest.raises(ServingError, match="Received"):
        make()


@pytest.mark.parametrize(
    "target", ["[::1]:8500", "127.0.0.1:1", "dns:///a.b:1", "unix:/tmp/s", "ipv4:1.2.3.4:5,6.7.8.9:1"]
)
def test_targets_that_grpc_takes(target):
    assert ClientOptions(target).target == target


def test_the_default_targets_are_tf_servings_ports():
    assert (ClientOptions().target, ClientOptions(rest=True).target) == ("localhost:8500", "localhost:8501")


def test_a_lookup_that_fails_still_leaves_a_message():
    for code in ("NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION"):
        failed = Failure(code, "said")
        assert isinstance(lookup_for(failed), Lookup)
        assert "said" in str(error_for(failed, ClientOptions()))


@pytest.mark.parametrize(
    "changes",
    [{"model": "m"}, {"version": 7}, {"label": "canary"}, {"signature": "z"}, {"input_name": "headline"}],
    ids=lambda changes: next(iter(changes)),
)
def test_the_finding_is_the_message_without_the_commands_options(options, changes):
    error = failure(options, **changes)
    assert str(error).startswith(f"{error.finding} ")
    assert "Received: " in error.finding
    assert "--" not in error.finding
    assert "--" in str(error)


@pytest.mark.parametrize("code", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED", "UNKNOWN"])
@pytest.mark.parametrize("said", ["connect: Connection refused (111)", "Socket closed", "DNS resolution failed", "odd"])
def test_no_finding_has_a_commands_option(code, said):
    error = error_for(Failure(code, said), ClientOptions())
    assert "--" not in error.finding
    assert str(error).startswith(error.finding)


def test_a_wrong_targets_finding_has_no_option():
    with pytest.raises(ServingError) as raised:
        ClientOptions("here")
    assert raised.value.finding.endswith("Received: 'here'.")
    assert str(raised.value) == f"{raised.value.finding} Give --target."
