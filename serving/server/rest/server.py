"""HTTP/1 for the REST API: persistent connections, bodies of all kinds, limits, a stop that waits for responses.

What exceeds a limit is answered and ends its connection: a head over 1 MiB with 431, a body over 8 MiB, also once it
is inflated, with 413, more connections than 256 or more bodies than memory is set apart for with 503, a request that
takes over a minute to arrive with 408.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import io
import re
import socket
import socketserver
import threading
import time
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from serving.server.errors import StartError
from serving.server.rest.api import Answer, RestApi, error_answer

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MAX_HEAD_BYTES = 1 << 20
_MAX_HEADERS = 1000
#: Python parses JSON in one go, in which no other thread runs: up to a second for so much.
_MAX_BODY_BYTES = 8 << 20
#: Of all requests together; a parsed body takes up to 30 times its size.
_MAX_BODIES_BYTES = 32 << 20
_PIECE_BYTES = 1 << 18
_MAX_CONNECTIONS = 256
_IDLE_SECONDS = 60.0
_REQUEST_SECONDS = 60.0
_MEMORY_SECONDS = 10.0
_LINGER_SECONDS = 2.0

_REQUEST_LINE = re.compile(rb"([!-~]+) +([!-~\x80-\xff]+) +HTTP/(1\.[0-9])")
_METHODS = {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"}


class RestServer:
    """A server that listens once it is made, answers after `start`, and ends with `stop`."""

    def __init__(self, api: RestApi, host: str, port: int, threads: int):
        """Binds the port.

        Raises:
          StartError: it is taken or cannot be had.
        """
        try:
            self._server = _Server((host, port), api, threads)
        except OSError as error:
            raise StartError(
                f"The address of REST must be free. Received: {host}:{port}: {error.strerror or error}. "
                "Give another --rest_api_port."
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="rest", daemon=True)

    def start(self) -> None:
        """Accepts requests."""
        self._thread.start()

    def stop(self, grace_seconds: float) -> None:
        """Accepts no more connections and waits until the running requests are answered."""
        self._server.draining = True
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()
        self._server.wait_until_idle(grace_seconds)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128
    draining = False

    def __init__(self, address: tuple[str, int], api: RestApi, threads: int):
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.api = api
        self.slots = threading.BoundedSemaphore(threads)
        self._connections = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        self._bodies_bytes = 0
        self._under_way = 0
        self._changed = threading.Condition()
        super().__init__(address, _Handler)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """Starts a thread for the connection, or refuses it."""
        if self._connections.acquire(blocking=False):
            try:
                super().process_request(request, client_address)
            except BaseException:
                self._connections.release()
                raise
            return
        with contextlib.suppress(OSError):
            request.setblocking(False)
            request.send(_response("1.1", error_answer(503, "too many connections"), ["Connection: close"]))
        self.shutdown_request(request)

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """Serves the connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def count(self, change: int) -> None:
        """Counts the requests under way."""
        with self._changed:
            self._under_way += change
            self._changed.notify_all()

    def reserve(self, size: int) -> bool:
        """Sets memory apart for a body, and waits a while for it; returns whether there was some."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._bodies_bytes + size <= _MAX_BODIES_BYTES, _MEMORY_SECONDS):
                return False
            self._bodies_bytes += size
            return True

    def release(self, size: int) -> None:
        """Gives memory back that was set apart."""
        with self._changed:
            self._bodies_bytes -= size
            self._changed.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """Waits until no request is under way; returns whether that came true in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._under_way, seconds)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores the errors of clients that have disconnected."""


class _RefusedError(Exception):
    """A request that cannot be read; its answer ends the connection."""

    def __init__(self, status: int, problem: str):
        super().__init__(problem)
        self.answer = error_answer(status, problem)


class _Gone(Exception):  # noqa: N818
    """The client has disconnected, or sends no further request."""


class _Input(io.RawIOBase):
    """The bytes of a connection, until a point in time."""

    def __init__(self, connection: socket.socket):
        self._connection = connection
        self.deadline = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class _Handler(socketserver.BaseRequestHandler):
    request: socket.socket
    server: _Server

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._input = _Input(self.request)
        self._file = io.BufferedReader(self._input)
        with contextlib.suppress(_Gone):
            while self._serve_one():
                pass
            if self._unread:
                self._linger()

    def _serve_one(self) -> bool:
        """Answers a request; returns whether the connection goes on."""
        self._method, self._http, self._reserved = "GET", "1.1", 0
        self._unread, going_on = True, False
        self._input.deadline = time.monotonic() + _IDLE_SECONDS
        try:
            if not self._file.peek(1):
                raise _Gone
        except OSError as error:
            raise _Gone from error
        self._input.deadline = time.monotonic() + _REQUEST_SECONDS
        self.server.count(+1)
        try:
            try:
                path, headers = self._read_head()
                connection = headers.get("connection", "close" if self._http == "1.0" else "keep-alive").lower()
                body = self._read_body(headers)
                self._unread = False
                with self.server.slots:
                    answer = self.server.api.answer(self._method, path, body, origin="origin" in headers)
                del body
                going_on = connection == "keep-alive" and not self.server.draining
            except _RefusedError as refused:
                answer = refused.answer
            except TimeoutError:
                answer = error_answer(408, f"the request must arrive within {_REQUEST_SECONDS:g} s")
            self._write(answer, going_on)
        except OSError as error:
            raise _Gone from error
        finally:
            self.server.release(self._reserved)
            self.server.count(-1)
        return going_on

    def _read_head(self) -> tuple[str, dict[str, str]]:
        """Returns the target and the headers, by names in lower case."""
        left = _MAX_HEAD_BYTES
        lines: list[bytes] = []
        while True:
            line = self._file.readline(left)
            left -= len(line)
            if not line.endswith(b"\n"):
                if left:
                    raise _Gone
                raise _RefusedError(431, f"the head must have at most {_MAX_HEAD_BYTES} bytes")
            line = line.rstrip(b"\r\n")
            if line:
                lines.append(line)
            elif lines:
                break  # empty lines before a request do not count
            if len(lines) > _MAX_HEADERS:
                raise _RefusedError(431, f"the head must have at most {_MAX_HEADERS} headers")
        match = _REQUEST_LINE.fullmatch(lines[0])
        if not match:
            raise _RefusedError(400, "the request line must be HTTP/1")
        method, target, self._http = (group.decode("latin-1") for group in match.groups())
        if method not in _METHODS:
            raise _RefusedError(501, f"the method must be one of {', '.join(sorted(_METHODS))}")
        self._method = method
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                raise _RefusedError(400, "a header must have a colon")
            headers[name.lower()] = value.strip()
        return target if target.startswith("/") else urlsplit(target).path, headers

    def _read_body(self, headers: Mapping[str, str]) -> bytes:
        body = bytearray()
        length = headers.get("content-length", "0")[:20]
        if headers.get("expect", "").lower() == "100-continue":
            self.request.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in headers.get("transfer-encoding", "").lower():
            self._read_chunks(body)
        elif length.isascii() and length.isdecimal():
            self._read(int(length), body)
        else:
            raise _RefusedError(400, "Content-Length must be a number")
        if "gzip" in headers.get("content-encoding", "").lower():
            body = self._inflate(body)
        return bytes(body)

    def _read_chunks(self, body: bytearray) -> None:
        while size := self._chunk_size():
            self._read(size, body)
            if self._file.readline(3).strip():
                raise _RefusedError(400, "a chunk must have its size")
        for _ in range(_MAX_HEADERS):  # trailers
            if not self._file.readline(1024).strip():
                return
        raise _RefusedError(431, f"there must be at most {_MAX_HEADERS} trailers")

    def _chunk_size(self) -> int:
        digits = self._file.readline(1024).split(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", digits):
            raise _RefusedError(400, "a chunk's size must be a hexadecimal number")
        return int(digits, 16)

    def _read(self, size: int, body: bytearray) -> None:
        """Appends bytes, and sets memory apart for what has arrived alone: a client may announce more."""
        if len(body) + size > _MAX_BODY_BYTES:
            raise _RefusedError(413, f"the body must have at most {_MAX_BODY_BYTES} bytes")
        while size:
            piece = self._file.read(min(size, _PIECE_BYTES))
            if not piece:
                raise _Gone
            self._append(piece, body)
            size -= len(piece)

    def _inflate(self, body: bytes | bytearray) -> bytearray:
        inflater, inflated = zlib.decompressobj(wbits=31), bytearray()
        try:
            while piece := inflater.decompress(body, _PIECE_BYTES):
                self._append(piece, inflated)
                body = inflater.unconsumed_tail
                if len(inflated) > _MAX_BODY_BYTES:
                    raise _RefusedError(413, f"the body must have at most {_MAX_BODY_BYTES} bytes once it is inflated")
        except zlib.error as error:
            raise _RefusedError(400, f"the body must be gzip: {error}") from error
        if not inflater.eof or inflater.unused_data:
            raise _RefusedError(400, "the body must be one whole gzip stream")
        return inflated

    def _append(self, piece: bytes, body: bytearray) -> None:
        if not self.server.reserve(len(piece)):
            raise _RefusedError(503, "the bodies of other requests take all the memory that there is for them")
        self._reserved += len(piece)
        body += piece

    def _write(self, answer: Answer, going_on: bool) -> None:
        headers = [] if going_on else ["Connection: close"]
        if going_on and self._http == "1.0":
            headers.append("Connection: keep-alive")
        # The timeout is for all of it: a client that reads slowly is left.
        self.request.settimeout(_REQUEST_SECONDS)
        self.request.sendall(_response(self._http, answer, headers, with_body=self._method != "HEAD"))

    def _linger(self) -> None:
        """Reads what the client may still send: to close before would make it lose the answer."""
        self.request.shutdown(socket.SHUT_WR)
        self._input.deadline = time.monotonic() + _LINGER_SECONDS
        with contextlib.suppress(OSError):
            while self._file.read1(_PIECE_BYTES) and time.monotonic() < self._input.deadline:
                pass


def _response(version: str, answer: Answer, headers: list[str], *, with_body: bool = True) -> bytes:
    head = [
        f"HTTP/{version} {answer.status} {http.client.responses.get(answer.status, 'Error')}",
        f"Date: {email.utils.formatdate(usegmt=True)}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        *answer.headers,
        *headers,
    ]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + (answer.body if with_body else b"")
