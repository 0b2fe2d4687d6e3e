"""Scoring a file by a server that refuses calls, dies, or loses the version: what happens to the rows."""

from __future__ import annotations

import csv
import socket
import subprocess
import sys
import threading
import time

import pytest

from serving.client import Client, ClientOptions, Retry, ServingError
from serving.client.bulk.score import Reporter, score_file
from serving.client.failures import SHORT_OF_THREADS
from tests.helpers.serving import REAL_SERVER, ServerProcess, write_model
from tests.serving.client.commands import ROOT, predict
from tests.serving.client.fakes import Fault, score
from tests.serving.client.proxy import Chance, Limit, refusing_proxy

ROWS = [(str(number), f"{'word ' * (number * 7 % 13)}{number}") for number in range(3000)]
SHORT = Fault("RESOURCE_EXHAUSTED", "")
GONE = Fault("UNAVAILABLE", "draining")


class Lines(Reporter):
    """Keeps the lines, and does something at each progress."""

    def __init__(self, at_progress=lambda done: None):
        self.lines, self._at_progress = [], at_progress

    def say(self, message):
        self.lines.append(message)

    def progress(self, done, total):
        self._at_progress(done)


def quick(target, **changes) -> ClientOptions:
    """Options of small calls and short pauses; a chunk is 320 rows."""
    retry = Retry(first_pause_s=0.005, longest_pause_s=0.05)
    return ClientOptions(target, **{"rows_per_call": 20, "timeout_s": 10.0, "retry": retry, **changes})


def run(options, source, output, at_progress=lambda done: None):
    reporter = Lines(at_progress)
    return score_file(options, source, output, text_column="title", reporter=reporter), reporter.lines


def check(output):
    """All rows are there once, in order, with their scores."""
    with output.open(newline="") as stream:
        rows = [(row["id"], row["title"], float(row["probability"])) for row in csv.DictReader(stream)]
    assert rows == [(number, text, score(text)) for number, text in ROWS]
    assert list(output.parent.glob("out.csv.*")) == []


def check_kept(output, error, command="the same command"):
    """Nothing is written yet, and the error says how many rows are scored and how to go on."""
    assert not output.exists()
    assert (output.with_name("out.csv.partial") / "scores").stat().st_size > 0
    assert "of 3,000 rows are scored and kept" in str(error)
    assert f"{command} goes on" in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "admit", [Limit(1), Limit(2), Limit(4), Chance(0.3)], ids=["1 thread", "2 threads", "4 threads", "30 %"]
)
def test_no_row_is_lost_or_scored_twice_where_calls_are_refused(target, source, output, model, admit):
    model.delay_s = 0.002
    with refusing_proxy(target, admit) as short_target:
        result, lines = run(quick(short_target), source, output)
    assert (result.rows, result.resumed_rows) == (3000, 0)
    check(output)
    assert lines == ([SHORT_OF_THREADS] if admit.refused else [])
    assert bool(admit.refused) == (not isinstance(admit, Limit) or admit.most_at_once < 4)
    assert sum(map(len, model.calls)) == 3000


@pytest.mark.slow
def test_a_server_with_two_threads(source, output, tmp_path):
    """The local server lets calls wait; a real one, which TF_SERVING_BINARY names, refuses them."""
    write_model(tmp_path / "m" / "1")
    with ServerProcess(tmp_path / "m", tmp_path / "log", "m", "--grpc_max_threads=2") as server:
        server.wait_until_ready()
        run(quick(f"localhost:{server.port}", model="m", calls_in_flight=8), source, output)
    with output.open(newline="") as stream:
        rows = [(row["id"], row["title"], float(row["probability"])) for row in csv.DictReader(stream)]
    assert rows == [(number, text, 0.25 * len(text)) for number, text in ROWS]


@pytest.mark.skipif(not REAL_SERVER, reason="TF_SERVING_BINARY must name a tensorflow_model_server (docs/serving.md)")
def test_the_suites_ask_a_real_server():
    assert subprocess.run([str(REAL_SERVER), "--version"], capture_output=True, timeout=60).returncode == 0


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_a_call_that_is_refused_is_sent_again_over_both_transports(request, model, source, output, rest):
    options = quick(request.getfixturevalue("rest_target" if rest else "target"), rest=rest)
    for calls in (3, 50, 51, 100):
        model.after(calls, lambda: model.faults.append(SHORT))
    assert run(options, source, output)[1] == [SHORT_OF_THREADS]
    check(output)


def test_the_command_says_once_that_the_server_is_short_of_threads(target, source, output, model):
    model.delay_s = 0.01
    arguments = ("--input", source, "--rows-per-call", 100)
    with refusing_proxy(target, Limit(1)) as short_target:
        to_file = predict(*arguments, "--output", output, "--target", short_target)
        printed = predict(*arguments, "--target", short_target)
    assert (to_file.returncode, to_file.stderr) == (0, f"{SHORT_OF_THREADS}\n")
    assert (printed.returncode, printed.stderr) == (0, f"{SHORT_OF_THREADS}\n")
    assert [line.split()[0] for line in printed.stdout.splitlines()] == [f"{score(text):.3f}" for _, text in ROWS]
    check(output)


