"""`clickbait serve` takes the real server where there is one, and fills in what was not given."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from serving.serve import docker_command, find_binary, for_real_server, with_defaults
from tests.serving.manifests.files import server


def test_without_flags_it_serves_what_runs_pushed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert with_defaults([], {}) == [
        "--port=8500",
        "--rest_api_port=8501",
        "--model_name=clickbait",
        f"--model_base_path={tmp_path / 'output' / 'serving' / 'clickbait'}",
    ]


@pytest.mark.parametrize("given", [["--port=9", "--model_name=mine"], ["--port", "9", "--model_name", "mine"]])
def test_what_is_given_stays(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert with_defaults(given, {}) == [
        "--port=9",
        "--model_name=mine",
        "--rest_api_port=8501",
        f"--model_base_path={tmp_path / 'output' / 'serving' / 'mine'}",
    ]


def test_a_value_is_joined_to_its_flag_as_the_real_server_wants_it():
    given = ["--model_config_file", "a b", "--enable_batching", "--port", "1", "--rest_api_port=2", "--own", "x"]
    assert with_defaults(given, {}) == [
        "--model_config_file=a b",
        "--enable_batching",
        "--port=1",
        "--rest_api_port=2",
        "--own",
        "x",
    ]
    assert with_defaults(["--model_config_file=m", "--rest_api_port=2", "--port"], {})[2] == "--port"


def test_the_last_of_two_values_counts(tmp_path):
    flags = with_defaults(["--model_name=one", "--model_name", "two"], {"CLICKBAIT__OUTPUT": str(tmp_path)})
    assert flags[-1] == f"--model_base_path={tmp_path / 'serving' / 'two'}"


@pytest.mark.parametrize(("named", "folder"), [("here", "here"), ("~/there", "home/there"), ("", "output")])
def test_the_environment_names_the_output_as_it_does_for_run(tmp_path, monkeypatch, named, folder):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert with_defaults([], {"CLICKBAIT__OUTPUT": named})[-1] == (
        f"--model_base_path={tmp_path / folder / 'serving' / 'clickbait'}"
    )


def test_a_configuration_file_says_name_and_folder_itself():
    assert with_defaults(["--model_config_file=m.config", "--port=1", "--rest_api_port=2"], {}) == [
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


def test_the_real_server_has_the_deployment_s_loading_and_threads():
    assert for_real_server(["--grpc_max_threads=8"], "it") == [
        "--grpc_max_threads=8",
        "--num_load_threads=2",
        "--max_num_load_retries=2",
    ]
    flags = {*for_real_server([], "it")}
    assert flags <= {*server()["args"]}


def test_the_real_server_gets_the_flags_that_were_given(binary):
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
        "real server: --port=7 --enable_batching --model_base_path=/models/m --rest_api_port=8501 "
        "--model_name=clickbait --num_load_threads=2 --max_num_load_retries=2 --grpc_max_threads=64\n"
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


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A docker on PATH."""
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_docker_mounts_the_folder_and_publishes_the_ports_on_loopback(docker, monkeypatch):
    command = docker_command(with_defaults(["--model_base_path=/srv/models/m", "--port=7"], {}))
    text = " ".join(command)
    assert text.startswith("docker run --rm --init -p 127.0.0.1:7:7 -p 127.0.0.1:8501:8501 ")
    assert f"source={Path('/srv/models/m')},target=/models/clickbait,readonly" in text
    assert "--model_base_path=/models/clickbait" in text
    assert "--model_base_path=/srv" not in text
    monkeypatch.setenv("PATH", "")
    with pytest.raises(click.UsageError, match="docker must be on PATH"):
        docker_command(with_defaults([], {}))


@pytest.mark.parametrize("given", [["--model_base_path", "/srv/m", "--port", "9"], ["--model_base_path=/srv/m"]])
def test_docker_gets_no_word_that_is_no_flag(docker, given):
    command = docker_command(with_defaults([*given, "--rest_api_port=0"], {}))
    after_image = command[command.index("--entrypoint") + 3 :]
    assert [word for word in after_image if not word.startswith("--")] == []
    assert [word for word in after_image if "/srv" in word] == []


def test_a_port_that_is_off_is_not_published(docker):
    command = docker_command(with_defaults(["--model_base_path=/srv/m", "--rest_api_port=0"], {}))
    assert command.count("-p") == 1
    assert "127.0.0.1:8500:8500" in command
    assert "--rest_api_port=0" in command


@pytest.mark.parametrize(
    "name",
    [
        *("ssl_config_file", "batching_parameters_file", "monitoring_config_file", "platform_config_file"),
        *("model_config_file", "tensorflow_session_config_file", "grpc_socket_path"),
    ],
)
def test_docker_refuses_files_of_this_machine(docker, name):
    with pytest.raises(click.UsageError, match=f"Received: --{name}=/etc/x.") as raised:
        docker_command(with_defaults(["--model_base_path=/srv/m", f"--{name}", "/etc/x"], {}))
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--demo", "--docker"], "--demo must be given without --docker"),
        (["--demo", "--rest_api_port", "0"], "--demo must have a port of REST. Received: --rest_api_port=0."),
    ],
)
def test_the_demo_page_is_the_local_servers_own_over_rest(flags, message):
    call = [sys.executable, "-m", "pipeline", "serve", *flags]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and message in done.stderr


def test_without_the_demo_nothing_of_it_is_imported():
    names = "[name for name in sys.modules if 'demo' in name or 'components' in name]"
    code = f"import sys, pipeline.commands.serve; print({names})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
