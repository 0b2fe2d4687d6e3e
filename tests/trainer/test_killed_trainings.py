"""A training that dies by SIGKILL, again and again, ends with the very model of one that nothing disturbed."""

from __future__ import annotations

import json
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.helpers.killed_runs import train_child
from tests.helpers.trainings import NO_INPUTS, TRAINING, generated
from trainer import saved_model

pytestmark = pytest.mark.slow

KILLS, CHAINS = 12, 2


class Ending(NamedTuple):
    """What a training leaves."""

    digest: str
    epochs: dict[str, list[float]]
    seconds: float


@pytest.fixture(scope="module")
def train(tmp_path_factory, examples, tiny_encoder):
    """Returns a function that trains in an output of that name once, and returns the exit code and the folder."""
    base = tmp_path_factory.mktemp("trainings")
    files = {"train_files": [examples(generated(203, 0))], "eval_files": [examples(generated(37, 1))]}
    # Each attempt makes its graphs anew, and of those the one that augments would take the most of its time; that it
    # draws the same again is tests/trainer/test_inputs.py's.
    settings = {
        **TRAINING,
        "encoder": str(tiny_encoder),
        "casing": "lower",
        "deterministic": True,
        "checkpoint_seconds": 1e-6,
    }

    def train(name: str, attempt: int, kill_after: float | None = None) -> tuple[int, Path]:
        trainer = base / name / "Trainer"
        (trainer / "model").mkdir(parents=True, exist_ok=True)
        folders = {
            "serving_model_dir": str(trainer / "model" / str(attempt)),
            "model_run_dir": str(trainer / "model_run" / str(attempt)),
        }
        code = train_child({**files, **folders, "custom_config": settings, **NO_INPUTS}, kill_after)
        return code, trainer

    return train


def look(trainer: Path, attempt: int) -> Ending:
    facts = json.loads((trainer / "model_run" / str(attempt) / "training.json").read_text())
    return Ending(saved_model.digest(trainer / "model" / str(attempt)), facts["epochs"], facts["fit_seconds"])


@pytest.fixture(scope="module")
def twice(train) -> list[Ending]:
    """Two trainings that nothing disturbs, beside each other."""

    def run(name: str) -> Ending:
        code, folder = train(name, 1)
        assert code == 0
        return look(folder, 1)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(run, ["undisturbed", "again"]))


@pytest.fixture(scope="module")
def undisturbed(twice) -> Ending:
    return twice[0]


def test_two_runs_with_one_seed_give_one_digest(twice):
    one, again = twice
    assert (again.digest, again.epochs) == (one.digest, one.epochs)


def test_killed_at_random_moments_a_training_ends_with_the_same_model(train, undisturbed):
    def die_and_go_on(chain: int) -> tuple[int, list[Ending]]:
        moments, kills, attempt, endings = random.Random(f"{time.time_ns()} {chain}"), 0, 0, []
        while kills < KILLS // CHAINS or not endings:
            attempt += 1
            late = moments.uniform(0, undisturbed.seconds * 0.15) if kills < KILLS // CHAINS else None
            code, folder = train(f"chain-{chain}", attempt, late)
            assert code in (0, -signal.SIGKILL)
            kills += code != 0
            if code == 0:
                endings.append(look(folder, attempt))
                assert not [*(folder / "checkpoints").iterdir()]
        return kills, endings

    with ThreadPoolExecutor(CHAINS) as pool:
        outcomes = list(pool.map(die_and_go_on, range(CHAINS)))
    assert sum(kills for kills, _ in outcomes) == KILLS
    for _, endings in outcomes:
        for ending in endings:
            assert (ending.digest, ending.epochs) == (undisturbed.digest, undisturbed.epochs)