@pytest.mark.parametrize(
    ("fault", "parts"),
    [
        (SHORT, ["must have a thread for each call", "--grpc_max_threads=64", "--in-flight 1"]),
        (GONE, ["must be available. Received: draining"]),
    ],
    ids=["refuses", "unavailable"],
)
def test_a_server_that_answers_nothing_any_more_ends_the_run_in_time(target, source, output, model, fault, parts):
    model.after(40, lambda: model.faults.extend([fault] * 100_000))
    options = quick(target, stall_timeout_s=1.0)
    began = time.monotonic()
    with pytest.raises(ServingError, match="must be answered within 1 s. Received: no answer") as raised:
        run(options, source, output)
    assert time.monotonic() - began >= 1.0
    assert (raised.value.exit_code, raised.value.code) == (1, fault.code)
    assert [part for part in parts if part not in str(raised.value)] == []
    check_kept(output, raised.value)
    assert len(model.faults) > 100_000 - 1_000  # the pauses grow
    model.faults.clear()
    assert run(options, source, output)[0].resumed_rows >= 320
    check(output)


def test_a_server_that_never_answered_is_not_waited_for(target, source, model):
    """A wrong address shows at once."""
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        done = predict("--input", source, "--target", f"localhost:{taken.getsockname()[1]}", "--stall-timeout", 600)
    assert done.returncode == 1
    assert "connection refused. Start it" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_message_that_is_too_large_is_not_sent_again(target, source, output, model):
    large = Fault("RESOURCE_EXHAUSTED", "Received message larger than max (9 vs. 8)")
    model.after(60, lambda: model.faults.append(large))
    with pytest.raises(ServingError, match=r"larger than max.*--rows-per-call 10") as raised:
        run(quick(target), source, output)
    check_kept(output, raised.value)


def test_a_server_that_is_unavailable_for_a_while_loses_nothing(target, source, output, model):
    for calls in (5, 60, 140):
        model.after(calls, lambda: model.faults.extend([GONE] * 40))
    run(quick(target), source, output)
    check(output)
    assert not model.faults


def test_calls_without_an_answer_in_time_are_sent_again(target, source, output, model):
    def slow_down():
        model.delay_s = 0.6
        threading.Timer(1.0, setattr, (model, "delay_s", 0.0)).start()

    model.after(60, slow_down)
    run(quick(target, timeout_s=0.3), source, output)
    check(output)


def test_a_server_that_is_too_slow_ends_the_run_in_time(target, source, output, model):
    model.after(60, lambda: setattr(model, "delay_s", 0.4))
    with pytest.raises(ServingError, match="must be answered within 1 s") as raised:
        run(quick(target, timeout_s=0.2, stall_timeout_s=1.0), source, output)
    assert (raised.value.exit_code, raised.value.code) == (1, "DEADLINE_EXCEEDED")
    check_kept(output, raised.value)


def test_a_version_that_is_unloaded_ends_the_run_and_its_rows_go_on_when_it_is_back(target, source, output, model):
    model.after(60, lambda: model.versions.update({3: "END", 4: "AVAILABLE"}))
    with pytest.raises(ServingError, match="Version 3 of 'clickbait' must be available") as raised:
        run(quick(target), source, output)
    assert raised.value.exit_code == 2
    check_kept(output, raised.value, "the same command with --version 3")
    model.versions = {3: "AVAILABLE", 4: "AVAILABLE"}
    model.specs.clear()
    assert run(quick(target, version=3), source, output)[0].resumed_rows >= 320
    assert {spec.version.value for spec in model.specs} == {3}
    check(output)


def test_a_version_that_is_being_loaded_again_is_waited_for(target, source, output, model):
    def load_again():
        model.versions[3] = "LOADING"
        threading.Timer(0.3, model.versions.update, [{3: "AVAILABLE"}]).start()

    model.after(60, load_again)
    run(quick(target), source, output)
    check(output)


def test_a_version_without_its_variables_ends_the_run_and_keeps_the_rows(target, source, output, model):
    text = "Could not find variable encoder/embedding. This could mean that the variable has been deleted."
    model.after(60, lambda: model.faults.append(Fault("FAILED_PRECONDITION", text)))
    with pytest.raises(ServingError, match="must have all variables of 'clickbait' version 3") as raised:
        run(quick(target), source, output)
    assert (raised.value.exit_code, raised.value.code) == (1, "FAILED_PRECONDITION")
    assert "clickbait rollback" in str(raised.value)
    check_kept(output, raised.value)
    assert run(quick(target), source, output)[0].resumed_rows >= 320
    check(output)


@pytest.mark.slow
def test_a_server_that_is_killed_and_started_again_five_times_loses_nothing(source, output):
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        port = taken.getsockname()[1]
    servers = []

    def start_server():
        module = "tests.components.local_infra_validator.fake_server"
        servers.append(subprocess.Popen([sys.executable, "-m", module, "slow", f"--port={port}"], cwd=ROOT))

    def restart(done):
        if len(servers) <= min(5, done // 500):
            servers[-1].kill()
            servers[-1].wait()
            start_server()

    start_server()
    try:
        with Client(f"localhost:{port}") as client:
            client.wait_until_ready(60)
        result, _ = run(quick(f"localhost:{port}", stall_timeout_s=60.0), source, output, restart)
    finally:
        for server in servers:
            server.kill()
            server.wait()
    assert (len(servers), result.rows, result.resumed_rows) == (6, 3000, 0)
    check(output)
