"""A server is found, started, and ended with whoever started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.local_infra_validator.policy import ServerUnavailable
from components.local_infra_validator.running import RunningServer
from components.local_infra_validator.servers import ServerPlan, identify_server, plan_server
from serving.serve import IMAGE

ROOT = Path(__file__).parents[3]

#: Starts a server that never ends by itself, which writes its process id into a file, and waits.
HOLD = """
import sys, time
from pathlib import Path
from components.local_infra_validator import running
from components.local_infra_validator.running import RunningServer
from components.local_infra_validator.servers import ServerPlan
running._STOP_SECONDS = 0.2
script = f"trap '' TERM; sleep 1000 & echo $$ $! > {sys.argv[1]}.part; mv {sys.argv[1]}.part {sys.argv[1]}; wait; wait"
with RunningServer(ServerPlan("path", ("sh", "-c", script), {}), Path(sys.argv[1] + ".log")):
    time.sleep(1000)
"""


@pytest.fixture
def no_server(monkeypatch, tmp_path):
    """Neither the variable nor the PATH names one."""
    monkeypatch.delenv("TF_MODEL_SERVER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(path: Path, script: str = "exit 0") -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def wait_for(condition, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


# ---- Which server


def test_without_a_binary_it_is_the_local_server(no_server):
    plan = plan_server("auto", Path("/base"), "m", 1234)
    assert plan.kind == "local"
    assert plan.command[:3] == (sys.executable, "-m", "serving.server")
    assert set(plan.command[3:]) >= {"--port=1234", "--model_name=m", "--model_base_path=/base"}
    assert str(ROOT) in plan.environment["PYTHONPATH"].split(os.pathsep)


@pytest.mark.parametrize("kind", ["local", "path"])
def test_a_server_has_the_threads_that_it_will_have_elsewhere(no_server, kind):
    program(no_server / "tensorflow_model_server")
    assert plan_server(kind, Path("/base"), "m", 1234).environment["TF_NUM_INTRAOP_THREADS"] == ""


@pytest.mark.parametrize("kind", ["auto", "path"])
def test_a_binary_on_the_path_is_taken(no_server, kind):
    binary = program(no_server / "tensorflow_model_server")
    plan = plan_server(kind, Path("/base"), "m", 1234)
    assert (plan.kind, plan.command[0]) == ("path", str(binary))


def test_the_variable_goes_before_the_path_and_local_before_both(no_server, monkeypatch):
    program(no_server / "tensorflow_model_server")
    monkeypatch.setenv("TF_MODEL_SERVER", str(program(no_server / "mine")))
    assert plan_server("auto", Path("/base"), "m", 1).command[0] == str(no_server / "mine")
    assert plan_server("local", Path("/base"), "m", 1).kind == "local"


def test_a_variable_that_names_no_program_is_a_mistake_and_no_reason_for_another_server(no_server, monkeypatch):
    monkeypatch.setenv("TF_MODEL_SERVER", "/nowhere/server")
    with pytest.raises(ServerUnavailable, match="Received: /nowhere/server") as raised:
        plan_server("auto", Path("/base"), "m", 1)
    assert raised.value.exit_code == 2


def test_path_and_docker_are_refused_where_there_is_none(no_server):
    with pytest.raises(ServerUnavailable, match="none in TF_MODEL_SERVER or on the PATH"):
        plan_server("path", Path("/base"), "m", 1)
    with pytest.raises(ServerUnavailable, match="must have a Docker that works"):
        plan_server("docker", Path("/base"), "m", 1)


def test_another_server_is_told_from_this_one(no_server, monkeypatch):
    assert identify_server("auto") == identify_server("local") == "local"
    binary = program(no_server / "tensorflow_model_server")
    first = identify_server("auto")
    assert str(binary) in first
    assert identify_server("local") == "local"
    program(binary, "exit 1 # another")
    assert identify_server("auto") != first
    binary.unlink()
    for kind in ("path", "docker"):
        with pytest.raises(ServerUnavailable):
            identify_server(kind)


def test_docker_that_answers_runs_the_official_image_on_the_loopback_address_alone(no_server):
    program(no_server / "docker")
    plan = plan_server("docker", Path("/base"), "m", 1234)
    command = " ".join(plan.command)
    assert "--publish 127.0.0.1:1234:8500" in command
    assert "type=bind,source=/base,target=/models/m,readonly" in command
    assert f"--entrypoint tensorflow_model_server {IMAGE} --port=8500" in command
    assert plan.container in command


def test_docker_s_own_words_are_passed_on(no_server):
    program(no_server / "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    with pytest.raises(ServerUnavailable, match="Cannot connect to the Docker daemon. Start it"):
        plan_server("docker", Path("/base"), "m", 1)


# ---- Its end


def test_it_is_stopped_at_the_end_and_its_log_is_kept(tmp_path):
    plan = ServerPlan("path", ("sh", "-c", "echo one; echo two; exec sleep 1000"), {})
    with RunningServer(plan, tmp_path / "log") as server:
        assert wait_for(lambda: "two" in (tmp_path / "log").read_text())
        assert server.exit_code is None
        assert server.last_words == "one | two"
        assert wait_for(lambda: server.peak_bytes() > 100_000)  # a process that has just begun has little
    assert server.exit_code == 128 + signal.SIGTERM


def test_one_that_ended_by_itself_tells_so(tmp_path):
    with RunningServer(ServerPlan("path", ("sh", "-c", "exit 7"), {}), tmp_path / "log") as server:
        assert wait_for(lambda: server.exit_code == 7)
    assert server.last_words == "nothing in its log"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_memory_is_the_server_s_where_a_script_starts_it(tmp_path):
    hungry = f"{sys.executable} -c 'x = bytearray(200_000_000); print(1, flush=True); import time; time.sleep(99)'"
    with RunningServer(ServerPlan("path", ("sh", "-c", f"{hungry}; exit"), {}), tmp_path / "log") as server:
        assert wait_for(lambda: "1" in (tmp_path / "log").read_text())
        assert server.peak_bytes() > 200_000_000


def test_what_a_server_says_moves_no_cursor(tmp_path):
    with RunningServer(ServerPlan("path", ("printf", "\\033[2J done"), {}), tmp_path / "log") as server:
        assert wait_for(lambda: server.exit_code == 0)
    assert server.last_words == "?[2J done"


def test_a_program_that_cannot_be_run_says_so(tmp_path):
    with RunningServer(ServerPlan("path", (str(tmp_path / "none"),), {}), tmp_path / "log") as server:
        assert wait_for(lambda: server.exit_code == 127)
    assert "none: No such file or directory" in server.last_words


def test_a_container_is_removed_at_the_end(no_server, tmp_path, monkeypatch):
    program(no_server / "docker", f'echo "$@" >> {tmp_path}/calls')
    plan = ServerPlan("docker", ("docker", "run"), {}, "name")
    with RunningServer(plan, tmp_path / "log"):
        pass
    assert (tmp_path / "calls").read_text().splitlines()[-1] == "rm --force name"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and only Linux ends a child with its parent")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill-9"])
def test_neither_it_nor_what_it_starts_outlives_who_started_it_even_if_it_does_not_heed_sigterm(tmp_path, number):
    ids = tmp_path / "ids"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(ids)], env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL
    )
    assert wait_for(ids.exists)
    server, grandchild = map(int, ids.read_text().split())
    holder.send_signal(number)
    holder.wait(20)
    try:
        assert wait_for(lambda: not alive(server) and not alive(grandchild))
    finally:
        if alive(grandchild):
            os.kill(grandchild, signal.SIGKILL)


def test_a_stop_that_comes_before_the_server_is_known_is_passed_on():
    code = """
import os, signal, subprocess, sys
from components.local_infra_validator import child_process
start = subprocess.Popen
def start_and_be_stopped(command):
    program = start(command)
    os.kill(os.getpid(), signal.SIGTERM)
    return program
subprocess.Popen = start_and_be_stopped
sys.exit(child_process.main(os.getppid(), ["sleep", "1000"]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, start_new_session=True)
    assert done.returncode == 128 + signal.SIGTERM
