"""The schedule of a training: warm-up, decay, the encoder's own rate, unfreezing and early stopping."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import math
from collections.abc import Iterable

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras.optimizers import schedules


def learning_rate(
    rate: float, decay: str, steps: int, warmup_share: float = 0.0
) -> float | schedules.LearningRateSchedule:
    """Returns the learning rate of an optimizer: a number or a schedule.

    Args:
      rate: the highest learning rate.
      decay: `constant`; `linear` or `cosine`, both to 0 at the end.
      steps: of the whole training.
      warmup_share: of the steps, over which the rate rises linearly to `rate`; decay begins after them.
    """
    warmup = round(warmup_share * steps)
    behind = max(steps - warmup, 1)
    if decay == "linear":
        rate_behind = schedules.PolynomialDecay(rate, behind, end_learning_rate=0.0)
    elif decay == "cosine":
        rate_behind = schedules.CosineDecay(rate, behind)
    else:
        rate_behind = rate
    return WarmUp(rate, warmup, rate_behind) if warmup else rate_behind


class WarmUp(schedules.LearningRateSchedule):
    """A schedule that rises linearly to a rate, from above 0 at the first step, followed by another schedule.

    Args:
      rate: the learning rate at step `steps`.
      steps: of the rise.
      behind: a constant rate, or a schedule whose step 0 comes then.
    """

    def __init__(self, rate: float, steps: int, behind: float | schedules.LearningRateSchedule):
        super().__init__()
        self._rate, self._steps, self._behind = rate, steps, behind

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        rising = self._rate * (step + 1.0) / (self._steps + 1)
        behind = self._behind(tf.maximum(step - self._steps, 0.0)) if callable(self._behind) else self._behind
        return tf.where(step < self._steps, rising, behind)

    def get_config(self):
        return {"rate": self._rate, "steps": self._steps, "behind": self._behind}


def with_rate_factor(optimizer: type[tf_keras.optimizers.Optimizer], factor: float, variables: Iterable[tf.Variable]):
    """Returns a subclass of `optimizer` that multiplies the learning rate of some variables by `factor`.

    For optimizers that read `self.learning_rate` in `update_step`, as Keras's do. A factor on the gradient would not
    do: Adam divides it out.
    """
    names = {variable._unique_id for variable in variables}

    class WithRateFactor(optimizer):
        _rate_factor = None

        @property
        def learning_rate(self):
            rate = optimizer.learning_rate.fget(self)
            return rate if self._rate_factor is None else rate * self._rate_factor

        def update_step(self, gradient, variable):
            self._rate_factor = factor if variable._unique_id in names else None
            try:
                super().update_step(gradient, variable)
            finally:
                self._rate_factor = None

    return WithRateFactor


class Unfreeze(tf_keras.callbacks.Callback):
    """A callback that trains the head alone for some epochs, and then the encoder as well.

    Args:
      layer: the encoder's name in the model.
      epochs: that train the head alone.
    """

    def __init__(self, layer: str, epochs: int):
        super().__init__()
        self._layer, self._epochs = layer, epochs

    def on_train_begin(self, logs=None):
        # Slots are made for whatever is trained at first, and the encoder is trained later.
        self.model.optimizer.build(self.model.trainable_variables)

    def on_epoch_begin(self, epoch, logs=None):
        layer, trainable = self.model.get_layer(self._layer), epoch >= self._epochs
        if layer.trainable != trainable:
            layer.trainable = trainable
            self.model.make_train_function(force=True)


class StopEarly(tf_keras.callbacks.Callback):
    """A callback for early stopping, which restores the best epoch's weights.

    Keras's EarlyStopping restores them only where it ended the training.

    Args:
      patience: epochs without a lower validation loss.
    """

    def __init__(self, patience: int):
        super().__init__()
        self._patience = patience
        self._best, self._waited = math.inf, 0
        self._weights: list[np.ndarray] = []

    def on_epoch_end(self, epoch, logs=None):
        if logs["val_loss"] < self._best:
            self._best, self._waited, self._weights = logs["val_loss"], 0, self.model.get_weights()
        else:
            self._waited += 1
        self.model.stop_training = self._waited >= self._patience

    def on_train_end(self, logs=None):
        if self._waited and self._weights:
            self.model.set_weights(self._weights)
