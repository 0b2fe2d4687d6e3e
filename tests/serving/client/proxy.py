"""A gRPC proxy of bytes that refuses calls as TF Serving does where it is short of threads: with an empty text."""

from __future__ import annotations

import contextlib
import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures

import grpc

_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Limit:
    """Lets at most so many calls in at once.

    Attributes:
      refused: how many it did not let in.
      most_at_once: how many were in at once, at most.
    """

    def __init__(self, calls: int):
        self._calls, self._at_once = calls, 0
        self.refused = self.most_at_once = 0
        self._lock = threading.Lock()

    def __call__(self) -> bool:
        with self._lock:
            if self._at_once >= self._calls:
                self.refused += 1
                return False
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            return True

    def release(self) -> None:
        with self._lock:
            self._at_once -= 1


class Chance(Limit):
    """Refuses a share of the calls at random, alike in each run."""

    def __init__(self, share: float):
        super().__init__(sys.maxsize)
        self._share, self._random = share, random.Random(0)

    def __call__(self) -> bool:
        if self._random.random() < self._share:
            self.refused += 1
            return False
        return super().__call__()


@contextlib.contextmanager
def refusing_proxy(target: str, admit: Limit) -> Iterator[str]:
    """Passes calls of any method on to a server, but for those that are refused; yields its own target."""
    with grpc.insecure_channel(target, options=[*_UNLIMITED, ("grpc.enable_retries", 0)]) as channel:
        server = grpc.server(futures.ThreadPoolExecutor(64), options=[*_UNLIMITED, ("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((_Handler(channel, admit),))
        port = server.add_insecure_port("localhost:0")
        server.start()
        try:
            yield f"localhost:{port}"
        finally:
            server.stop(None)


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, channel: grpc.Channel, admit: Limit):
        self._channel, self._admit = channel, admit

    def service(self, call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(self._handler(self._channel.unary_unary(call_details.method)))

    def _handler(self, send: grpc.UnaryUnaryMultiCallable) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            if not self._admit():
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "")
            try:
                return send(request, timeout=context.time_remaining())
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
            finally:
                self._admit.release()

        return handle
