"""The command line: tensorflow_model_server's flags in their own spelling. Imports nothing heavy, for `--help`."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
from collections.abc import Callable, Sequence
from typing import TypeVar

import click

_HELP = """The local server of clickbait-tfx: serves one model from a folder of versions, over gRPC and REST.

It takes the flags and gives the answers of tensorflow_model_server 2.16.1, so that laptops, tests and infra validation
need no binary. It is written in Python: production uses the image tensorflow/serving.

Flags are written --flag=value or --flag value.
"""

#: Flags of tensorflow_model_server that change nothing here, with the kind of their value.
IGNORED: dict[str, type] = {
    "batching_parameters_file": str,
    "enable_batching": bool,
    "enable_per_model_batching_parameters": bool,
    "enable_profiler": bool,
    "enable_signature_method_name_check": bool,
    "flush_filesystem_caches": bool,
    "mixed_precision": str,
    "monitoring_config_file": str,
    "num_load_threads": int,
    "num_tflite_interpreters_per_pool": int,
    "num_tflite_pools": int,
    "num_unload_threads": int,
    "per_process_gpu_memory_fraction": float,
    "platform_config_file": str,
    "prefer_tflite_model": bool,
    "remove_unused_fields_from_bundle_metagraph": bool,
    "rest_api_enable_cors_support": bool,
    "skip_initialize_tpu": bool,
    "tensorflow_session_config_file": str,
    "thread_pool_factory_config_file": str,
    "use_alts_credentials": bool,
    "xla_cpu_compilation_enabled": bool,
}

#: Notes for users of ignored flags, who would expect an effect.
IGNORED_NOTES = {
    "enable_batching": "calls of a few texts that wait for a core are joined anyway",
    "monitoring_config_file": "there are no Prometheus metrics here",
    "use_alts_credentials": "use --ssl_config_file for an encrypted connection",
}

_Value = TypeVar("_Value", str, bool, int, float)

_INT32 = click.IntRange(-(2**31), 2**31 - 1)
_PORT = click.IntRange(0, 65535)


def _flag(default: _Value, help_text: str, kind: click.ParamType[_Value] | None = None) -> _Value:
    return dataclasses.field(default=default, metadata={"help": help_text, "kind": kind})


@dataclasses.dataclass(frozen=True)
class Flags:
    """The flags that are heeded; names, defaults and meaning are tensorflow_model_server's."""

    host: str = _flag("127.0.0.1", "Ours: the address to listen on; 0.0.0.0 for all, as tensorflow_model_server does.")
    port: int = _flag(8500, "TCP port for gRPC; 0 for none.", _PORT)
    grpc_socket_path: str = _flag("", "UNIX socket for gRPC.")
    rest_api_port: int = _flag(0, "TCP port for REST; 0 for none.", _PORT)
    rest_api_num_threads: int = _flag(0, "REST requests at a time; 0 for 32 a CPU.", click.IntRange(0, 10_000))
    rest_api_timeout_in_ms: int = _flag(30_000, "How long a REST request may run; 0 for ever.", _INT32)
    model_name: str = _flag("default", "The model's name; not with --model_config_file.")
    model_base_path: str = _flag("", "The folder that holds the numbered versions; not with --model_config_file.")
    model_config_file: str = _flag("", "Text proto of a ModelServerConfig with one model, its policy and its labels.")
    model_config_file_poll_wait_seconds: int = _flag(0, "How often that file is read again; 0 for never.", _INT32)
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, "Lets a new label point to a version that is not loaded yet; needed for labels at the start."
    )
    file_system_poll_wait_seconds: int = _flag(1, "How often the folder is listed; 0 for once.", _INT32)
    max_num_load_retries: int = _flag(5, "How often a failed load is tried again.", _INT32)
    load_retry_interval_micros: int = _flag(60_000_000, "The time between two tries.", click.INT)
    enable_model_warmup: bool = _flag(True, "Replays assets.extra/tf_serving_warmup_requests before a version serves.")
    num_request_iterations_for_warmup: int = _flag(0, "How often each of them is replayed; 0 for once.", _INT32)
    saved_model_tags: str = _flag("serve", "Tags of the graph in the SavedModel, separated by commas.")
    tensorflow_session_parallelism: int = _flag(0, "Both of the following at once.", _INT32)
    tensorflow_intra_op_parallelism: int = _flag(0, "Threads within an op; ours: 0 for one.", _INT32)
    tensorflow_inter_op_parallelism: int = _flag(0, "Ops at a time; 0 for one a core.", _INT32)
    ssl_config_file: str = _flag("", "Text proto of an SSLConfig: server_key, server_cert, custom_ca, client_verify.")
    grpc_channel_arguments: str = _flag("", "E.g. grpc.max_connection_age_ms=2000, separated by commas.")
    enable_grpc_healthcheck_service: bool = _flag(False, "Answers grpc.health.v1.")
    grpc_max_threads: int = _flag(0, "gRPC requests at a time; 0 for 32 a CPU.", click.IntRange(0, 10_000))
    request_log_dir: str = _flag(
        "", "Ours: logs requests and scores, users' texts, into this folder, as PredictionLog.  [default: not]"
    )
    request_log_sampling_rate: float = _flag(
        1.0, "Ours: the share of the requests that is logged there.", click.FloatRange(0, 1, min_open=True)
    )
    shutdown_grace_seconds: float = _flag(
        10.0, "Ours: how long requests may take to finish after SIGTERM or SIGINT.", click.FloatRange(0, 3600)
    )


