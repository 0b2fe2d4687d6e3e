"""HTTP/1.1 for the REST API: persistent connections, bodies of both kinds, a stop that waits for responses."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from urllib.parse import urlsplit

from serving.server.errors import StartError
from serving.server.rest.api import Answer, RestApi

_MAX_BODY_BYTES = 2**31 - 1
_IDLE_SECONDS = 60


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


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    draining = False

    def __init__(self, address: tuple[str, int], api: RestApi, threads: int):
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.api = api
        self.slots = threading.BoundedSemaphore(threads)
        self._under_way = 0
        self._idle = threading.Condition()
        super().__init__(address, _Handler)

    def count(self, change: int) -> None:
        with self._idle:
            self._under_way += change
            self._idle.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        with self._idle:
            while self._under_way and time.monotonic() < deadline:
                self._idle.wait(deadline - time.monotonic())
            return not self._under_way

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores the errors of clients that have disconnected."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves in one piece
    server: _Server

    def _handle(self) -> None:
        self.server.count(+1)
        try:
            body = self._read_body()
            if isinstance(body, Answer):
                self.close_connection = True
                self._write(body)
                return
            with self.server.slots:
                answer = self.server.api.answer(self.command, urlsplit(self.path).path, body)
            self._write(answer)
        finally:
            self.server.count(-1)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = _handle  # noqa: N815

    def version_string(self) -> str:
        return "clickbait-local-server"

    def log_message(self, format: str, *args: object) -> None:
        """Logs no requests: they hold the users' texts."""

    def _read_body(self) -> bytes | Answer:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._read_chunks()
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            return _bad_request("Content-Length is no number")
        if int(length) > _MAX_BODY_BYTES:
            return _bad_request("the body is over 2 GiB")
        return self.rfile.read(int(length))

    def _read_chunks(self) -> bytes | Answer:
        chunks, total = [], 0
        while True:
            try:
                size = int(self.rfile.readline(1024).split(b";")[0], 16)
            except ValueError:
                return _bad_request("a chunk's size is no number")
            total += size
            if size < 0 or total > _MAX_BODY_BYTES:
                return _bad_request("the body is over 2 GiB")
            if size == 0:
                break
            chunks.append(self.rfile.read(size))
            self.rfile.readline(3)
        while self.rfile.readline(65537).strip():
            pass  # trailers
        return b"".join(chunks)

    def _write(self, answer: Answer) -> None:
        if self.server.draining:
            self.close_connection = True
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()


def _bad_request(problem: str) -> Answer:
    return Answer(400, f'{{"error": "{problem}"}}'.encode())
