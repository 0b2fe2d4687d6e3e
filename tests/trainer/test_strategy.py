"""Two processes on loopback train as one does; what TF_CONFIG asks besides is refused."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.helpers.trainings import NO_INPUTS, TRAINING, generated
from trainer.settings import SettingsError
from trainer.strategy import choose_spread

TRAIN = """
import json, sys
from types import SimpleNamespace
import trainer
trainer.run_fn(SimpleNamespace(**json.loads(sys.argv[1])))
"""

#: A processor shows itself as two devices, which stand for two GPUs.
ON_TWO_DEVICES = """
import tensorflow as tf
import trainer.fine_tune
from trainer.strategy import Spread
halves = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)
def choose_spread():
    spread = Spread(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    print("devices:", spread.strategy.num_replicas_in_sync)
    return spread
trainer.fine_tune.choose_spread = choose_spread
"""


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Training:
    """A process that trains 203 generated rows; its files lie in a folder of its own."""

    def __init__(self, folder: Path, told: dict, code: str = TRAIN, **environment: str):
        self.folder = folder
        folder.mkdir()
        told = {"model_run_dir": f"{folder}/model_run/1", "serving_model_dir": f"{folder}/model/1", **told}
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment}
        with (folder / "shown.txt").open("wb") as shown:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, json.dumps(told)], env=environment, stdout=shown, stderr=shown
            )

    def wait(self) -> None:
        try:
            code = self.process.wait(240)
        finally:
            self.process.kill()
        assert code == 0, (self.folder / "shown.txt").read_text()[-3000:]

    def epochs(self) -> dict[str, list[float]]:
        self.wait()
        return json.loads((self.folder / "model_run" / "1" / "training.json").read_text())["epochs"]


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
    return Training(tmp_path_factory.mktemp("alone") / "alone", told).epochs()


@pytest.mark.slow
def test_two_workers_train_as_one_process_and_only_the_chief_writes(tmp_path, told, alone):
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    tasks = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}} for index in range(2)]
    chief, other = (
        Training(tmp_path / f"worker-{index}", told, TF_CONFIG=json.dumps(task)) for index, task in enumerate(tasks)
    )
    try:
        other.wait()
        assert_alike(chief.epochs(), alone)
    finally:
        chief.process.kill()
    assert [path.name for path in other.folder.iterdir()] == ["shown.txt"]


@pytest.mark.slow
def test_two_devices_train_as_one(tmp_path, told, alone):
    training = Training(tmp_path / "devices", told, ON_TWO_DEVICES + TRAIN)
    assert_alike(training.epochs(), alone)
    assert "devices: 2" in (training.folder / "shown.txt").read_text()


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
    ("tf_config", "said"),
    [
        ("{", "is JSON with `cluster` and `task`. Received: '{'"),
        ("[]", "is JSON with"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "evaluator"}}', "without parameter servers"),
        ('{"cluster": {"worker": ["a:1", "b:1"], "ps": ["c:1"]}, "task": {"type": "worker"}}', "without parameter"),
    ],
)
def test_what_cannot_be_followed_is_refused(monkeypatch, tf_config, said):
    monkeypatch.setenv("TF_CONFIG", tf_config)
    with pytest.raises(SettingsError, match=said.replace("{", r"\{")):
        choose_spread()
