"""Checkpoints of a training in this process: gone on from, each whole, and no fault of the training's."""

from __future__ import annotations

import itertools
import json
import logging
import resource
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import trainer
from tests.helpers.trainings import NO_INPUTS, TRAINING, generated
from trainer.fitting import checkpoints
from trainer.fitting.checkpoints import CheckpointError, checkpoint_folder

STEPS = 39


class BrokenOff(Exception):  # noqa: N818
    """Ends a training from within."""


class Breaker(logging.Handler):
    """Breaks a training off once it has logged so many steps; -1 never."""

    def __init__(self, step: int):
        super().__init__(logging.INFO)
        self.step, self.said = step, []

    def emit(self, record):
        self.said.append(record.getMessage())
        progress = getattr(record, "progress", None)
        if progress and 0 <= self.step <= progress["step"] and not progress["done"]:
            raise BrokenOff


@pytest.fixture(scope="module")
def train_in(examples, tiny_encoder):
    """A function that trains in a folder, as an attempt's number, and returns `training.json` and what it logged.

    The first thing that is logged is the model's summary.
    """
    files = {"train_files": [examples(generated(203, 0))], "eval_files": [examples(generated(37, 1))]}

    def train(folder: Path, attempt: int, *, stop_at: int = -1, share: float = float("inf"), **changes):
        settings = {**TRAINING, "encoder": str(tiny_encoder), "checkpoint_seconds": 1e-6, **changes}
        breaker, logger = Breaker(stop_at), logging.getLogger("trainer")
        logger.setLevel(logging.INFO)
        logger.addHandler(breaker)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("trainer.fitting.progress._SECONDS_BETWEEN_RECORDS", 0.0)
                patch.setattr(checkpoints, "WRITING_SHARE", share)
                trainer.run_fn(
                    SimpleNamespace(
                        **files,
                        **NO_INPUTS,
                        custom_config=settings,
                        serving_model_dir=str(folder / "model" / str(attempt)),
                        model_run_dir=str(folder / "model_run" / str(attempt)),
                    )
                )
        except BrokenOff:
            return None, breaker.said
        finally:
            logger.removeHandler(breaker)
        facts = folder / "model_run" / str(attempt) / "training.json"
        return json.loads(facts.read_text()), breaker.said

    return train


@pytest.fixture
def train(train_in, tmp_path):
    """`train_in` in this test's folder, each time as another attempt."""
    attempts = itertools.count()
    return lambda **changes: train_in(tmp_path / "Trainer", next(attempts), **changes)


@pytest.fixture(scope="module")
def once_broken_off(train_in, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("broken")
    assert train_in(folder, 0, stop_at=20)[0] is None
    return folder / "checkpoints"


@pytest.fixture
def broken_off(once_broken_off, tmp_path) -> Path:
    """The one checkpoint of a training that was broken off at step 20, in this test's folder."""
    shutil.copytree(once_broken_off, tmp_path / "Trainer" / "checkpoints")
    (only,) = kept(tmp_path)
    return only


def kept(tmp_path: Path) -> list[Path]:
    """The checkpoints there are, whatever they are of."""
    return sorted((tmp_path / "Trainer").glob("checkpoints/*/*"))


def test_a_training_that_was_broken_off_goes_on_where_it_was(train, train_in, broken_off, tmp_path):
    undisturbed, _ = train_in(tmp_path / "undisturbed", 0, checkpoint_seconds=None)
    assert broken_off.name == f"{19:012d}"  # the handler hears of a step before its checkpoint is written
    done, said = train()
    assert said[1] == "resuming from the checkpoint at epoch 2, batch 6"
    assert said[2].startswith("epoch 2/3  step 8/13")
    assert done["steps"] == STEPS
    for name, values in undisturbed["epochs"].items():
        assert done["epochs"][name] == pytest.approx(values, abs=1e-5), name
    assert kept(tmp_path) == []


def test_another_training_does_not_go_on_from_it(train, broken_off, tmp_path):
    done, said = train(seed=8, epochs=1)
    assert said[1].startswith("epoch 1/1  step 2/13")
    assert len(done["epochs"]["loss"]) == 1
    assert kept(tmp_path) == [broken_off]


def test_without_checkpoints_nothing_is_written(train, tmp_path):
    assert train(stop_at=20, checkpoint_seconds=None, casing="lower")[0] is None
    assert kept(tmp_path) == []


def test_writing_takes_no_more_than_its_share(train, tmp_path):
    assert train(stop_at=30, share=1e-9, casing="lower")[0] is None
    (only,) = kept(tmp_path)
    assert only.name == f"{2:012d}"


def test_a_full_disk_is_said_once_and_leaves_the_last_good_one(train, broken_off, tmp_path):
    before = {file.name: file.read_bytes() for file in broken_off.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The limit is the whole process's: no checkpoint fits, while logs and what AutoGraph writes do.
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(map(len, before.values())) // 2, hard))
    try:
        _, said = train(stop_at=30)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (warning,) = [line for line in said if "must be writable" in line]
    assert "the training continues without. Received: " in warning
    assert said[-1].startswith("epoch 3/3  step 4/13")
    assert kept(tmp_path) == [broken_off]
    assert {file.name: file.read_bytes() for file in broken_off.iterdir()} == before


def test_a_damaged_one_is_named_with_the_way_out(train, broken_off):
    (broken_off / "arrays.index").write_bytes(b"")
    with pytest.raises(CheckpointError, match=rf"Remove {broken_off.parent} to start over\.$") as caught:
        train()
    assert caught.value.exit_code == 2


def test_what_diverges_leaves_no_checkpoint_to_diverge_from_again(train, tmp_path):
    with pytest.raises(FloatingPointError, match=r"learning rate .*Nothing was exported"):
        train(learning_rate=1.0, encoder_learning_rate_factor=100.0, learning_rate_decay="constant", casing="lower")
    assert kept(tmp_path) == []


def test_the_place_depends_on_data_and_settings_and_not_on_the_attempt(tmp_path, monkeypatch):
    data = tmp_path / "rows"
    data.write_bytes(b"1")
    told = [
        checkpoint_folder(str(tmp_path / "model_run" / number), {"seed": seed}, [str(data)])
        for number, seed in (("1", 1), ("2", 1), ("3", 2))
    ]
    assert told[0] == told[1] != told[2]
    assert told[0].parent == tmp_path / "checkpoints"
    data.write_bytes(b"2")
    assert checkpoint_folder(str(tmp_path / "model_run" / "1"), {"seed": 1}, [str(data)]) != told[0]
    assert checkpoint_folder("s3://bucket/model_run/1", {"seed": 1}, [str(data)]) is None
    monkeypatch.setenv(checkpoints.FOLDER_VARIABLE, str(tmp_path / "volume"))
    assert checkpoint_folder("s3://bucket/model_run/1", {"seed": 1}, [str(data)]).parent == tmp_path / "volume"