def parse_flags(arguments: Sequence[str]) -> tuple[Flags, list[str]]:
    """Reads the command line.

    Args:
      arguments: without the program's name.

    Returns:
      The flags, and the names of those that were given and change nothing.

    Raises:
      click.ClickException: a flag is unknown or has no such value.
      click.exceptions.Exit: `--help` or `--version` was given and answered.
    """
    command = _command()
    with command.make_context("clickbait-server", list(arguments)) as context:
        values = context.params
    given = [name for name in IGNORED if values.pop(name) is not None]
    flags = Flags(**values)
    _check(flags)
    return flags, given


def valued_flags() -> set[str]:
    """The names of the flags that are followed by a value; a bare flag of the others is true."""
    kinds = {field.name: type(field.default) for field in dataclasses.fields(Flags)} | IGNORED
    return {name for name, kind in kinds.items() if kind is not bool}


def _check(flags: Flags) -> None:
    if not flags.port and not flags.grpc_socket_path:
        raise click.UsageError(
            "--port or --grpc_socket_path must be given for gRPC. Received: --port=0. Give one of them."
        )
    if flags.port and flags.port == flags.rest_api_port:
        raise click.UsageError(
            f"gRPC and REST must have different ports. Received: {flags.port} for both. Give another --rest_api_port."
        )
    if flags.request_log_sampling_rate < 1 and not flags.request_log_dir:
        raise click.UsageError(
            "--request_log_sampling_rate must come with --request_log_dir. Received: "
            f"--request_log_sampling_rate={flags.request_log_sampling_rate} alone. Give --request_log_dir, too."
        )
    if not flags.model_base_path and not flags.model_config_file:
        raise click.UsageError(
            "A model must be given. Received: neither --model_base_path nor --model_config_file. "
            "Give --model_base_path=/path/to/model, the folder above the numbered versions."
        )


def _command() -> click.Command:
    defaults = vars(Flags())
    options: list[click.Parameter] = [
        _option(
            field.name,
            field.metadata["kind"] or type(defaults[field.name]),
            defaults[field.name],
            field.metadata["help"],
        )
        for field in dataclasses.fields(Flags)
    ]
    options += [_option(name, kind, None, None) for name, kind in IGNORED.items()]
    options.append(click.Option(["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_show_version))
    epilog = "Accepted and without effect here: " + ", ".join(f"--{name}" for name in IGNORED) + "."
    return click.Command(
        "clickbait-server",
        params=options,
        help=_HELP,
        epilog=epilog,
        no_args_is_help=True,
        context_settings={"help_option_names": ["--help"], "max_content_width": 120},
    )


def _option(
    name: str, kind: type | click.ParamType[object], default: str | float | None, help_text: str | None
) -> click.Option:
    # A bare `--enable_batching` is true, and `--enable_batching=false` is possible, too.
    metavars: dict[object, str] = {bool: "[=BOOL]", str: "TEXT"}
    make: Callable[..., click.Option] = click.Option
    if kind is bool:
        make = functools.partial(click.Option, is_flag=False, flag_value="true")
    return make(
        [f"--{name}", name],
        type=kind,
        default=default,
        help=help_text,
        hidden=help_text is None,
        show_default=default not in (None, ""),
        metavar=metavars.get(kind, "N"),
    )


def _show_version(context: click.Context, option: click.Parameter, value: bool) -> None:
    if not value:
        return
    click.echo(f"clickbait-tfx local server {importlib.metadata.version('clickbait-tfx')}")
    click.echo("TensorFlow ModelServer: 2.16.1 (its flags and answers; this is not its binary)")
    click.echo(f"TensorFlow Library: {importlib.metadata.version('tensorflow')}")
    context.exit()
