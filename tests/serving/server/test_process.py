"""The server as a process: from an empty folder to SIGTERM."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import threading
import time

import grpc
import pytest

from tests.helpers.serving import REAL_SERVER, ServerProcess, free_ports, wait_for, write_model
from tests.serving.server.messages import predict, tensor

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(REAL_SERVER), reason="what only the local server does")]


@pytest.fixture(scope="session")
def heavier_model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("heavier") / "saved", weight=0.5)


def put(base, version, source):
    """As the pusher does: a copy under another name, then the rename."""
    base.mkdir(exist_ok=True)
    shutil.copytree(source, base / f".pushing-{version}")
    (base / f".pushing-{version}").rename(base / str(version))


def test_the_life_of_a_server(tmp_path, tiny_model, heavier_model):
    base = tmp_path / "m"
    base.mkdir()
    # The grace is for machines that have other work to do.
    flags = ("--load_retry_interval_micros=60000000", "--enable_batching", "--shutdown_grace_seconds=60")
    with ServerProcess(base, tmp_path / "log.txt", "m", *flags) as server:
        wait_for(lambda: "waiting for one" in server.log, 90, "it does not say that it waits")
        with pytest.raises(OSError):
            server.rest("GET", "/v1/models/m")
        assert "production uses tensorflow/serving" in server.log
        assert "--enable_batching has no effect" in server.log
        assert "absl" not in server.log and "cuda" not in server.log  # what TensorFlow says when it is imported

        put(base, 1, tiny_model)
        server.wait_until_ready()
        assert server.score("abcd") == (1, 1.0)

        # What is no version, and what is none yet.
        (base / "notes.txt").touch()
        (base / "2.tmp").mkdir()
        (base / "3").mkdir()
        shutil.copyfile(tiny_model / "saved_model.pb", base / "3" / "saved_model.pb")
        wait_for(lambda: server.states().get(3) == "LOADING" and "version 3 failed to load" in server.log)
        assert server.score("abcd") == (1, 1.0)
        shutil.copytree(heavier_model, base / "3", dirs_exist_ok=True)
        wait_for(lambda: server.score("abcd") == (3, 2.0), message="a version whose copy is complete is not taken")
        assert server.states() == {3: "AVAILABLE", 1: "END"} or server.states()[1] == "UNLOADING"

        shutil.rmtree(base / "3")
        wait_for(lambda: server.score("abcd") == (1, 1.0), message="the version before does not come back")
        (base / "4").mkdir()
        wait_for(lambda: 4 in server.states())
        assert server.score("abcd") == (1, 1.0)
        assert server.log.count("version 4 failed to load") == 1
        shutil.rmtree(base / "4")

        _swap_under_load(server, base, tiny_model, heavier_model)
        _drain(server)


def _swap_under_load(server, base, light, heavy):
    """Pushes and deletions while four clients ask: every answer is one of the two models', whole and right."""
    stopping, wrong, answers = threading.Event(), [], []

    def ask():
        while not stopping.is_set():
            try:
                version, score = server.score("abcd")
                answers.append(version)
                if score != (2.0 if version % 2 else 1.0):
                    wrong.append((version, score))
            except grpc.RpcError as error:
                wrong.append(error)

    put(base, 10, light)
    wait_for(lambda: server.score("abcd")[0] == 10)
    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    for version in range(11, 15):
        put(base, version, heavy if version % 2 else light)
        wait_for(lambda version=version: server.score("abcd")[0] == version)
        shutil.rmtree(base / str(version - 1))
    stopping.set()
    for client in clients:
        client.join()
    assert not wrong, wrong[:3]
    assert set(answers) >= {10, 11, 12, 13, 14}


