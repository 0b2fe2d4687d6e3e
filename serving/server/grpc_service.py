"""The gRPC side: PredictionService, ModelService and, where a flag asks for it, grpc.health.v1."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from serving.protocol.messages import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelSpec,
    PredictRequest,
    PredictResponse,
    ReloadConfigRequest,
    ReloadConfigResponse,
)
from serving.protocol.methods import MODEL_SERVICE, PREDICTION_SERVICE, Method
from serving.request_log import writer
from serving.request_log.writer import RequestLog
from serving.server.config import model_config_from_proto
from serving.server.errors import ServingError, StartError, cut_message, invalid_argument, unsupported_method
from serving.server.manager import VersionManager
from serving.server.metadata import check_metadata_fields, model_metadata, model_status
from serving.server.predict import predict
from serving.server.servable import Servable, trim_memory

log = logging.getLogger("clickbait.server")

_Request: TypeAlias = PredictRequest | GetModelMetadataRequest | GetModelStatusRequest
_Response = TypeVar("_Response", bound=Message)
_Behavior: TypeAlias = Callable[[Any, grpc.ServicerContext], Message]
"""Answers a request, or raises a ServingError."""

#: Of a deadline; what is later is none.
_MAX_SECONDS = 1e6

#: A call holds its message in memory until it is answered. TF Serving takes 2 GiB.
_MAX_MESSAGE_BYTES = 64 << 20
_MAX_CALLS = 1024
_LARGE_MESSAGE_BYTES = 1 << 20

#: The names under which the real server reports its health, and the whole.
_HEALTH_NAMES = ("", "PredictionService", "ModelService")


class PredictionService:
    """The service for inference. Classify, Regress and MultiInference answer UNIMPLEMENTED."""

    def __init__(self, manager: VersionManager[Servable], request_log: RequestLog | None = None):
        self._manager = manager
        self._request_log = request_log

    @property
    def behaviors(self) -> dict[str, _Behavior]:
        """Functions by the name of the method."""
        refusals = {name: functools.partial(_refuse, name) for name in PREDICTION_SERVICE}
        return {**refusals, "Predict": self._predict, "GetModelMetadata": self._metadata}

    def _predict(self, request: PredictRequest, context: grpc.ServicerContext) -> PredictResponse:
        seconds = context.time_remaining()
        timeout_ms = 0 if seconds is None or seconds > _MAX_SECONDS else max(int(seconds * 1000), 1)
        try:
            response = self._with_model(request, lambda servable: predict(servable, request, timeout_ms))
        finally:
            if request.ByteSize() > _LARGE_MESSAGE_BYTES:
                trim_memory()
        if self._request_log:
            self._request_log.offer(writer.PREDICT, lambda: (request, response))
        return response

    def _metadata(self, request: GetModelMetadataRequest, _: grpc.ServicerContext) -> GetModelMetadataResponse:
        _check_model_spec(request)
        check_metadata_fields(request)
        return self._with_model(request, model_metadata)

    def _with_model(self, request: _Request, work: Callable[[Servable], _Response]) -> _Response:
        _check_model_spec(request)
        with self._manager.acquire(request.model_spec.name, *version_choice(request.model_spec)) as servable:
            return work(servable)


class ModelService:
    """The service for the states of versions, and for a new policy or new labels without a restart."""

    def __init__(self, manager: VersionManager[Servable], *, unavailable_labels: bool):
        self._manager = manager
        self._unavailable_labels = unavailable_labels

    @property
    def behaviors(self) -> dict[str, _Behavior]:
        """Functions by the name of the method."""
        return {"GetModelStatus": self._status, "HandleReloadConfigRequest": self._reload}

    def _status(self, request: GetModelStatusRequest, _: grpc.ServicerContext) -> GetModelStatusResponse:
        _check_model_spec(request)
        name, (version, _label) = request.model_spec.name, version_choice(request.model_spec)
        return model_status(self._manager.statuses(name), name, version)

    def _reload(self, request: ReloadConfigRequest, _: grpc.ServicerContext) -> ReloadConfigResponse:
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        config = model_config_from_proto(request.config, self._manager.config)
        self._manager.reconfigure(config, unavailable_labels=self._unavailable_labels)
        response = ReloadConfigResponse()
        response.status.error_code = 0
        return response


class GrpcServer:
    """The gRPC server. Each request occupies one of the threads."""

    def __init__(
        self,
        manager: VersionManager[Servable],
        *,
        threads: int,
        unavailable_labels: bool,
        channel_arguments: str = "",
        request_log: RequestLog | None = None,
        health_service: bool = False,
    ):
        limits = {
            "grpc.max_receive_message_length": _MAX_MESSAGE_BYTES,
            "grpc.max_send_message_length": -1,
            # A second server on the port is a mistake, not a wish to share it.
            "grpc.so_reuseport": 0,
        }
        self._server = grpc.server(
            futures.ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
            options=list({**limits, **_channel_options(channel_arguments)}.items()),
            maximum_concurrent_rpcs=_MAX_CALLS,
        )
        self._health = health.HealthServicer()
        _register(self._server, PREDICTION_SERVICE, PredictionService(manager, request_log).behaviors)
        model_service = ModelService(manager, unavailable_labels=unavailable_labels)
        _register(self._server, MODEL_SERVICE, model_service.behaviors)
        if health_service:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    def listen(self, address: str, credentials: grpc.ServerCredentials | None) -> None:
        """Binds an address, `host:port` or `unix:path`.

        Raises:
          StartError: it is in use or cannot be bound.
        """
        try:
            if credentials is None:
                bound = self._server.add_insecure_port(address)
            else:
                bound = self._server.add_secure_port(address, credentials)
        except RuntimeError:
            bound = 0
        if not bound:
            socket = Path(address.removeprefix("unix:"))
            hint = "Delete the socket" if address.startswith("unix:") and socket.exists() else "Give another --port"
            raise StartError(
                f"The address of gRPC must be free. Received: {address}, which cannot be bound "
                f"(in use, no such host, or a wrong key in --ssl_config_file). {hint}."
            )

    def start(self) -> None:
        """Accepts requests and reports itself healthy."""
        self._server.start()
        for name in _HEALTH_NAMES:
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace_seconds: float) -> threading.Event:
        """Reports NOT_SERVING and takes no more requests; returns an event that is set when the last is answered."""
        self._health.enter_graceful_shutdown()
        stopped: threading.Event = self._server.stop(grace_seconds)
        return stopped


def version_choice(spec: ModelSpec) -> tuple[int | None, str | None]:
    """Returns the version or the label that a request names."""
    choice = spec.WhichOneof("version_choice")
    return (
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
    )


def _check_model_spec(request: _Request) -> None:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")


def _refuse(method: str, *_: object) -> NoReturn:
    raise unsupported_method(method)


def _register(server: grpc.Server, methods: Mapping[str, Method[Any, Any]], behaviors: Mapping[str, _Behavior]) -> None:
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            functools.partial(_answer, behaviors[name]),
            request_deserializer=method.request.FromString,
            response_serializer=method.response.SerializeToString,
        )
        for name, method in methods.items()
    }
    service = next(iter(methods.values())).path.split("/")[1]
    server.add_registered_method_handlers(service, handlers)


def _answer(behavior: _Behavior, request: Message, context: grpc.ServicerContext) -> Message:
    try:
        return behavior(request, context)
    except ServingError as error:
        code, message = error.code, error.message
    except Exception as error:
        log.exception("a request failed with an unexpected error")
        code, message = grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}"
    context.abort(code, cut_message(message))
    raise AssertionError("abort must raise")


def _channel_options(text: str) -> dict[str, int | str]:
    options: dict[str, int | str] = {}
    for argument in filter(None, text.split(",")):
        name, equals, value = argument.partition("=")
        if not equals:
            raise StartError(
                f"--grpc_channel_arguments must be name=value, separated by commas. Received: {argument}. "
                "Write e.g. grpc.max_connection_age_ms=2000."
            )
        options[name] = int(value) if value.lstrip("-").isdecimal() else value
    return options
