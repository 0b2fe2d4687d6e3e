"""TLS and mTLS over both transports, and what a wrong certificate is told."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ssl
import sys
import time

import grpc
import pytest

from serving.client import AsyncClient, Client, ClientOptions, Retry, ServingError, Tls
from serving.client.address import failure_where_one_listens
from serving.client.errors import Failure
from serving.client.failures import error_for
from tests.helpers.certificates import make_authority, make_certificate
from tests.serving.client.fakes import FakeModel, grpc_server, rest_server, score


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """Names to certificates: two authorities, and what the first signed."""
    folder = tmp_path_factory.mktemp("pem")
    authority = make_authority(folder, "authority")
    made = {"authority": authority, "stranger": make_authority(folder, "stranger")}
    return made | {host: make_certificate(folder, authority, host) for host in ("localhost", "model.example", "client")}


@contextlib.contextmanager
def secure_server(pem, host: str, rest: bool, *, mutual: bool = False):
    """A server with the certificate of `host`, which with `mutual` asks for the client's."""
    served, authority = pem[host], pem["authority"]
    if rest:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(served.cert, served.key)
        if mutual:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority.cert)
        serving = rest_server(FakeModel(), context=context)
    else:
        pairs = [(served.key.read_bytes(), served.cert.read_bytes())]
        credentials = grpc.ssl_server_credentials(pairs, authority.cert.read_bytes() if mutual else None, mutual)
        serving = grpc_server(FakeModel(), credentials=credentials)
    with serving as port:
        yield {"target": f"localhost:{port}", "rest": rest}


@pytest.fixture(params=[False, True], ids=["grpc", "rest"])
def rest(request):
    return request.param


def failure(**options) -> ServingError:
    """What a predict raises, the same from both clients."""
    options["retry"] = Retry(attempts=1)

    async def ask():
        async with AsyncClient(**options) as client:
            await client.predict(["a"])

    raised = []
    for ask_one in (lambda: Client(**options).predict(["a"]), lambda: asyncio.run(ask())):
        with pytest.raises(ServingError) as caught:
            ask_one()
        raised.append(caught.value)
    assert str(raised[0]) == str(raised[1])
    assert "\n" not in str(raised[0])
    return raised[0]


def test_tls(pem, rest):
    with secure_server(pem, "localhost", rest) as at, Client(**at, tls=Tls(ca=pem["authority"].cert)) as client:
        assert client.predict(["a"]) == [score("a")]


def test_mutual_tls(pem, rest):
    own = pem["client"]
    with (
        secure_server(pem, "localhost", rest, mutual=True) as at,
        Client(**at, tls=Tls(pem["authority"].cert, own.cert, own.key)) as client,
    ):
        assert client.predict(["a"]) == [score("a")]


def test_the_name_in_the_certificate_can_be_said(pem, rest):
    tls = Tls(ca=pem["authority"].cert, server_name="model.example")
    with secure_server(pem, "model.example", rest) as at, Client(**at, tls=tls) as client:
        assert client.predict(["a"]) == [score("a")]


def test_a_certificate_of_a_stranger(pem, rest):
    with secure_server(pem, "localhost", rest) as at:
        error = failure(**at, tls=Tls(ca=pem["stranger"].cert))
    assert error.exit_code == 2
    assert "must be signed by the authority in" in str(error)
    assert "--tls-ca" in str(error)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Python asks for the extensions of RFC 5280 since 3.13")
def test_an_authority_without_the_extensions_of_rfc_5280_does_for_grpc_alone(tmp_path):
    bare = make_authority(tmp_path, "bare", bare=True)
    pem = {"authority": bare, "localhost": make_certificate(tmp_path, bare, "localhost")}
    with secure_server(pem, "localhost", rest=False) as at, Client(**at, tls=Tls(ca=bare.cert)) as client:
        assert client.predict(["a"]) == [score("a")]
    with secure_server(pem, "localhost", rest=True) as at:
        error = failure(**at, tls=Tls(ca=bare.cert))
    assert error.exit_code == 2
    assert "Received: CA cert does not include key usage extension. Make both anew" in str(error)


def test_extensions_of_rfc_5280_that_are_missing_are_told_with_the_way_out():
    refused = "certificate verify failed: Missing Authority Key Identifier (_ssl.c:1020)')))"
    error = error_for(Failure("UNAVAILABLE", refused), ClientOptions("localhost:1", rest=True, tls=Tls(ca="ca.pem")))
    assert "Received: Missing Authority Key Identifier. Make both anew" in str(error)


def test_no_wait_makes_a_certificate_right(pem, rest):
    began = time.monotonic()
    with (
        secure_server(pem, "localhost", rest) as at,
        Client(**at, tls=Tls(ca=pem["stranger"].cert)) as client,
        pytest.raises(ServingError, match="--tls-ca"),
    ):
        client.wait_until_ready(30)
    assert time.monotonic() - began < 10


def test_a_certificate_for_another_name(pem, rest):
    with secure_server(pem, "model.example", rest) as at:
        error = failure(**at, tls=Tls(ca=pem["authority"].cert))
    assert error.exit_code == 2
    assert "another name than 'localhost'" in str(error)
    assert "--tls-server-name" in str(error)


