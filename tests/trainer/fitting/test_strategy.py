"""Two processes on loopback train as one does; what TF_CONFIG asks besides is refused."""

from __future__ import annotations

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import tensorflow as tf

from tests.helpers.killed_runs import train_child
from tests.helpers.trainings import NO_INPUTS, TRAINING, generated
from trainer.fitting.strategy import choose_spread
from trainer.settings import SettingsError
from trainer.tensorflow_setup import cuda


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def train(folder: Path, told: dict, **how) -> dict[str, list[float]]:
    """The epochs of a process of its own that trains 203 generated rows; its files lie in that folder."""
    folder.mkdir()
    code = train_child(
        {"model_run_dir": f"{folder}/model_run/1", "serving_model_dir": f"{folder}/shown", **told}, **how
    )
    assert code == 0, (folder / "shown.txt").read_text()[-3000:]
    facts = folder / "model_run" / "1" / "training.json"
    return json.loads(facts.read_text())["epochs"] if facts.exists() else {}


@pytest.fixture(scope="module")
def told(examples, tiny_encoder) -> dict:
    """What each of the trainings is told."""
    return {
        "train_files": [examples(generated(203, 0))],
        "eval_files": [examples(generated(37, 1))],
        "custom_config": {**TRAINING, "encoder": str(tiny_encoder), "checkpoint_seconds": 1e-6},
        **NO_INPUTS,
    }


@pytest.fixture(scope="module")
def alone(told, tmp_path_factory) -> dict[str, list[float]]:
    """The epochs of one process on one device."""
    return train(tmp_path_factory.mktemp("alone") / "alone", told)


@pytest.mark.slow
def test_two_workers_train_as_one_process_and_only_the_chief_writes(tmp_path, told, alone):
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    tasks = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}} for index in range(2)]
    folders = [tmp_path / f"worker-{index}" for index in range(2)]
    with ThreadPoolExecutor() as pool:
        parts = [
            pool.submit(train, folder, told, environ={"TF_CONFIG": json.dumps(task)})
            for folder, task in zip(folders, tasks, strict=True)
        ]
    assert_alike(parts[0].result(), alone)
    assert parts[1].result() == {}
    assert [path.name for path in folders[1].iterdir()] == ["shown.txt"]


@pytest.mark.slow
def test_two_devices_train_as_one(tmp_path, told, alone):
    assert_alike(train(tmp_path / "devices", told, devices=2), alone)
    assert "devices: 2" in (tmp_path / "devices" / "shown.txt").read_text()


def assert_alike(together: dict[str, list[float]], alone: dict[str, list[float]]) -> None:
    for name, values in alone.items():
        # The last batch of an epoch has 11 rows: 6 for one and 5 for the other, whose means count alike.
        assert together[name] == pytest.approx(values, rel=0.02), name


def test_one_process_without_gpus_needs_no_strategy(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    spread = choose_spread()
    assert (spread.workers, spread.writes) == (1, True)
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}')
    assert choose_spread() == spread


@pytest.mark.parametrize(
    ("device", "visible", "wheels", "message"),
    [
        ("nvidia0", None, False, "CUDA wheels must be installed: pip install 'clickbait-tfx\\[gpu\\]', or .*GPU=1"),
        ("nvidia0", "0", True, "CUDA wheels are installed: the driver must be new enough"),
        ("nvidia0", "-1", False, None),
        ("nvidiactl", None, False, None),
    ],
)
def test_a_gpu_that_tensorflow_does_not_see_is_said_in_a_line(
    tmp_path, monkeypatch, caplog, device, visible, wheels, message
):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    (tmp_path / device).touch()
    monkeypatch.setattr(cuda, "_DEVICES", tmp_path)
    monkeypatch.setattr(cuda, "has_cuda_wheels", lambda: wheels)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with caplog.at_level("WARNING", logger="trainer"):
        choose_spread()
    lines = [record.getMessage() for record in caplog.records if record.name == "trainer"]
    assert len(lines) == (message is not None)
    assert message is None or re.search(message, lines[0])


@pytest.mark.parametrize(
    ("tf_config", "message"),
    [
        ("{", "must be JSON with `cluster` and `task`. Received: '{'"),
        ("[]", "must be JSON with"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "evaluator"}}', "no parameter servers"),
        ('{"cluster": {"worker": ["a:1", "b:1"], "ps": ["c:1"]}, "task": {"type": "worker"}}', "no parameter"),
    ],
)
def test_what_cannot_be_followed_is_refused(monkeypatch, tf_config, message):
    monkeypatch.setenv("TF_CONFIG", tf_config)
    with pytest.raises(SettingsError, match=message.replace("{", r"\{")):
        choose_spread()
