"""How clients spread over the replicas: by the headless Service's name, which has the addresses of all."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Iterator

import pytest

from serving.client import Client
from tests.serving.client.fakes import FakeModel, grpc_server
from tests.serving.manifests.files import resource

REPLICAS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
_A, _IN = 1, 1


@contextlib.contextmanager
def name_server(name: str, addresses: tuple[str, ...]) -> Iterator[int]:
    """Runs a name server that knows one name, as a cluster's knows a headless Service; yields its port."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    records = b"".join(
        b"\xc0\x0c" + struct.pack(">HHIH", _A, _IN, 5, 4) + socket.inet_aton(address) for address in addresses
    )

    def answer() -> None:
        while True:
            query, client = server.recvfrom(512)
            if not query:
                return
            known = query[12:].startswith(question + struct.pack(">HH", _A, _IN))
            end = query.index(b"\0", 12) + 5
            head = struct.pack(">HHHHH", 0x8180, 1, len(addresses) if known else 0, 0, 0)
            server.sendto(query[:2] + head + query[12:end] + (records if known else b""), client)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.sendto(b"", server.getsockname())
            thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="needs addresses of loopback besides 127.0.0.1")
def test_calls_by_the_headless_services_name_go_to_all_replicas_in_turns():
    service = resource("Service", "clickbait-headless")
    models = [FakeModel() for _ in REPLICAS]
    with contextlib.ExitStack() as stack:
        port = 0
        for model, address in zip(models, REPLICAS, strict=True):
            port = stack.enter_context(grpc_server(model, port=port, host=address))
        names = stack.enter_context(name_server(service["metadata"]["name"], REPLICAS))
        # In a cluster the name server is the pod's own: dns:///clickbait-headless:8500.
        with Client(f"dns://127.0.0.1:{names}/{service['metadata']['name']}:{port}") as client:
            client.wait_until_ready(10)
            for _ in range(60):
                client.predict(["Hello"])
    calls = [len(model.calls) for model in models]
    assert min(calls) >= 15, calls