def test_no_certificate_where_one_is_asked_for(pem, rest):
    with secure_server(pem, "localhost", rest, mutual=True) as at:
        error = failure(**at, tls=Tls(ca=pem["authority"].cert))
    assert error.exit_code == 1
    assert "--tls-cert and --tls-key" in str(error)


def test_no_tls_where_the_server_wants_it(pem, rest):
    with secure_server(pem, "localhost", rest) as at:
        error = failure(**at)
    assert error.exit_code == 1
    assert "may speak TLS: give --tls-ca" in str(error)


def test_tls_where_the_server_has_none(pem, rest):
    with (rest_server if rest else grpc_server)(FakeModel()) as port:
        error = failure(target=f"localhost:{port}", rest=rest, tls=Tls(ca=pem["authority"].cert))
    assert error.exit_code == 2
    assert "Leave the --tls options out" in str(error)


REFUSED = Failure("UNAVAILABLE", "last error: UNKNOWN: ipv6:%5B::1%5D:1: connect: Connection refused (111)")


def credentials(pem, host: str) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials([(pem[host].key.read_bytes(), pem[host].cert.read_bytes())])


@pytest.fixture
def patience(monkeypatch):
    """For a machine that has much else to do."""
    monkeypatch.setattr("serving.client.address.PROBE_TIMEOUT_S", 10.0)


@pytest.mark.parametrize(
    ("served", "ca", "part"),
    [
        (None, "authority", "WRONG_VERSION_NUMBER"),
        ("localhost", None, "Socket closed"),
        ("localhost", "stranger", "CERTIFICATE_VERIFY_FAILED"),
        ("model.example", "authority", "Hostname Verification Check failed"),
    ],
)
def test_where_one_address_refused_the_one_that_listens_is_told_of(pem, patience, served, ca, part):
    secured = credentials(pem, served) if served else None
    with grpc_server(FakeModel(), host="127.0.0.1", credentials=secured) as port:
        options = ClientOptions(f"localhost:{port}", tls=Tls(ca=pem[ca].cert) if ca else None)
        there = failure_where_one_listens(REFUSED, options)
        by_resolver = failure_where_one_listens(
            REFUSED, dataclasses.replace(options, target=f"dns:///localhost:{port}")
        )
    assert (there.code, by_resolver.code) == ("UNAVAILABLE", "UNAVAILABLE")
    assert part in there.details
    assert part in by_resolver.details


def test_a_failure_stays_what_it_was_where_no_address_tells_more(pem, patience):
    with grpc_server(FakeModel(), host="127.0.0.1") as port:
        at = ClientOptions(f"localhost:{port}")
        tls = dataclasses.replace(at, tls=Tls(ca=pem["authority"].cert))
        assert failure_where_one_listens(REFUSED, tls) is not None
        assert failure_where_one_listens(REFUSED, at) is None, "it answers now"
        assert failure_where_one_listens(REFUSED, dataclasses.replace(tls, rest=True)) is None
        assert failure_where_one_listens(Failure("UNAVAILABLE", "Socket closed"), tls) is None
        assert failure_where_one_listens(REFUSED, dataclasses.replace(tls, target=f"unix:/tmp/{port}")) is None
    assert failure_where_one_listens(REFUSED, tls) is None, "nobody listens any more"
    assert failure_where_one_listens(REFUSED, dataclasses.replace(tls, target="no-such-host.invalid:1")) is None


def ask_eight_times(port: int, **options) -> tuple[int, str]:
    """What both kinds of client say of one server, four times each."""
    (told,) = {(one.exit_code, str(one)) for one in (failure(target=f"localhost:{port}", **options) for _ in range(4))}
    return told


def test_one_mistake_has_one_message_where_localhost_has_an_address_that_refuses(pem, patience):
    """gRPC tries [::1], too, and reports whichever it tried last."""
    with grpc_server(FakeModel(), host="127.0.0.1") as port:
        exit_code, message = ask_eight_times(port, tls=Tls(ca=pem["authority"].cert))
    assert exit_code == 2
    assert f"Received: an answer without TLS from localhost:{port}" in message
    with grpc_server(FakeModel(), host="127.0.0.1", credentials=credentials(pem, "localhost")) as port:
        exit_code, message = ask_eight_times(port)
    assert exit_code == 1
    assert "may speak TLS: give --tls-ca" in message


def test_a_key_of_another_certificate(pem, rest):
    tls = Tls(pem["authority"].cert, pem["client"].cert, pem["localhost"].key)
    with secure_server(pem, "localhost", rest, mutual=True) as at:
        error = failure(**at, tls=tls)
    assert error.exit_code == 2
    assert "PEM files that go together" in str(error)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_files_that_are_no_certificates(tmp_path, rest, content):
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    error = failure(rest=rest, tls=Tls(ca=path))
    assert error.exit_code == 2
    assert "--tls-ca must be a " in str(error)
    assert f"PEM file. Received: {path}" in str(error)
