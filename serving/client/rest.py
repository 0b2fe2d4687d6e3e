"""Calls over TF Serving's REST API, told as gRPC's: the same requests, responses and codes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from concurrent import futures
from typing import Generic

import requests
from requests.adapters import HTTPAdapter

from serving.client import rest_json
from serving.client.errors import Failure
from serving.client.failures import waiting_helps
from serving.client.options import ClientOptions
from serving.protocol.methods import Method, Request, Response

_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_MAX_DETAIL_CHARACTERS = 300


class RestTransport:
    """Sends calls by HTTP, as many at once as the options allow."""

    def __init__(self, options: ClientOptions):
        self._options = options
        self._base = f"{'https' if options.tls else 'http'}://{options.target}/v1/models/"
        self._session = requests.Session()
        self._session.trust_env = not options.loopback
        self._pool = futures.ThreadPoolExecutor(options.calls_in_flight + 1, thread_name_prefix="rest")
        adapter = _Adapter(options)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)
        if options.tls:
            for name in ("ca", "cert", "key"):
                options.tls.read(name)
            self._session.verify = str(options.tls.ca) if options.tls.ca else True
            self._session.cert = (str(options.tls.cert), str(options.tls.key)) if options.tls.cert else None

    def start(self, method: Method[Request, Response], request: Request, timeout_s: float) -> _RestCall[Response]:
        """As `Transport.start`."""
        deadline = time.monotonic() + timeout_s
        return _RestCall(self._pool.submit(self._send, method, request, deadline), deadline)

    def call(self, method: Method[Request, Response], request: Request, timeout_s: float) -> Response:
        """As `Transport.call`."""
        return self.start(method, request, timeout_s).result()

    def close(self) -> None:
        """As `Transport.close`."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    def _send(self, method: Method[Request, Response], request: Request, deadline: float) -> Response:
        retry, attempt = self._options.retry, 0
        while True:
            attempt += 1
            try:
                return self._send_once(method, request, deadline)
            except Failure as failure:
                pause = min(retry.first_pause_s * 2 ** (attempt - 1), retry.longest_pause_s) * random.uniform(0.8, 1.2)
                waits = self._options.wait_for_ready and waiting_helps(failure)
                if failure.code != "UNAVAILABLE" or not (attempt < retry.attempts or waits):
                    raise
                if time.monotonic() + pause >= deadline:
                    raise
                time.sleep(pause)

    def _send_once(self, method: Method[Request, Response], request: Request, deadline: float) -> Response:
        verb, path, body = rest_json.http_request(request)
        left = deadline - time.monotonic()
        if left <= 0:
            raise Failure("DEADLINE_EXCEEDED", "no time was left to send it")
        try:
            answer = self._session.request(verb, self._base + path, data=body, timeout=left)
        except requests.exceptions.Timeout as error:
            raise Failure("DEADLINE_EXCEEDED", "no answer in time") from error
        except (requests.exceptions.RequestException, OSError) as error:
            raise Failure("UNAVAILABLE", str(error)) from error
        if answer.status_code != 200:
            raise Failure(_CODES.get(answer.status_code, "UNKNOWN"), _reason(answer))
        try:
            return rest_json.read_response(method, json.loads(answer.content), self._options)
        except (ValueError, KeyError, TypeError) as error:
            raise Failure("UNKNOWN", f"an answer that is not TF Serving's: {_shorten(answer.text)!r}") from error


class _RestCall(Generic[Response]):
    def __init__(self, future: futures.Future[Response], deadline: float):
        self._future = future
        self._deadline = deadline

    def result(self) -> Response:
        try:
            return self._future.result(max(0.0, self._deadline - time.monotonic()))
        except futures.TimeoutError as error:
            self._future.cancel()
            raise Failure("DEADLINE_EXCEEDED", "no answer in time") from error

    def when_done(self, action: Callable[[], object]) -> None:
        self._future.add_done_callback(lambda _: action())

    def cancel(self) -> None:
        self._future.cancel()


class _Adapter(HTTPAdapter):
    """An adapter with as many connections as calls, and the certificate's name where it is not the host's."""

    def __init__(self, options: ClientOptions):
        name = options.tls.server_name if options.tls else None
        self._tls = {"assert_hostname": name, "server_hostname": name} if name else {}
        super().__init__(pool_maxsize=options.calls_in_flight)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_options: object) -> None:
        super().init_poolmanager(connections, maxsize, block, **self._tls, **pool_options)


def _reason(answer: requests.Response) -> str:
    """Returns TF Serving's own message, else the beginning of the body; nothing for a 429 without a body."""
    if answer.status_code == requests.codes.too_many_requests and not answer.content:
        return ""
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code} {_shorten(answer.text)!r}"


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_DETAIL_CHARACTERS else f"{text[:_MAX_DETAIL_CHARACTERS]}..."