def _drain(server):
    """SIGTERM: the request that is under way is answered, new ones are refused, the exit code is 0."""
    request = predict({"rounds": tensor(3, [], int_val=[400_000])}, signature="spin")
    under_way = server.predictions.Predict.future(request, timeout=60)
    rest_answer = []
    body = json.dumps({"signature_name": "spin", "inputs": {"rounds": 400_000}})
    asking = threading.Thread(target=lambda: rest_answer.append(server.rest("POST", "/v1/models/m:predict", body, 60)))
    asking.start()
    time.sleep(0.3)
    assert not under_way.done()
    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "stopping" in server.log)
    wait_for(lambda: _refuses(server), message="it says that it stops, and takes new requests")
    assert list(under_way.result().outputs["rounds"].int_val) == [400_000]
    asking.join()
    assert rest_answer == [(200, b'{"outputs": 400000}')]
    assert server.process.wait(30) == 0
    assert server.log.rstrip().endswith("stopped")


def _refuses(server) -> bool:
    try:
        server.rest("GET", "/v1/models/m")
    except OSError:
        return True
    return False


def test_a_configuration_file_and_its_labels(tmp_path, tiny_model, heavier_model):
    base, config = tmp_path / "m", tmp_path / "models.config"
    put(base, 1, tiny_model)
    put(base, 2, heavier_model)

    def write(policy, **labels):
        pairs = "".join(f' version_labels {{ key: "{label}" value: {version} }}' for label, version in labels.items())
        text = f'name: "m" base_path: "{base}" model_platform: "tensorflow" model_version_policy {{ {policy} }}{pairs}'
        config.with_suffix(".new").write_text(f"model_config_list {{ config {{ {text} }} }}")
        config.with_suffix(".new").replace(config)

    def labelled(label):
        status, body = server.rest("POST", f"/v1/models/m/labels/{label}:predict", '{"instances": ["abcd"]}')
        return json.loads(body)["predictions"][0][0] if status == 200 else status

    write("specific { versions: 1 versions: 2 }", stable=1, canary=2)
    flags = (
        f"--model_config_file={config}",
        "--model_config_file_poll_wait_seconds=1",
        "--allow_version_labels_for_unavailable_models",
        "--rest_api_timeout_in_ms=300",
    )
    with ServerProcess(base, tmp_path / "log.txt", "m", *flags) as server:
        server.wait_until_ready()
        wait_for(lambda: server.states() == {2: "AVAILABLE", 1: "AVAILABLE"})
        assert (labelled("stable"), labelled("canary"), labelled("x")) == (1.0, 2.0, 400)
        write("specific { versions: 1 versions: 2 }", stable=2)
        wait_for(lambda: labelled("stable") == 2.0, message="the promotion is not seen")
        assert labelled("canary") == 400
        write("specific { versions: 2 }", stable=2)
        wait_for(lambda: server.states() == {2: "AVAILABLE", 1: "END"})
        write("specific { versions: 2 }", stable=1)
        wait_for(lambda: "is not applied: Request to assign label to version 1" in server.log)
        assert labelled("stable") == 2.0

        status, body = server.rest(
            "POST", "/v1/models/m:predict", '{"signature_name": "spin", "inputs": {"rounds": 2000000000}}'
        )
        assert status == 504 and b"error" in body
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 0


@pytest.mark.parametrize("trouble", ["port", "labels", "base-path"])
def test_what_keeps_it_from_starting(tmp_path, trouble):
    (port,) = free_ports(1)
    config = tmp_path / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "m" base_path: "{tmp_path}" model_platform: "tensorflow" '
        'version_labels { key: "stable" value: 1 } } }'
    )
    flags, message = {
        "port": ([f"--port={port}"], "Give another --port"),
        "labels": ([f"--model_config_file={config}"], "give --allow_version_labels_for_unavailable_models"),
        "base-path": (["--model_base_path=relative"], "Give /"),
    }[trouble]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with ServerProcess(tmp_path, tmp_path / "log.txt", "m", *flags) as server:
            assert server.process.wait(30) == 2
            assert message in server.log.splitlines()[-1]
