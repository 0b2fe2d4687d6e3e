"""Training progress as log records: a console may draw them, a container's log shows them as lines."""

from __future__ import annotations

import logging
import time

import tf_keras

logger = logging.getLogger("trainer")

_SECONDS_BETWEEN_RECORDS = 1.0


class LogProgress(tf_keras.callbacks.Callback):
    """A callback that logs steps, loss and accuracy at most once a second, and each epoch's end.

    Each record carries `progress`: a dict with `epoch`, `epochs`, `step`, `steps` (of the whole training), the
    metrics that Keras reports, and `done` at the end of an epoch.

    Args:
      epochs: of the whole training.
      steps_per_epoch: batches an epoch.
    """

    def __init__(self, epochs: int, steps_per_epoch: int):
        super().__init__()
        self._epochs, self._steps = epochs, steps_per_epoch
        self._epoch = 0
        self._last = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_RECORDS:
            self._record(batch + 1, logs, done=False)

    def on_epoch_end(self, epoch, logs=None):
        self._record(self._steps, logs, done=True)

    def _record(self, step, logs, *, done):
        self._last = time.monotonic()
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        shown = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        logger.info(
            "epoch %d/%d  step %d/%d  %s",
            self._epoch + 1,
            self._epochs,
            step,
            self._steps,
            shown,
            extra={
                "progress": {
                    "epoch": self._epoch + 1,
                    "epochs": self._epochs,
                    "step": self._epoch * self._steps + step,
                    "steps": self._epochs * self._steps,
                    "done": done,
                    **metrics,
                }
            },
        )
