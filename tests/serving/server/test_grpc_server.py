"""The gRPC server itself, in this process and without a model: TLS, health, the reload of a configuration."""

from __future__ import annotations

import contextlib
import time
from typing import ClassVar

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.server import grpc_service
from serving.server.config import ModelConfig, Policy, server_credentials
from serving.server.errors import ServingError, StartError
from serving.server.grpc_service import GrpcServer
from serving.server.manager import VersionManager
from tests.helpers.certificates import make_authority, make_certificate
from tests.helpers.serving import free_ports, write_ssl_config
from tests.serving.server.messages import predict, reload, status

pytestmark = pytest.mark.slow


class FakeModel:
    def close(self):
        pass


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """Names to certificates: an authority, and what it signed."""
    folder = tmp_path_factory.mktemp("pem")
    authority = make_authority(folder, "authority")
    return {"authority": authority} | {
        host: make_certificate(folder, authority, host) for host in ("localhost", "client")
    }


@contextlib.contextmanager
def serving(tmp_path, ssl_config=None, **options):
    """A server of two versions of model `m`; yields its port and its manager."""
    for version in ("1", "2"):
        (tmp_path / "m" / version).mkdir(parents=True)
    manager = VersionManager(ModelConfig("m", tmp_path / "m", Policy(latest=2)), lambda *call: FakeModel())
    manager.poll()
    server = GrpcServer(manager, threads=2, unavailable_labels=False, **options)
    (port,) = free_ports(1)
    server.listen(f"127.0.0.1:{port}", server_credentials(str(ssl_config)) if ssl_config else None)
    server.start()
    yield port, manager, server
    server.stop(0).wait()


def ask_status(port, credentials=None):
    target = f"localhost:{port}"
    channel = grpc.insecure_channel(target) if credentials is None else grpc.secure_channel(target, credentials)
    with channel:
        answer = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(status(), timeout=10)
        return [found.version for found in answer.model_version_status]


def client_credentials(pem, name=None):
    own = (pem[name].key.read_bytes(), pem[name].cert.read_bytes()) if name else (None, None)
    return grpc.ssl_channel_credentials(pem["authority"].cert.read_bytes(), *own)


def test_tls(tmp_path, pem):
    config = write_ssl_config(tmp_path / "ssl", pem["localhost"], pem["authority"], client_verify=False)
    with serving(tmp_path, config) as (port, *_):
        assert ask_status(port, client_credentials(pem)) == [2, 1]
        for wrong in (None, grpc.ssl_channel_credentials()):
            with pytest.raises(grpc.RpcError) as caught:
                ask_status(port, wrong)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_mutual_tls(tmp_path, pem):
    config = write_ssl_config(tmp_path / "ssl", pem["localhost"], pem["authority"], client_verify=True)
    with serving(tmp_path, config) as (port, *_):
        assert ask_status(port, client_credentials(pem, "client")) == [2, 1]
        with pytest.raises(grpc.RpcError) as caught:
            ask_status(port, client_credentials(pem))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_health(tmp_path):
    with (
        serving(tmp_path, health_service=True) as (port, _, server),
        grpc.insecure_channel(f"localhost:{port}") as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)

        def state(name=""):
            return stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10).status

        serving_now = health_pb2.HealthCheckResponse.SERVING
        assert [state(), state("PredictionService"), state("ModelService")] == [serving_now] * 3
        with pytest.raises(grpc.RpcError) as caught:
            state("x")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        watched = stub.Watch(health_pb2.HealthCheckRequest())
        assert next(watched).status == serving_now
        server.stop(5)
        assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING


def test_a_configuration_by_request(tmp_path):
    with serving(tmp_path) as (port, manager, _), grpc.insecure_channel(f"localhost:{port}") as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        request = model_management_pb2.ReloadConfigRequest()
        model = request.config.model_config_list.config.add(
            name="m", base_path=str(tmp_path / "m"), model_platform="tensorflow"
        )
        model.model_version_policy.specific.versions.append(1)
        model.version_labels["stable"] = 1
        assert stub.HandleReloadConfigRequest(request, timeout=10).status.error_code == 0
        manager.poll()
        with manager.acquire("m", label="stable"):
            pass
        assert [found.state.name for found in manager.statuses("m")] == ["UNLOADING", "AVAILABLE"] or [
            found.state.name for found in manager.statuses("m")
        ] == ["END", "AVAILABLE"]
        model.version_labels["stable"] = 2
        with pytest.raises(grpc.RpcError) as caught:
            stub.HandleReloadConfigRequest(request, timeout=10)
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert caught.value.details() == (
            "Request to assign label to version 2 of model m, which is not currently available for inference"
        )


