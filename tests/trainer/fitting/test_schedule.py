"""Rates by step, by layer and by epoch, on a model of the tiny encoder."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from trainer.fitting import schedule
from trainer.model import build_model, compile_model
from trainer.optimizer import LazyAdam
from trainer.settings import TrainingConfig

TEXTS, LABELS = tf.constant(["you won't believe this", "the budget passes", "cat"]), tf.constant([1.0, 0.0, 1.0])
ROWS = tf.data.Dataset.from_tensors((TEXTS, LABELS)).repeat(2)


def rates(*arguments, steps=10):
    made = schedule.learning_rate(0.4, *arguments)
    return [float(made(tf.constant(step))) if callable(made) else made for step in range(steps + 1)]


@pytest.fixture
def model(tiny_encoder):
    return build_model(tiny_encoder, fine_tune=True, seed=1)


def compiled(model, steps=10, **changes):
    settings = {"learning_rate": 0.1, "learning_rate_decay": "constant"}
    compile_model(model, TrainingConfig(**settings | changes), steps=steps)
    return model


def moved_by_a_step(model):
    before = model.get_weights()
    model.train_on_batch(TEXTS, LABELS)
    return [np.abs(after - was).max() for after, was in zip(model.get_weights(), before, strict=True)]


def test_without_warm_up_a_rate_is_what_it_was():
    assert schedule.learning_rate(0.4, "constant", 10) == 0.4
    assert rates("linear", 10) == pytest.approx([0.4 * (1 - step / 10) for step in range(11)])


def test_cosine_falls_slowly_first_and_last():
    assert rates("cosine", 10) == pytest.approx([0.2 * (1 + np.cos(np.pi * step / 10)) for step in range(11)], abs=1e-7)


@pytest.mark.parametrize("decay", ["constant", "linear", "cosine"])
def test_warm_up_rises_evenly_and_decay_begins_behind_it(decay):
    found = rates(decay, 10, 0.3)
    assert found[:4] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert found[10] == pytest.approx(0.4 if decay == "constant" else 0.0, abs=1e-7)
    assert found[3:] == sorted(found[3:], reverse=True)


def test_every_share_of_steps_gives_finite_rates():
    assert np.isfinite(rates("linear", 1, 0.9, steps=3)).all()


@pytest.mark.parametrize("optimizer", [LazyAdam, tf_keras.optimizers.Adam, tf_keras.optimizers.SGD])
@pytest.mark.parametrize("rate", [0.1, schedule.learning_rate(0.1, "linear", 10)])
def test_a_factor_slows_the_weights_that_are_named_and_no_others(optimizer, rate):
    def moved(kind):
        slow, other = tf.Variable([1.0, 2.0]), tf.Variable([1.0, 2.0])
        made = (schedule.with_rate_factor(optimizer, 0.25, [slow]) if kind else optimizer)(rate)
        made.apply_gradients([(tf.constant([0.5, -0.5]), slow), (tf.constant([0.5, -0.5]), other)])
        assert float(made.learning_rate) == pytest.approx(0.1)
        return slow.numpy() - [1, 2], other.numpy() - [1, 2]

    (slow, other), (whole, same) = moved(True), moved(False)
    np.testing.assert_allclose(slow, whole * 0.25, rtol=1e-4)
    np.testing.assert_allclose(other, same, rtol=1e-6)


def test_the_encoders_factor_is_the_encoders(model):
    compiled(model, encoder_learning_rate_factor=0.01)
    table, kernel, _ = moved_by_a_step(model)
    assert 0 < table < 0.0011
    assert kernel == pytest.approx(0.1, rel=0.01)


def test_clipping_bounds_all_gradients_together(tiny_encoder):
    def moved(clip_norm):
        model = build_model(tiny_encoder, fine_tune=True, seed=1)
        compiled(model, clip_norm=clip_norm)
        model.compile(tf_keras.optimizers.SGD(1.0, global_clipnorm=model.optimizer.global_clipnorm), model.loss)
        return np.sqrt(sum(np.square(one) for one in moved_by_a_step(model)))

    assert moved(1e-4) <= 1.0001e-4 < moved(None)


def test_the_encoder_is_frozen_for_the_first_epochs(model):
    compiled(model)
    tables = []
    model.fit(
        ROWS,
        epochs=3,
        verbose=0,
        callbacks=[
            schedule.Unfreeze("encoder", 2),
            tf_keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda *_: tables.append(model.layers[0].weights[0].numpy())
            ),
        ],
    )
    tables.append(model.layers[0].weights[0].numpy())
    np.testing.assert_array_equal(tables[0], tables[2])
    assert not np.array_equal(tables[2], tables[3])


class _Losses(tf_keras.callbacks.Callback):
    """Says what the validation loss was."""

    def __init__(self, losses):
        super().__init__()
        self.losses, self.kernels = losses, []

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = self.losses[epoch]
        self.kernels.append(self.model.layers[1].kernel.numpy())


@pytest.mark.parametrize(
    ("losses", "epochs", "best"),
    [([3, 2, 4, 5, 1], 4, 1), ([3, 2, 1, 4, 2], 5, 2), ([5, 4, 3, 2, 1], 5, 4), ([3, np.nan, np.nan, 1, 1], 3, 0)],
    ids=["ended early", "ended one short of it", "ever better", "not finite"],
)
def test_the_best_epoch_is_kept(model, losses, epochs, best):
    told = _Losses(losses)
    compiled(model).fit(ROWS, epochs=5, verbose=0, callbacks=[told, schedule.StopEarly(2)])
    assert len(told.kernels) == epochs
    np.testing.assert_array_equal(model.layers[1].kernel.numpy(), told.kernels[best])
