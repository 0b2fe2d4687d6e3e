"""`trainer.tuner_fn`, searched as TFX's Tuner does, on generated rows and a tiny encoder."""

import trainer.tensorflow_setup.keras_policy  # isort: skip

import json
import logging
from pathlib import Path
from types import SimpleNamespace

import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

import trainer
from tests.helpers.trainings import TRAINING
from trainer import features
from trainer.settings import SettingsError, TrainerSettings
from trainer.tuning.halving import CANDIDATE, PART, rungs
from trainer.tuning.holdout import hold_out
from trainer.tuning.tuner import RecipeTuner

TRIALS = 3


def generated(rows):
    random = np.random.default_rng(0)
    words = (["Budget", "Election", "Parliament"], ["Cat", "You", "Believe"])
    for number in range(rows):
        label = int(random.integers(2))
        yield f"{' '.join(random.choice(words[label], 3))} {number}", label


@pytest.fixture(scope="module")
def rows(examples):
    return examples(generated(300))


@pytest.fixture
def fn_args(rows, tiny_encoder, tmp_path):
    def make(trials=TRIALS, **changes):
        config = {
            **TRAINING,
            "encoder": str(tiny_encoder),
            "head_scale": 4.0,
            "epochs": 2,
            "batch_size": 16,
            "learning_rate": 0.02,
            "tuner": {"trials": trials, "validation_share": 0.2},
            "directory": str(tmp_path / "tuner"),
        }
        return SimpleNamespace(train_files=[str(Path(rows).with_name("*"))], custom_config={**config, **changes})

    return make


def pretended(self, recipe, file):
    """A loss for a trial, without the training that each real one takes seconds for."""
    return abs(np.log(recipe.learning_rate / 0.05)) + 0.1 * recipe.epochs


@pytest.fixture
def losses(monkeypatch):
    """Replaces the training; returns a function that makes the trial of that number, from 1 on, end otherwise."""
    calls = []

    def replace(number=None, outcome=None):
        def train(*arguments):
            calls.append(arguments)
            return outcome() if len(calls) == number else pretended(*arguments)

        monkeypatch.setattr(RecipeTuner, "_train", train)
        return calls

    return replace


def searched(fn_args):
    tuner = trainer.tuner_fn(fn_args).tuner
    tuner.search()
    return tuner


def tried(tuner):
    values = [one.hyperparameters.values for one in tuner.oracle.trials.values()]
    return [(one[CANDIDATE], one[PART]) for one in values]


def titles(path):
    examples = tf.data.TFRecordDataset(path, compression_type="GZIP").as_numpy_iterator()
    return [
        tf.train.Example.FromString(one).features.feature[features.TITLE].bytes_list.value[0].decode()
        for one in examples
    ]


def test_the_better_half_goes_on_to_more_rows():
    assert [rungs(count) for count in (1, 2, 3, 8)] == [
        [(1, 1)],
        [(2, 2), (1, 1)],
        [(3, 2), (2, 1)],
        [(8, 4), (4, 2), (2, 1)],
    ]


def test_the_best_is_never_worse_than_the_configuration_s_own_recipe(fn_args, caplog):
    args = fn_args(casing="as_is", trials=2)
    with caplog.at_level(logging.INFO, "trainer"):
        tuner = searched(args)
    scores = {key: one.score for key, one in zip(tried(tuner), tuner.oracle.trials.values(), strict=True)}
    assert set(scores) >= {(0, 2), (1, 2), (0, 1)}
    (best,) = tuner.oracle.get_best_trials()
    assert best.hyperparameters.values[PART] == 1
    assert best.score == min(score for (_, part), score in scores.items() if part == 1) <= scores[0, 1] < np.log(2)
    lines = [one.tuning["line"] for one in caplog.records if getattr(one, "tuning", {}).get("done")]
    assert len(lines) == len(scores)
    assert all("loss" in line and "learning_rate" in line for line in lines)


