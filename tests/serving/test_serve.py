"""`clickbait serve` takes the real server where there is one, and fills in what was not given."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from serving.serve import docker_command, find_binary, with_defaults


def test_without_flags_it_serves_what_runs_pushed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert with_defaults([]) == [
        "--port=8500",
        "--rest_api_port=8501",
        "--model_name=clickbait",
        f"--model_base_path={tmp_path / 'output' / 'serving' / 'clickbait'}",
    ]


@pytest.mark.parametrize("given", [["--port=9", "--model_name=mine"], ["--port", "9", "--model_name", "mine"]])
def test_what_is_given_stays(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    added = [flag for flag in with_defaults(given) if flag not in given]
    assert added == ["--rest_api_port=8501", f"--model_base_path={tmp_path / 'output' / 'serving' / 'mine'}"]


def test_a_configuration_file_says_name_and_folder_itself():
    assert with_defaults(["--model_config_file=m.config", "--port=1", "--rest_api_port=2"]) == [
        "--model_config_file=m.config",
        "--port=1",
        "--rest_api_port=2",
    ]


@pytest.fixture
def binary(tmp_path):
    """A tensorflow_model_server that prints what it is given."""
    path = tmp_path / "bin" / "tensorflow_model_server"
    path.parent.mkdir()
    path.write_text('#!/bin/sh\necho "real server: $@"\n')
    path.chmod(0o755)
    return path


def test_the_real_server_is_taken_from_path_or_by_its_name(binary, tmp_path):
    assert find_binary({"PATH": str(binary.parent)}) == str(binary)
    assert find_binary({"PATH": "", "TF_MODEL_SERVER": str(binary)}) == str(binary)
    assert find_binary({"PATH": str(tmp_path)}) is None
    with pytest.raises(click.UsageError, match="cannot be run"):
        find_binary({"PATH": "", "TF_MODEL_SERVER": str(tmp_path / "none")})


def test_the_real_server_gets_the_flags_as_they_are(binary):
    call = [
        sys.executable,
        "-m",
        "pipeline",
        "serve",
        "--port=7",
        "--enable_batching",
        "--model_base_path",
        "/models/m",
    ]
    environ = {**os.environ, "TF_MODEL_SERVER": str(binary)}
    done = subprocess.run(call, capture_output=True, text=True, env=environ, check=True)
    assert done.stdout == (
        "real server: --port=7 --enable_batching --model_base_path /models/m --rest_api_port=8501 "
        "--model_name=clickbait\n"
    )
    assert "serving with" in done.stderr


@pytest.mark.parametrize("flag", ["--request_log_dir=logs", "--request_log_sampling_rate=0.5"])
def test_the_real_server_gets_no_flag_that_is_the_local_servers_own(binary, flag):
    call = [sys.executable, "-m", "pipeline", "serve", flag]
    environ = {**os.environ, "TF_MODEL_SERVER": str(binary)}
    done = subprocess.run(call, capture_output=True, text=True, env=environ, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Received: {flag} for {binary}. Let the client log" in done.stderr


def test_help_lists_the_flags_and_says_which_server_it_is():
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "serve", "--help"], capture_output=True, text=True, check=True
    )
    for word in ("--docker", "--model_base_path", "--rest_api_port", "local server"):
        assert word in done.stdout


def test_docker_mounts_the_folder_and_publishes_the_ports_on_loopback(tmp_path, monkeypatch):
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    command = docker_command(with_defaults(["--model_base_path=/srv/models/m", "--port=7"]))
    text = " ".join(command)
    assert text.startswith("docker run --rm --init -p 127.0.0.1:7:7 -p 127.0.0.1:8501:8501 ")
    assert f"source={Path('/srv/models/m')},target=/models/clickbait,readonly" in text
    assert "--model_base_path=/models/clickbait" in text
    assert "--model_base_path=/srv" not in text
    monkeypatch.setenv("PATH", "")
    with pytest.raises(click.UsageError, match="no docker on PATH"):
        docker_command(with_defaults([]))
