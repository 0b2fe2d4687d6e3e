"""HTTP by hand: bodies of all kinds, connections that stay open, limits, and what is no HTTP."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
import threading
import time
import tracemalloc

import pytest

from serving.server.errors import StartError
from serving.server.rest import server as rest_server
from serving.server.rest.api import Answer
from serving.server.rest.server import RestServer
from tests.helpers.serving import free_ports


class EchoApi:
    """Answers with what it was asked; `/slow` waits for `go`."""

    def __init__(self):
        self.go = threading.Event()
        self.entered = threading.Event()

    def answer(self, method, path, body, *, origin=False):
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
        assert (answer.status, answer.read()) == (200, f"POST /x?y=1 {size}".encode())


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
        (b"POST /x HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST /x HTTP/1.1\r\nContent-Length: " + b"9" * 9000 + b"\r\n\r\n", 413),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n", 400),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", 413),
        (b"POST /x HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", 400),
        (b"POST /x HTTP/1.1\r\nno header\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"GET /x HTTP/2.0\r\n\r\n", 400),
        (b"GET /" + b"x" * 2_000_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET /x HTTP/1.1\r\n" + b"a: b\r\n" * 2000 + b"\r\n", 431),
        (b"BREW /x HTTP/1.1\r\n\r\n", 501),
    ],
    ids=str,
)
def test_what_is_no_request_ends_the_connection(server, text, status):
    head, _, body = exchange(server.port, text).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()) and b"Connection: close" in head
    assert list(json.loads(body)) == ["error"]
    assert exchange(server.port, b"GET /x HTTP/1.0\r\n\r\n").endswith(b"GET /x 0")


def test_long_heads_are_read(server):
    long = b"x" * 100_000
    assert exchange(server.port, b"GET /x HTTP/1.0\r\nLong: " + long + b"\r\n\r\n").endswith(b"GET /x 0")
    assert exchange(server.port, b"GET /" + long + b" HTTP/1.0\r\n\r\n").endswith(b"GET /" + long + b" 0")


def test_http_1_0_is_answered_as_such(server):
    answer = exchange(server.port, b"GET /x HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n") and b"Server:" not in answer
    keep = b"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    assert exchange(server.port, keep + b"GET /y HTTP/1.0\r\n\r\n").count(b"HTTP/1.0 200") == 2


def test_a_client_that_waits_for_a_word_before_its_body(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert connection.recv(1000).endswith(b"POST /x 3")


def post(port, body, *headers):
    lines = [b"POST /x HTTP/1.1", b"Content-Length: %d" % len(body), b"Connection: close", *headers, b"", body]
    answer = exchange(port, b"\r\n".join(lines))
    return int(answer.split()[1]), answer


def test_a_compressed_body(server):
    body = b"abc" * 100_000
    status, answer = post(server.port, gzip.compress(body), b"Content-Encoding: gzip")
    assert status == 200 and answer.endswith(b" 300000")
    assert post(server.port, gzip.compress(body)[:-9], b"Content-Encoding: gzip")[0] == 400
    assert post(server.port, gzip.compress(body) + b"x", b"Content-Encoding: gzip")[0] == 400


def test_a_gzip_bomb_is_refused_when_it_has_grown_to_the_limit(server):
    bomb = gzip.compress(bytes(1 << 28), 9)
    tracemalloc.start()
    try:
        assert post(server.port, bomb, b"Content-Encoding: gzip")[0] == 413
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()


def test_a_body_over_the_limit_gets_its_answer_though_it_is_still_sent(server):
    assert post(server.port, bytes(9 << 20))[0] == 413


def test_bodies_share_a_bound_of_memory(server, api, monkeypatch):
    monkeypatch.setattr(rest_server, "_MAX_BODIES_BYTES", 1000)
    monkeypatch.setattr(rest_server, "_MEMORY_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST /slow HTTP/1.1\r\nContent-Length: 900\r\n\r\n" + bytes(900))
        assert api.entered.wait(10)
        assert post(server.port, bytes(200))[0] == 503
        assert post(server.port, bytes(50))[0] == 200
        api.go.set()
        connection.recv(1000)
    assert post(server.port, bytes(900))[0] == 200


@pytest.mark.parametrize("begin", [b"GET /x HT", b"POST /x HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc"])
def test_a_slow_client_is_refused(server, monkeypatch, begin):
    monkeypatch.setattr(rest_server, "_REQUEST_SECONDS", 0.5)
    answers = []
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(begin)
        reader = threading.Thread(target=lambda: answers.append(connection.recv(1000)))
        reader.start()
        for _ in range(20):  # a byte now and then does not help
            if answers:
                break
            time.sleep(0.1)
            with contextlib.suppress(OSError):
                connection.send(b"x")
        reader.join(10)
    assert answers[0].startswith(b"HTTP/1.1 408 ")


def test_a_connection_without_a_request_is_closed(server, monkeypatch):
    monkeypatch.setattr(rest_server, "_IDLE_SECONDS", 0.2)
    assert exchange(server.port, b"") == b""


def test_connections_beyond_the_bound_are_refused(api, monkeypatch):
    monkeypatch.setattr(rest_server, "_MAX_CONNECTIONS", 3)
    (port,) = free_ports(1)
    running = RestServer(api, "127.0.0.1", port, threads=2)
    running.start()
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        time.sleep(0.3)
        assert exchange(port, b"").startswith(b"HTTP/1.1 503 ")
    time.sleep(0.3)
    assert exchange(port, b"GET /x HTTP/1.0\r\n\r\n").endswith(b"GET /x 0")
    running.stop(5)


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