def test_the_first_recipe_is_the_configuration_s(fn_args, losses):
    losses()
    args = fn_args()
    first = next(iter(searched(args).oracle.trials.values())).hyperparameters
    asked = TrainerSettings.from_custom_config(args.custom_config)
    assert asked.with_hyperparameters(json.loads(json.dumps(first.get_config()))) == asked
    assert asked.with_hyperparameters(None) == asked


def test_equal_seeds_try_equal_recipes(fn_args, losses, tmp_path):
    losses()

    def recipes(**changes):
        return [one.hyperparameters.values for one in searched(fn_args(**changes)).oracle.trials.values()]

    assert recipes() == recipes(directory=str(tmp_path / "other"))
    assert recipes() != recipes(seed=4)


def test_one_recipe_trained_twice_has_one_loss(fn_args, rows):
    tuner = trainer.tuner_fn(fn_args(trials=1)).tuner
    settings = TrainerSettings.from_custom_config(fn_args(casing="as_is").custom_config)
    assert tuner._train(settings, rows) == pytest.approx(tuner._train(settings, rows), rel=1e-4)


def test_a_killed_search_goes_on_with_the_trial_that_it_was_in(fn_args, losses):
    def kill():
        raise KeyboardInterrupt

    calls = losses(3, kill)
    with pytest.raises(KeyboardInterrupt):
        searched(fn_args())
    again = searched(fn_args())
    assert len(calls) == len(again.oracle.trials) + 1
    assert tried(again)[:TRIALS] == [(0, 2), (1, 2), (2, 2)]


def test_a_state_that_a_kill_cut_off_begins_anew(fn_args, losses, caplog):
    losses()
    first = searched(fn_args())
    Path(first.project_dir, "oracle.json").write_text('{"ongo')
    with caplog.at_level(logging.WARNING, "trainer"):
        again = searched(fn_args())
    assert "starts over" in caplog.text
    assert tried(again) == tried(first)


def test_a_recipe_that_diverges_is_left_out(fn_args, losses):
    losses(1, lambda: float("nan"))
    tuner = searched(fn_args())
    assert (1, 2) in tried(tuner)
    assert np.isfinite(tuner.oracle.get_best_trials()[0].score)


def test_no_finite_loss_at_all_is_refused(fn_args, monkeypatch):
    monkeypatch.setattr(RecipeTuner, "_train", lambda *_: float("nan"))
    with pytest.raises(FloatingPointError, match=r"Received: none. Lower training\.learning_rate"):
        searched(fn_args())


def test_a_fault_that_is_not_the_recipe_s_stops_the_search(fn_args, monkeypatch):
    def fail(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(RecipeTuner, "_train", fail)
    with pytest.raises(Exception, match="No space left on device"):
        searched(fn_args())


def test_no_title_is_both_trained_on_and_judged_by(rows, tmp_path):
    found = hold_out([rows], tmp_path, share=0.2, parts=[4, 2, 1], seed=1)
    whole, half, quarter = (set(titles(found.train[part])) for part in (1, 2, 4))
    held_out = titles(found.validation)
    assert quarter < half < whole
    assert held_out[1::2] == [title.lower() for title in held_out[::2]]
    assert whole.isdisjoint(held_out)
    assert len(whole) + len(held_out) // 2 == 300


def test_too_few_rows_are_refused(fn_args, examples):
    args = fn_args()
    args.train_files = [examples(generated(40))]
    with pytest.raises(SettingsError, match="must hold out 20 training rows.*Received: .*leave out what searches"):
        trainer.tuner_fn(args)


def test_an_encoder_that_changed_after_the_run_began_ends_the_search(fn_args):
    found = trainer.tuner_fn(fn_args(encoder_digest="sha256:another"))
    with pytest.raises(keras_tuner.errors.FatalError, match="must not change during a run. Expected: sha256:another"):
        found.tuner.search()
