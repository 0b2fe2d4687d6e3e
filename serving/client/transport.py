"""The transports of a blocking client's calls: one interface for gRPC and REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import grpc

from serving.client.channel import failure_of, open_channel
from serving.client.options import ClientOptions
from serving.protocol.methods import Method, Request, Response

_Result = TypeVar("_Result", covariant=True)


class Call(Protocol[_Result]):
    """A call on its way."""

    def result(self) -> _Result:
        """Waits for the response and returns it.

        Raises:
          Failure: there is none.
        """

    def when_done(self, action: Callable[[], object]) -> None:
        """Does something, in any thread, once `result` need not wait any more."""

    def cancel(self) -> None:
        """Cancels the call."""


class Transport(Protocol):
    """Sends calls to one server."""

    def start(self, method: Method[Request, Response], request: Request, timeout_s: float) -> Call[Response]:
        """Sends a call, which fails by itself after `timeout_s`."""

    def call(self, method: Method[Request, Response], request: Request, timeout_s: float) -> Response:
        """Sends a call, waits for its response and returns it.

        Raises:
          Failure: there is none.
        """

    def close(self) -> None:
        """Closes the connection."""


class GrpcTransport:
    """Calls over a gRPC channel."""

    def __init__(self, options: ClientOptions):
        self._options = options
        self._channel = open_channel(options)
        self._callables: dict[str, grpc.UnaryUnaryMultiCallable] = {}

    def start(self, method: Method[Request, Response], request: Request, timeout_s: float) -> _GrpcCall[Response]:
        """As `Transport.start`."""
        return _GrpcCall(self._callable(method).future(request, **self._terms(timeout_s)))

    def call(self, method: Method[Request, Response], request: Request, timeout_s: float) -> Response:
        """As `Transport.call`; saves a change of threads, some 0.2 ms."""
        try:
            response: Response = self._callable(method)(request, **self._terms(timeout_s))
        except grpc.RpcError as error:
            raise failure_of(error) from error
        return response

    def close(self) -> None:
        """As `Transport.close`."""
        self._channel.close()

    def _callable(self, method: Method[Request, Response]) -> grpc.UnaryUnaryMultiCallable:
        callable_ = self._callables.get(method.path)
        if callable_ is None:
            callable_ = self._channel.unary_unary(
                method.path, method.request.SerializeToString, method.response.FromString
            )
            self._callables[method.path] = callable_
        return callable_

    def _terms(self, timeout_s: float) -> dict[str, float | None]:
        return {"timeout": timeout_s, "wait_for_ready": self._options.wait_for_ready or None}


class _GrpcCall(Generic[Response]):
    def __init__(self, future: grpc.Future):
        self._future = future

    def result(self) -> Response:
        try:
            response: Response = self._future.result()
        except grpc.RpcError as error:
            raise failure_of(error) from error
        return response

    def when_done(self, action: Callable[[], object]) -> None:
        self._future.add_done_callback(lambda _: action())

    def cancel(self) -> None:
        self._future.cancel()


def open_transport(options: ClientOptions) -> Transport:
    """Opens the transport that the options name."""
    if options.rest:
        from serving.client.rest import RestTransport

        return RestTransport(options)
    return GrpcTransport(options)