def test_an_empty_list_unloads_the_model(tmp_path):
    with serving(tmp_path) as (port, manager, _), grpc.insecure_channel(f"localhost:{port}") as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        assert stub.HandleReloadConfigRequest(reload(), timeout=10).status.error_code == 0
        manager.poll()
        found = stub.GetModelStatus(status(), timeout=10).model_version_status
        assert {version.state for version in found} == {50}
        with pytest.raises(ServingError, match="Servable not found"), manager.acquire("m"):
            pass
        stub.HandleReloadConfigRequest(reload(("m", str(tmp_path / "m"), "tensorflow")), timeout=10)
        manager.poll()
        with manager.acquire("m"):
            pass


def test_a_message_over_the_limit_and_one_that_grows_beyond_it(tmp_path):
    with serving(tmp_path) as (port, *_):
        options = [("grpc.max_send_message_length", -1)]
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            with grpc.insecure_channel(f"localhost:{port}", options, compression=compression) as channel:
                call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
                with pytest.raises(grpc.RpcError) as caught:
                    call(bytes(65 << 20), timeout=60)
                assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and caught.value.details()
        assert ask_status(port) == [2, 1]


class SlowModel(FakeModel):
    """Answers after a while, and notes how long each call could have taken."""

    version, seconds = 1, 0.5
    signatures: ClassVar = {"serving_default": meta_graph_pb2.SignatureDef()}

    def __init__(self):
        self.signatures["serving_default"].inputs["title"].name = "title:0"
        self.timeouts_ms = []

    def run(self, feeds, infos, fetches, timeout_ms=0):
        self.timeouts_ms.append(timeout_ms)
        time.sleep(self.seconds)
        return []


@contextlib.contextmanager
def serving_slowly(tmp_path, threads):
    """A server of one version that takes half a second; yields the version and a stub."""
    model = SlowModel()
    (tmp_path / "m" / "1").mkdir(parents=True)
    manager = VersionManager(ModelConfig("m", tmp_path / "m"), lambda *call: model)
    manager.poll()
    server = GrpcServer(manager, threads=threads, unavailable_labels=False)
    (port,) = free_ports(1)
    server.listen(f"127.0.0.1:{port}", None)
    server.start()
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        yield model, prediction_service_pb2_grpc.PredictionServiceStub(channel)
    server.stop(0).wait()


def test_a_deadline_is_the_computation_s_too(tmp_path):
    with serving_slowly(tmp_path, threads=1) as (model, stub):
        stub.Predict(predict())
        stub.Predict(predict(), timeout=10)
        assert model.timeouts_ms[0] == 0 and 5_000 < model.timeouts_ms[1] < 11_000


def test_a_call_whose_deadline_passes_while_it_waits_is_not_begun(tmp_path):
    with serving_slowly(tmp_path, threads=1) as (model, stub):
        calls = [stub.Predict.future(predict(), timeout=0.3) for _ in range(4)]
        assert {call.code() for call in calls} == {grpc.StatusCode.DEADLINE_EXCEEDED}
        stub.Predict(predict(), timeout=10)
        assert len(model.timeouts_ms) == 2  # of the four, the first alone was begun


def test_calls_beyond_the_threads_wait_and_beyond_the_bound_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(grpc_service, "_MAX_CALLS", 3)
    with serving_slowly(tmp_path, threads=1) as (_, stub):
        calls = [stub.Predict.future(predict(), timeout=30) for _ in range(5)]
        codes = [call.code() for call in calls]
        assert codes.count(grpc.StatusCode.OK) == 3 and codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 2


def test_a_port_that_is_taken(tmp_path):
    with serving(tmp_path) as (port, manager, _):
        second = GrpcServer(manager, threads=1, unavailable_labels=False)
        with pytest.raises(StartError, match="cannot be bound.*Give another --port"):
            second.listen(f"127.0.0.1:{port}", None)


def test_channel_arguments(tmp_path):
    manager = VersionManager(ModelConfig("m", tmp_path), lambda *call: FakeModel())

    def server(arguments):
        return GrpcServer(manager, threads=1, unavailable_labels=False, channel_arguments=arguments)

    assert server("grpc.max_connection_age_ms=2000,grpc.primary_user_agent=me")
    with pytest.raises(StartError, match="name=value"):
        server("grpc.max_connection_age_ms")
