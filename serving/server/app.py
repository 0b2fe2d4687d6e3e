"""The server as a whole: loads, waits for a version, listens, follows the folder, and ends without losing a request."""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from pathlib import Path

from serving.server.config import read_model_config_file
from serving.server.demo.api import DemoApi, Variants
from serving.server.errors import ServingError
from serving.server.flags import Flags
from serving.server.grpc_service import GrpcServer
from serving.server.manager import LoadRetry, VersionManager
from serving.server.preflight import Plan
from serving.server.rest.api import RestApi
from serving.server.rest.server import RestServer
from serving.server.servable import LoadOptions, Servable
from serving.server.warmup import load_servable

log = logging.getLogger("clickbait.server")

#: Far more than compute at once: calls that wait are joined.
_THREADS_A_CPU = 32


def run_server(plan: Plan, stopping: threading.Event, variants: Variants | None = None) -> None:
    """Serves until it is stopped.

    Args:
      plan: the checked flags, the model and the credentials.
      stopping: an event that stops the server.
      variants: what the demo page shows of a headline; without it there is no such page.

    Raises:
      StartError: no version loads, or an address cannot be bound after all.
    """
    flags, config = plan.flags, plan.config
    manager = VersionManager(
        config,
        functools.partial(_load, flags, config.name),
        LoadRetry(flags.max_num_load_retries, flags.load_retry_interval_micros / 1e6),
    )
    grpc_server = GrpcServer(
        manager,
        threads=_threads(flags.grpc_max_threads),
        unavailable_labels=flags.allow_version_labels_for_unavailable_models,
        channel_arguments=flags.grpc_channel_arguments,
        request_log=plan.request_log,
        health_service=flags.enable_grpc_healthcheck_service,
    )
    threading.Thread(target=_follow, args=(manager, flags, stopping), name="versions", daemon=True).start()
    log.info("waiting for a version of model %s in %s; ports open then", config.name, config.base_path)
    if not manager.wait_until_available(stopping):
        log.info("stopped before a version was available")
        return
    if flags.port:
        grpc_server.listen(f"{_bracketed(flags.host)}:{flags.port}", plan.credentials)
    if flags.grpc_socket_path:
        grpc_server.listen(f"unix:{flags.grpc_socket_path}", plan.credentials)
    rest = None
    if flags.rest_api_port:
        options = (flags.rest_api_timeout_in_ms, plan.request_log)
        api = RestApi(manager, *options) if variants is None else DemoApi(manager, variants, *options)
        rest = RestServer(api, flags.host, flags.rest_api_port, _threads(flags.rest_api_num_threads))
        rest.start()
    grpc_server.start()
    log.info("serving model %s: %s", config.name, _addresses(flags))
    if variants is not None:
        log.info("the demo page: http://%s:%d/", _bracketed(flags.host), flags.rest_api_port)
    if plan.request_log:
        log.info("logging requests, users' texts, to %s", plan.request_log.folder)
    stopping.wait()
    log.info("stopping: new requests are refused, running ones have %g s", flags.shutdown_grace_seconds)
    finished = grpc_server.stop(flags.shutdown_grace_seconds)
    if rest:
        rest.stop(flags.shutdown_grace_seconds)
    finished.wait()
    if plan.request_log:
        plan.request_log.close()
    log.info("stopped")


def _load(flags: Flags, name: str, version: int, path: Path) -> Servable:
    both = flags.tensorflow_session_parallelism
    options = LoadOptions(
        tags=tuple(flags.saved_model_tags.split(",")),
        intra_op_threads=flags.tensorflow_intra_op_parallelism or both or LoadOptions.intra_op_threads,
        inter_op_threads=flags.tensorflow_inter_op_parallelism or both or LoadOptions.inter_op_threads,
    )
    rounds = max(flags.num_request_iterations_for_warmup, 1) if flags.enable_model_warmup else 0
    return load_servable(name, version, path, options, rounds)


def _follow(manager: VersionManager[Servable], flags: Flags, stopping: threading.Event) -> None:
    """Polls the folder, and the configuration file where a flag enables that, until the server stops."""
    seconds, config_seconds = flags.file_system_poll_wait_seconds, flags.model_config_file_poll_wait_seconds
    reads_config = bool(flags.model_config_file) and config_seconds > 0
    next_config = time.monotonic() + config_seconds
    while seconds >= 0 and not stopping.is_set():
        try:
            if reads_config and time.monotonic() >= next_config:
                next_config = time.monotonic() + config_seconds
                _read_config_again(manager, flags)
            manager.poll()
        except Exception:
            log.exception("looking for versions failed with an unexpected error; trying again")
        if seconds == 0:
            return
        stopping.wait(seconds)


def _read_config_again(manager: VersionManager[Servable], flags: Flags) -> None:
    try:
        config = read_model_config_file(flags.model_config_file, manager.config)
        manager.reconfigure(config, unavailable_labels=flags.allow_version_labels_for_unavailable_models)
    except ServingError as error:
        log.error("%s is not applied: %s", flags.model_config_file, error.message)


def _threads(wanted: int) -> int:
    return wanted or _THREADS_A_CPU * (os.cpu_count() or 1)


def _addresses(flags: Flags) -> str:
    addresses = []
    if flags.port:
        addresses.append(f"gRPC at {_bracketed(flags.host)}:{flags.port}{' (TLS)' if flags.ssl_config_file else ''}")
    if flags.grpc_socket_path:
        addresses.append(f"gRPC at unix:{flags.grpc_socket_path}")
    if flags.rest_api_port:
        addresses.append(f"REST at http://{_bracketed(flags.host)}:{flags.rest_api_port}/v1/models/")
    return ", ".join(addresses)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
