"""Chooses how many steps Keras runs in one call of the graph."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import time

import tf_keras

MOST_STEPS = 32
"""Of one call: the cost of a call itself, 1 to 2 ms, is negligible then."""

# With one, Keras would make a function that cannot run more.
_LEAST_STEPS = 2

_SECONDS = 0.5  # of a call: until progress is shown and Ctrl-C is heard


class Pace(tf_keras.callbacks.Callback):
    """A callback that runs as many steps a call as take half a second, from 2 to `MOST_STEPS`.

    The steps are the same, and so are their results. The model is compiled with `steps_per_execution=MOST_STEPS`; a
    model that is compiled for single steps keeps them.

    Args:
      seconds: the longest call, where it is less than half a second; two steps may take longer.
    """

    def __init__(self, seconds: float | None = None):
        super().__init__()
        self._seconds = min(seconds or _SECONDS, _SECONDS)

    def on_train_begin(self, logs=None):
        self._paces = self.model.steps_per_execution.numpy() > 1
        self._run(_LEAST_STEPS)

    def on_train_batch_begin(self, batch, logs=None):
        self._first, self._began = batch, time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        seconds_a_step = (time.monotonic() - self._began) / (batch - self._first + 1)
        self._run(int(self._seconds / seconds_a_step))

    def _run(self, steps: int) -> None:
        if self._paces:
            self.model.steps_per_execution = min(max(steps, _LEAST_STEPS), MOST_STEPS)
