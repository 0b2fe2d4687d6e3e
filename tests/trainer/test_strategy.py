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


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.mark.slow
def test_two_workers_train_as_one_process_and_only_the_chief_writes(tmp_path, examples, tiny_encoder):
    files = {"train_files": [examples(generated(203, 0))], "eval_files": [examples(generated(37, 1))]}
    settings = {**TRAINING, "encoder": str(tiny_encoder), "checkpoint_seconds": 1e-6}

    def start(name: str, **environment: str) -> subprocess.Popen:
        folder = tmp_path / name
        told = {"model_run_dir": str(folder / "model_run" / "1"), "serving_model_dir": str(folder / "model" / "1")}
        told |= {**files, "custom_config": settings, **NO_INPUTS}
        with (tmp_path / f"{name}.txt").open("wb") as shown:
            return subprocess.Popen(
                [sys.executable, "-c", TRAIN, json.dumps(told)],
                env={**os.environ, **environment, "PYTHONPATH": str(Path(__file__).parents[2])},
                stdout=shown,
                stderr=shown,
            )

    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    workers = [
        start(
            f"worker-{index}",
            TF_CONFIG=json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}),
        )
        for index in range(2)
    ]
    try:
        codes = [worker.wait(240) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert codes == [0, 0], (tmp_path / "worker-0.txt").read_text()[-3000:]
    assert start("alone").wait(240) == 0
    together, alone = (
        json.loads((tmp_path / name / "model_run" / "1" / "training.json").read_text())["epochs"]
        for name in ("worker-0", "alone")
    )
    for name, values in alone.items():
        # The last batch of an epoch has 11 rows: 6 for one and 5 for the other, whose means count alike.
        assert together[name] == pytest.approx(values, rel=0.02), name
    assert not (tmp_path / "worker-1").exists()


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
