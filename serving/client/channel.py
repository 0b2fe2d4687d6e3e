"""gRPC channels: retries, keepalive, round robin, TLS and messages of any size, for both kinds of client."""

from __future__ import annotations

import json

import grpc

from serving.client.errors import Failure
from serving.client.options import ClientOptions, Tls

_RETRY_BUFFER_BYTES = 64 << 20  # gRPC's own 256 KiB would leave out of the retries whatever is larger


def channel_options(options: ClientOptions) -> list[tuple[str, int | str]]:
    """Returns the channel arguments of gRPC."""
    arguments: list[tuple[str, int | str]] = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.per_rpc_retry_buffer_size", _RETRY_BUFFER_BYTES),
        ("grpc.service_config", json.dumps(_service_config(options))),
        ("grpc.keepalive_time_ms", int(options.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # By default a server that comes back is tried again after one second at first and up to two minutes later.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
    ]
    if options.loopback:
        arguments.append(("grpc.enable_http_proxy", 0))
    if options.tls and options.tls.server_name:
        arguments.append(("grpc.ssl_target_name_override", options.tls.server_name))
    return arguments


def open_channel(options: ClientOptions) -> grpc.Channel:
    """Opens a channel for blocking calls.

    Raises:
      ServingError: a certificate or key cannot be read.
    """
    if options.tls:
        return grpc.secure_channel(options.target, _credentials(options.tls), channel_options(options))
    return grpc.insecure_channel(options.target, channel_options(options))


def open_aio_channel(options: ClientOptions) -> grpc.aio.Channel:
    """Opens a channel for asyncio.

    Raises:
      ServingError: a certificate or key cannot be read.
    """
    if options.tls:
        return grpc.aio.secure_channel(options.target, _credentials(options.tls), channel_options(options))
    return grpc.aio.insecure_channel(options.target, channel_options(options))


def failure_of(error: grpc.RpcError) -> Failure:
    """Returns the Failure of an error that a gRPC call raised."""
    code = error.code()
    return Failure(code.name if code else "UNKNOWN", error.details() or "")


def _service_config(options: ClientOptions) -> dict[str, object]:
    config: dict[str, object] = {}
    if options.retry.attempts > 1:
        config["methodConfig"] = [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": options.retry.attempts,
                    "initialBackoff": f"{options.retry.first_pause_s}s",
                    "maxBackoff": f"{options.retry.longest_pause_s}s",
                    "backoffMultiplier": 2,
                    # gRPC sees the code alone: with RESOURCE_EXHAUSTED a message that is too large would be sent again.
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    # The addresses of a bare name may be one server's, as localhost's two are.
    if options.target.startswith(("dns:", "ipv4:", "ipv6:")):
        config["loadBalancingConfig"] = [{"round_robin": {}}]
    return config


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(tls.read("ca"), tls.read("key"), tls.read("cert"))
