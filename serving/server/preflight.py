"""Checks the flags and their files before TensorFlow is imported and a model is loaded."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path

import grpc

from serving.request_log.options import LogOptions, RequestLogError
from serving.request_log.writer import RequestLog
from serving.server.config import ModelConfig, model_config_from_flags, server_credentials
from serving.server.errors import StartError
from serving.server.flags import Flags


@dataclasses.dataclass(frozen=True)
class Plan:
    """The checked flags, with the objects that they name."""

    flags: Flags
    config: ModelConfig
    credentials: grpc.ServerCredentials | None
    request_log: RequestLog | None


def make_plan(flags: Flags) -> Plan:
    """Reads the files that the flags name, and checks that the ports are free.

    Raises:
      StartError: a file cannot be read or used, or a port is in use.
    """
    config = model_config_from_flags(flags)
    if config.labels and not flags.allow_version_labels_for_unavailable_models:
        label, version = next(iter(config.labels.items()))
        raise StartError(
            f"Request to assign label to version {version} of model {config.name}, which is not currently available "
            f"for inference. Received: label {label!r} in {flags.model_config_file}. Nothing is available at the "
            "start: give --allow_version_labels_for_unavailable_models."
        )
    credentials = server_credentials(flags.ssl_config_file) if flags.ssl_config_file else None
    for port, flag in ((flags.port, "port"), (flags.rest_api_port, "rest_api_port")):
        if port:
            _check_free(flags.host, port, flag)
    return Plan(flags, config, credentials, _open_request_log(flags, config))


def _open_request_log(flags: Flags, config: ModelConfig) -> RequestLog | None:
    options = config.request_log
    if flags.request_log_dir and options:
        raise StartError(
            "--request_log_dir and a logging_config must not be given together. Received: --request_log_dir="
            f"{flags.request_log_dir} and the logging_config in {flags.model_config_file}. Leave one out."
        )
    if flags.request_log_dir:
        options = LogOptions(Path(flags.request_log_dir), flags.request_log_sampling_rate)
    try:
        return RequestLog(options) if options else None
    except RequestLogError as error:
        raise StartError(str(error)) from error


def _check_free(host: str, port: int, flag: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise StartError(
            f"The server's address must be free. Received: {host}:{port}: {error.strerror or error}. "
            f"Give another --{flag} or --host."
        ) from error
