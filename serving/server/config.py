"""The configuration of the model, its version policy and its labels, from flags or from TF Serving's text protos."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory, text_format

from serving.protocol import messages
from serving.protocol.messages import ModelServerConfig
from serving.request_log.options import LogOptions
from serving.server.errors import ServingError, StartError, failed_precondition, invalid_argument, not_found
from serving.server.flags import Flags

_Proto = TypeVar("_Proto", bound=message.Message)

if TYPE_CHECKING:

    class _SslConfig(message.Message):
        server_key: str
        server_cert: str
        custom_ca: str
        client_verify: bool


_PLATFORM = "tensorflow"
#: The kind of log collector that this server has; the open-source binary has none at all.
_COLLECTOR = "tfrecord"


@dataclasses.dataclass(frozen=True)
class Policy:
    """The choice of versions to serve."""

    latest: int = 1
    """The number of the highest versions to serve, unless another field is set."""
    everything: bool = False
    specific: tuple[int, ...] | None = None


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The configuration of the model."""

    name: str
    base_path: Path
    policy: Policy = Policy()
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)
    request_log: LogOptions | None = None
    """None for no request log."""


def model_config_from_flags(flags: Flags) -> ModelConfig:
    """Reads the model's configuration from flags, or from the file that they name.

    Raises:
      StartError: the file cannot be read, or has settings that this server does not support.
    """
    try:
        if flags.model_config_file:
            return read_model_config_file(flags.model_config_file)
        return ModelConfig(flags.model_name, _absolute(flags.model_name, flags.model_base_path))
    except ServingError as error:
        raise StartError(error.message) from error


def read_model_config_file(path: str, current: ModelConfig | None = None) -> ModelConfig:
    """Reads a text proto of a ModelServerConfig, as `model_config_from_proto` does.

    Raises:
      ServingError: as `model_config_from_proto`, or the file is no such text proto.
    """
    return model_config_from_proto(_read_text_proto(path, ModelServerConfig()), current)


def model_config_from_proto(config: ModelServerConfig, current: ModelConfig | None = None) -> ModelConfig:
    """Reads the model of a ModelServerConfig.

    Args:
      config: as it was received.
      current: what is served; an empty list unloads all of it. None at the start, when there must be a model.

    Raises:
      ServingError: INVALID_ARGUMENT where the config is wrong, FAILED_PRECONDITION where it has several models.
    """
    models = config.model_config_list.config
    if current and not models:
        return dataclasses.replace(current, policy=Policy(specific=()), labels={})
    for model in models:
        _check_model(model)
    for name, count in collections.Counter(model.name for model in models).items():
        if count > 1:
            raise invalid_argument(f"Illegal to list model {name} multiple times in config list")
    if len(models) != 1:
        raise failed_precondition(
            f"The local server must have one model. Received: {len(models)} in model_config_list. "
            "Start one server a model, or use tensorflow/serving."
        )
    model = models[0]
    chosen, wanted = model.model_version_policy.WhichOneof("policy_choice"), model.model_version_policy
    policy = Policy(
        latest=max(wanted.latest.num_versions, 1),
        everything=chosen == "all",
        specific=tuple(wanted.specific.versions) if chosen == "specific" else None,
    )
    return ModelConfig(
        model.name,
        Path(model.base_path),
        policy,
        dict(model.version_labels),
        _request_log(model) if model.HasField("logging_config") else None,
    )


def _check_model(model: messages.ModelConfig) -> None:
    _absolute(model.name, model.base_path)
    if model.model_platform != _PLATFORM:
        raise invalid_argument(
            f'A model\'s model_platform must be "{_PLATFORM}". Received: "{model.model_platform}" for model '
            f'{model.name!r}. Write model_platform: "{_PLATFORM}".'
        )


def server_credentials(path: str) -> grpc.ServerCredentials:
    """Reads the credentials for TLS, or mutual TLS with `client_verify`, from a text proto of an SSLConfig.

    Raises:
      StartError: the file is no such text proto, or has no key and certificate.
    """
    try:
        ssl = _read_text_proto(path, _ssl_config_class()())
    except ServingError as error:
        raise StartError(error.message) from error
    rule = "--ssl_config_file must hold PEM texts: server_key and server_cert, and custom_ca for client_verify."
    if not (ssl.server_key and ssl.server_cert) or (ssl.client_verify and not ssl.custom_ca):
        given = [field.name for field, value in ssl.ListFields() if value]
        raise StartError(f"{rule} Received: {', '.join(given) or 'nothing'} in {path}. Add what is missing.")
    try:
        return grpc.ssl_server_credentials(
            [(ssl.server_key.encode(), ssl.server_cert.encode())],
            root_certificates=ssl.custom_ca.encode() or None,
            require_client_auth=ssl.client_verify,
        )
    except ValueError as error:
        raise StartError(f"{rule} Received: {error}. Check {path}.") from error


def _request_log(model: messages.ModelConfig) -> LogOptions | None:
    collector = model.logging_config.log_collector_config
    rate = model.logging_config.sampling_config.sampling_rate
    if collector.type != _COLLECTOR:
        raise not_found(
            f"Cannot find LogCollector::Factory for type: {collector.type}. The local server's is "
            f'type: "{_COLLECTOR}"; tensorflow/serving has none: there the client logs.'
        )
    if not collector.filename_prefix.startswith("/") or collector.filename_prefix.endswith("/"):
        raise invalid_argument(
            "filename_prefix must be an absolute path and the beginning of the files' names, e.g. "
            f"/var/log/model/requests. Received: {collector.filename_prefix!r} for model {model.name!r}."
        )
    if not 0 <= rate <= 1:
        raise invalid_argument(f"sampling_rate must be from 0 to 1. Received: {rate} for model {model.name!r}.")
    path = Path(collector.filename_prefix)
    return LogOptions(path.parent, rate, prefix=path.name) if rate else None


def _absolute(name: str, base_path: str) -> Path:
    if not Path(base_path).is_absolute():
        raise invalid_argument(
            f"Expected model {name} to have an absolute path or URI; got base_path()={base_path}. "
            f"Give {Path(base_path).resolve()}"
        )
    return Path(base_path)


def _read_text_proto(path: str, into: _Proto) -> _Proto:
    try:
        return text_format.Parse(Path(path).read_text(encoding="utf-8"), into)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise invalid_argument(
            f"The file must be a text proto of {into.DESCRIPTOR.full_name}. Received: {path}: {error}. Correct it."
        ) from error


def _ssl_config_class() -> type[_SslConfig]:
    """Makes the class tensorflow.serving.SSLConfig, which the package tensorflow-serving-api leaves out."""
    file = descriptor_pb2.FileDescriptorProto(
        name="clickbait/ssl_config.proto", package="tensorflow.serving", syntax="proto3"
    )
    fields = file.message_type.add(name="SSLConfig").field
    kinds = descriptor_pb2.FieldDescriptorProto
    for number, name in enumerate(("server_key", "server_cert", "custom_ca"), start=1):
        fields.add(name=name, number=number, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
    fields.add(name="client_verify", number=4, type=kinds.TYPE_BOOL, label=kinds.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    made = message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving.SSLConfig"))
    return cast("type[_SslConfig]", made)
