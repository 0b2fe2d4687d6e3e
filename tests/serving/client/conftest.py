"""A fake model behind both kinds of server."""

import pytest

from serving.client import ClientOptions
from tests.serving.client.fakes import FakeModel, grpc_server, rest_server


@pytest.fixture
def model() -> FakeModel:
    """What the servers of a test serve."""
    return FakeModel()


@pytest.fixture
def target(model) -> str:
    """A gRPC server of it."""
    with grpc_server(model) as port:
        yield f"localhost:{port}"


@pytest.fixture
def rest_target(model) -> str:
    """A REST server of it."""
    with rest_server(model) as port:
        yield f"localhost:{port}"


@pytest.fixture(params=["grpc", "rest"])
def options(request, model) -> ClientOptions:
    """Options to reach it, by gRPC and by REST."""
    with (grpc_server if request.param == "grpc" else rest_server)(model) as port:
        yield ClientOptions(target=f"localhost:{port}", rest=request.param == "rest", timeout_s=10.0)
