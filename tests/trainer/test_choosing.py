"""What a recipe leaves open is chosen on rows that are held out of the training split."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import json

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from trainer import features, inputs, recipe, wide
from trainer.casing import normalise
from trainer.choosing import Blend, Trial, _first_unbeaten, _Judged, choose, fit_blend
from trainer.export import Words, export_model
from trainer.fitting.divergence import Diverged
from trainer.fitting.warm_start import note_encoder, take_weights, weights_of
from trainer.model import logits_of
from trainer.settings import SettingsError, TrainerSettings

RANDOM = np.random.default_rng(3)
NOUNS = ["cat", "budget", "storm", "election", "recipe", "museum", "bridge", "singer"]


def rows(count: int):
    """Titles whose first words say the label, seven times of eight."""
    made = []
    for number in range(count):
        label = int(RANDOM.integers(2)) if number % 8 == 0 else number % 2
        begin = ["Parliament discusses the", "You won't believe this"][label if number % 16 else 1 - label]
        made.append((f"{begin} {NOUNS[number % 8]} number {number}", label))
    return made


@pytest.fixture(scope="module")
def settings(tiny_encoder) -> TrainerSettings:
    return TrainerSettings(
        encoder=str(tiny_encoder),
        encoder_digest="",
        offline=True,
        eval_batch_size=64,
        epochs=3,
        learning_rate=1e-2,
        learning_rates=[1e-1],
        early_stopping_patience=1,
        words=True,
        casing="lower",
    )


@pytest.fixture(scope="module")
def train_file(examples) -> str:
    return examples(rows(240))


@pytest.fixture(scope="module")
def model(settings, tiny_encoder) -> tf_keras.Model:
    return recipe.build(settings, tiny_encoder)


@pytest.fixture(scope="module")
def choice(settings, model, train_file, tmp_path_factory):
    return choose(settings, model, [train_file], tmp_path_factory.mktemp("checkpoints"))


def test_each_learning_rate_is_tried_and_the_best_is_known(choice):
    assert [trial.learning_rate for trial in choice.trials] == [1e-2, 1e-1]
    assert [trial for trial in choice.trials if trial.chosen] == [choice.best]
    assert all(1 <= trial.epochs <= 3 for trial in choice.trials)
    assert choice.held_out_rows == 240  # of so few each once
    # Words decide here, so that the blend is better than the encoder alone.
    assert choice.best.blend.words > 0
    assert choice.best.loss < choice.best.encoder_loss


def test_the_encoder_as_it_is_is_tried_in_both_casings(settings, model, train_file):
    alone = {"words": False, "learning_rates": [], "learning_rate": 1e-12, "epochs": 1}
    frozen = settings.model_copy(update={**alone, "try_frozen": True, "casing": "augment"})
    made = choose(frozen, model, [train_file], None)
    assert [trial.learning_rate for trial in made.trials] == [1e-12, None]
    assert (made.best.learning_rate, made.best.epochs) == (None, 0)


@pytest.mark.parametrize(("gain", "chosen"), [(0.001, 0), (0.2, 1), (-0.2, 0)])
def test_a_later_trial_must_be_better_by_more_than_chance(gain, chosen):
    losses = RANDOM.gamma(1, 0.3, 400)
    trials = [
        _Judged(Trial(rate, 4, 0.0, 0.0, None, 1.0), None, rows)
        for rate, rows in ((4e-4, losses), (1e-4, losses - gain + RANDOM.normal(0, 0.3, 400)))
    ]
    assert _first_unbeaten(trials) is trials[chosen]


def test_of_many_rows_a_part_is_held_out(settings, model, train_file, monkeypatch):
    monkeypatch.setattr("trainer.choosing._FEW_ROWS", 200)
    once = settings.model_copy(update={"learning_rates": [], "epochs": 1, "early_stopping_patience": None})
    assert 20 <= choose(once, model, [train_file], None).held_out_rows <= 80


def test_the_model_has_its_first_weights_again(settings, model, tiny_encoder, choice):
    for weight, first in zip(model.get_weights(), recipe.build(settings, tiny_encoder).get_weights(), strict=True):
        np.testing.assert_array_equal(weight, first)


def test_a_choice_that_was_made_is_read_again(settings, model, train_file, tmp_path, monkeypatch):
    made = choose(settings.model_copy(update={"learning_rates": [], "epochs": 1}), model, [train_file], tmp_path)
    monkeypatch.setattr("trainer.choosing.hold_out", None)
    assert choose(settings, model, [train_file], tmp_path) == made
    assert json.loads((tmp_path / "choice.json").read_text())["trials"][0]["blend"]


def test_a_rate_that_diverges_is_left_out(settings, model, train_file, monkeypatch):
    wild = settings.model_construct(**{**settings.model_dump(), "learning_rates": [1e38], "epochs": 1})
    assert [trial.learning_rate for trial in choose(wild, model, [train_file], None).trials] == [1e-2]
    wild = wild.model_copy(update={"learning_rate": 1e38})
    with pytest.raises(Diverged):
        choose(wild, model, [train_file], None)


def test_too_few_rows(settings, model, examples):
    with pytest.raises(SettingsError, match="must hold out 20 training rows.*training.words"):
        choose(settings, model, [examples(rows(60))], None)


def test_a_blend_calibrates_and_follows_the_better_member():
    logits = RANDOM.normal(0, 2, 4000)
    labels = (RANDOM.random(4000) < 1 / (1 + np.exp(-logits))).astype(int)
    noise = RANDOM.normal(0, 2, 4000)
    blend = fit_blend(labels, 3 * logits + 1, noise)
    assert blend.encoder == pytest.approx(1 / 3, abs=0.03)
    assert blend.words == pytest.approx(0, abs=0.03)
    assert blend.bias == pytest.approx(-1 / 3, abs=0.1)


def test_a_member_that_counts_against_itself_is_left_out():
    logits = RANDOM.normal(0, 2, 1000)
    labels = (RANDOM.random(1000) < 1 / (1 + np.exp(-logits))).astype(int)
    assert fit_blend(labels, logits, -logits + RANDOM.normal(0, 5, 1000)).words >= 0
    assert fit_blend(labels, -logits, -logits + RANDOM.normal(0, 1, 1000)) == Blend(0.0, 0.0, pytest.approx(0, abs=0.2))


def test_one_saved_model_serves_both(settings, model, train_file, choice, tmp_path):
    words = Words(wide.fit(*inputs.read_rows([train_file])), choice.best.blend)
    export_model(model, tmp_path, policy=settings.casing, words=words)
    titles = ["You won't believe this CAT", "", "議会は予算を議論する", "x" * 10_000]
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"](title=tf.constant(titles))
    encoder = logits_of(model, [title.encode() for title in titles], batch_size=2, policy=settings.casing)
    lowered = [title.decode() for title in normalise(tf.constant(titles), settings.casing).numpy()]
    blended = choice.best.blend.logits(encoder, wide.logits_of_counts(words.weights, wide.count(lowered)))
    np.testing.assert_allclose(served[features.PROBABILITY][:, 0], 1 / (1 + np.exp(-blended)), atol=1e-6)


def test_its_encoder_can_be_trained_on(settings, model, train_file, choice, tmp_path, tiny_encoder):
    words = Words(wide.fit(*inputs.read_rows([train_file])), choice.best.blend)
    model.layers[1].bias.assign([0.5])
    export_model(model, tmp_path, policy=settings.casing, words=words)
    note_encoder(tmp_path, "sha256:1")
    warm = recipe.build(settings, tiny_encoder)
    take_weights(warm, weights_of(str(tmp_path)), "sha256:1")
    assert warm.layers[1].bias.numpy() == 0.5
