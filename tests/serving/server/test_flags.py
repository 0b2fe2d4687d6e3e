"""The command line: TF Serving's spellings, both forms of a value, and what becomes of the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from serving.server import flags as flags_module
from serving.server.flags import IGNORED, Flags, parse_flags

ROOT = Path(__file__).parents[3]
MODEL = "--model_base_path=/m"


def test_the_defaults_are_tensorflow_model_servers():
    assert parse_flags([MODEL]) == (Flags(model_base_path="/m"), [])
    assert (Flags().port, Flags().rest_api_port, Flags().model_name) == (8500, 0, "default")
    assert (Flags().max_num_load_retries, Flags().load_retry_interval_micros) == (5, 60_000_000)
    assert (Flags().file_system_poll_wait_seconds, Flags().rest_api_timeout_in_ms) == (1, 30_000)


def test_it_listens_on_loopback_unless_told():
    assert parse_flags([MODEL])[0].host == "127.0.0.1"
    assert parse_flags([MODEL, "--host=0.0.0.0"])[0].host == "0.0.0.0"


@pytest.mark.parametrize("arguments", [["--port=9000"], ["--port", "9000"]])
def test_both_forms_of_a_value(arguments):
    assert parse_flags([MODEL, *arguments])[0].port == 9000


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--enable_model_warmup"], True),
        (["--enable_model_warmup=true"], True),
        (["--enable_model_warmup=false"], False),
        (["--enable_model_warmup=0"], False),
        (["--enable_model_warmup", "false"], False),
        (["--enable_model_warmup", "--port=9000"], True),
    ],
)
def test_booleans(arguments, expected):
    assert parse_flags([MODEL, *arguments])[0].enable_model_warmup is expected


def test_flags_without_effect_are_accepted_and_named():
    given = [
        "--enable_batching",
        "--batching_parameters_file=/b",
        "--monitoring_config_file",
        "/m",
        "--num_load_threads=2",
    ]
    assert parse_flags([MODEL, *given])[1] == [
        "batching_parameters_file",
        "enable_batching",
        "monitoring_config_file",
        "num_load_threads",
    ]


def test_no_flag_is_both_heeded_and_ignored():
    assert not set(IGNORED) & {field.name for field in flags_module.dataclasses.fields(Flags)}
    assert set(flags_module.IGNORED_NOTES) <= set(IGNORED)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([MODEL, "--prot=1"], "--port"),
        ([MODEL, "--model_bas_path=/m"], "--model_base_path"),
        ([MODEL, "--port=x"], "'x' is not a valid integer range"),
        ([MODEL, "--port=70000"], "70000"),
        ([MODEL, "--enable_batching=maybe"], "maybe"),
        ([MODEL, "stray"], "stray"),
        ([MODEL, "--port=0"], "--grpc_socket_path"),
        ([MODEL, "--rest_api_port=8500"], "must have different ports"),
        (["--port=1"], "Give --model_base_path=/path/to/model"),
    ],
)
def test_a_wrong_call_says_what_is_right(arguments, message):
    with pytest.raises(click.ClickException) as caught:
        parse_flags(arguments)
    assert message in caught.value.format_message()
    assert caught.value.exit_code == 2


def test_the_server_needs_tensorflow_s_libraries_and_not_its_package():
    probe = "import sys, serving.server.app\nprint([name for name in sys.modules if name.startswith('tensorflow')])"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_and_version_need_no_tensorflow():
    probe = (
        "import sys\nfrom serving.server.__main__ import main\n"
        "codes = [main(['--help']), main(['--version']), main(['--prot'])]\n"
        "print(codes, [name for name in ('tensorflow', 'tensorflow_serving', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[0, 0, 2] []"
    assert "production uses the image tensorflow/serving" in " ".join(done.stdout.split())
    assert "TensorFlow ModelServer: 2.16.1" in done.stdout
    assert all(f"--{name}" in done.stdout.replace("\n  ", " ") for name in IGNORED)
