"""Stops a training that has diverged."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
import tf_keras

#: Mean cross-entropy, in nats, over an epoch from which on a model is lost: more than a quarter of all rows are wrong
#: with a certainty that no gradient reaches any more (there a row costs 15 to 16). Not knowing costs 0.69.
MOST_LOSS = 5.0


class Diverged(FloatingPointError):  # noqa: N818  it names the event
    """The loss or the weights are not finite, or the loss exploded."""

    exit_code = 1


class StopAtDivergence(tf_keras.callbacks.Callback):
    """A callback that raises `Diverged` at once, instead of after minutes of export and evaluation.

    Args:
      epochs: of the whole training.
    """

    def __init__(self, epochs: int):
        super().__init__()
        self._epochs, self._epoch, self._batch = epochs, 0, 0
        self._last = ""

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self._batch = batch + 1
        loss = (logs or {}).get("loss", 0.0)
        if not np.isfinite(loss):
            raise self._diverged("training loss", loss)
        self._last = f"the last finite loss was {loss:.4f}, {self._where()}"

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        for key, name in (("loss", "training loss"), ("val_loss", "validation loss")):
            # None where there was no validation.
            if not math.isfinite(loss := logs.get(key, 0.0)) or loss > MOST_LOSS:
                raise self._diverged(name, loss)
        for weight in self.model.trainable_weights:
            if not tf.math.is_finite(tf.reduce_sum(weight)):
                raise self._diverged(f"weights {weight.name}", "some that are not")

    def _diverged(self, what: str, received: object) -> Diverged:
        rule = f"below {MOST_LOSS:g}" if isinstance(received, float) and math.isfinite(received) else "finite"
        rate = self.model.optimizer.learning_rate
        rate = rate(self.model.optimizer.iterations) if callable(rate) else rate
        facts = [f"learning rate {float(rate):.3g}", *([self._last] if self._last else [])]
        return Diverged(
            f"The {what} must stay {rule}. Received: {received} {self._where()} ({'; '.join(facts)}). "
            "Nothing was exported and the checkpoints are gone. "
            "Lower it with --set training.learning_rate=..., and look for odd rows in the data."
        )

    def _where(self) -> str:
        return f"at step {self._batch} of epoch {self._epoch + 1} of {self._epochs}"
