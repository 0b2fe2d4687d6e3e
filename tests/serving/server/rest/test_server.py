"""HTTP by hand: bodies of both kinds, connections that stay open, and what is no HTTP."""

from __future__ import annotations

import http.client
import socket
import threading
import time

import pytest

from serving.server.errors import StartError
from serving.server.rest.api import Answer
from serving.server.rest.server import RestServer
from tests.helpers.serving import free_ports


class EchoApi:
    """Answers with what it was asked; `/slow` waits for `go`."""

    def __init__(self):
        self.go = threading.Event()
        self.entered = threading.Event()

    def answer(self, method, path, body):
        if path == "/slow":
            self.entered.set()
            self.go.wait(10)
        return Answer(200, f"{method} {path} {len(body)}".encode(), "text/plain")


@pytest.fixture
def api():
    return EchoApi()


@pytest.fixture
def server(api):
    (port,) = free_ports(1)
    running = RestServer(api, "127.0.0.1", port, threads=2)
    running.port = port
    running.start()
    yield running
    api.go.set()
    running.stop(5)


def exchange(port, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(text)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


def test_a_connection_serves_many_requests(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    for size in (0, 1, 100_000):
        connection.request("POST", "/x?y=1", body=b"a" * size)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, f"POST /x {size}".encode())


def test_chunks(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    for _ in range(2):
        connection.request(
            "POST",
            "/x",
            body=iter([b"abc", b"", b"defg"]),
            encode_chunked=True,
            headers={"Transfer-Encoding": "chunked"},
        )
        assert connection.getresponse().read() == b"POST /x 7"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"POST /x HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /x HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"400"),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"BREW /x HTTP/1.1\r\n\r\n", b"501"),
        (b"GET /x HTTP/1.0\r\n\r\n", b"200"),
    ],
)
def test_what_is_no_request_ends_the_connection(server, text, status):
    answer = exchange(server.port, text)
    assert status in answer.split(b"\r\n")[0] + answer[:600]


def test_a_client_that_goes_away_harms_nobody(server):
    for text in (b"POST /x HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc", b"", b"GET"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(text)
    assert exchange(server.port, b"GET /x HTTP/1.0\r\n\r\n").endswith(b"GET /x 0")


def test_the_end_waits_for_answers_and_refuses_connections(server, api):
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(exchange(server.port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"))
    )
    asking.start()
    assert api.entered.wait(10)
    stopping = threading.Thread(target=server.stop, args=(10,))
    stopping.start()
    time.sleep(0.5)
    assert stopping.is_alive()
    with pytest.raises(OSError):
        exchange(server.port, b"GET /x HTTP/1.0\r\n\r\n")
    api.go.set()
    asking.join(10)
    stopping.join(10)
    assert answers[0].endswith(b"GET /slow 0") and b"Connection: close" in answers[0]


def test_the_end_waits_no_longer_than_it_may(server, api):
    threading.Thread(target=exchange, args=(server.port, b"GET /slow HTTP/1.0\r\n\r\n"), daemon=True).start()
    assert api.entered.wait(10)
    started = time.monotonic()
    server.stop(0.5)
    assert time.monotonic() - started < 5


def test_a_port_that_is_taken(server, api):
    with pytest.raises(StartError, match="in use. Give another --rest_api_port"):
        RestServer(api, "127.0.0.1", server.port, threads=1)
