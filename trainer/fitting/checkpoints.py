"""Checkpoints, from which a training that was killed resumes exactly where it was.

A checkpoint is a folder that is whole from the moment it has its name: weights and optimizer by `tf.train.Checkpoint`,
and beside them the position in the data, the running metrics and the history. Keras's `BackupAndRestore` keeps neither
the metrics nor the position, so it would see the epoch's first rows again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import math
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import tensorflow as tf
import tf_keras
from pydantic import JsonValue

FOLDER_VARIABLE = "CLICKBAIT_CHECKPOINTS"
"""Environment variable: a folder for checkpoints that outlives the machine, such as a volume of a cluster."""

#: Most of the time that may go into writing; a checkpoint that took long makes the next one come later.
WRITING_SHARE = 0.03

_FORMAT = 1
_STATE, _ARRAYS, _UNFINISHED = "state.json", "arrays", ".unfinished"

_NOTICE = {"notice": True}  # shown on the run's console

logger = logging.getLogger("trainer")


@dataclasses.dataclass
class Progress:
    """The progress of a training."""

    epoch: int = 0
    """Counted from 0, as Keras does."""
    batch: int = 0
    """The number of the epoch's batches that are done."""
    seconds: float = 0.0
    """Spent so far, in all attempts."""
    history: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    """The metrics of the finished epochs."""
    metrics: list[JsonValue] = dataclasses.field(default_factory=list)
    """The running values of the unfinished epoch."""


def checkpoint_folder(model_run_dir: str, identity: Mapping[str, JsonValue], files: Iterable[str]) -> Path | None:
    """Returns the folder of a training's checkpoints: one for each model that settings, code and data lead to.

    Beside TFX's own folders of the Trainer, which have another number at each attempt; or below `FOLDER_VARIABLE`. None
    for an object store, which renames no folder.

    Args:
      model_run_dir: of this attempt, `<pipeline root>/Trainer/model_run/<number>`.
      identity: the settings that decide the model.
      files: of the training and validation rows.
    """
    named = os.environ.get(FOLDER_VARIABLE, "").strip()
    if not named and "://" in model_run_dir:
        return None
    parent = Path(named).expanduser() if named else Path(model_run_dir).parent.parent / "checkpoints"
    key = [_FORMAT, tf.__version__, identity, [_digest(file) for file in files]]
    return parent / hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]


class CheckpointError(RuntimeError):
    """A training cannot resume from its checkpoint."""

    exit_code = 2


class Checkpoints(tf_keras.callbacks.Callback):
    """A callback that writes checkpoints while a model is fitted, and restores the last one.

    A checkpoint is written where the last is `seconds` ago, at a batch's or an epoch's end, and never so often that
    writing takes more than `WRITING_SHARE` of the time. A failure to write, as on a full disk, is logged once; the
    training continues and the last good checkpoint stays.

    Args:
      folder: see `checkpoint_folder`; None where there is none.
      model: compiled.
      seconds: between two checkpoints; None writes none.
      writes: whether this process writes; of several workers one does.
      within_epochs: whether an epoch's running metrics can be read by this process alone.
    """

    def __init__(
        self,
        folder: Path | None,
        model: tf_keras.Model,
        *,
        seconds: float | None,
        writes: bool = True,
        within_epochs: bool = True,
    ):
        super().__init__()
        self._folder = folder
        self._written = folder if writes and seconds is not None else None  # where this process writes, if it does
        self._seconds = math.inf if seconds is None else seconds
        self._within_epochs = within_epochs
        self._state = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
        self._model = model
        self.progress = Progress()
        self._interval, self._warned = self._seconds, False
        self._began = self._last = time.monotonic()

    def restore(self) -> Progress:
        """Restores the last checkpoint, if there is one, and returns its progress; call it before `fit`.

        Raises:
          CheckpointError: it is damaged, or other code wrote it.
        """
        whole = _whole(self._folder) if self._folder else []
        if not whole:
            return self.progress
        last = whole[-1]
        try:
            self.progress = Progress(**json.loads((last / _STATE).read_text(encoding="utf-8")))
            self._model.optimizer.build(self._model.trainable_variables)
            self._state.read(str(last / _ARRAYS)).assert_existing_objects_matched()
        except (OSError, ValueError, TypeError, AssertionError, tf.errors.OpError) as error:
            raise CheckpointError(
                f"A checkpoint must be whole and of the same code. Received: {last} "
                f"({str(error).strip().splitlines()[0]}). Remove {self._folder} to start over."
            ) from error
        self._model._training_state = _StartAt(self.progress.epoch, self.progress.batch)  # Keras's own hook for it
        logger.info(
            "resuming from the checkpoint at epoch %d, batch %d",
            self.progress.epoch + 1,
            self.progress.batch,
            extra=_NOTICE,
        )
        return self.progress

    def discard(self) -> None:
        """Removes all checkpoints: the training is done, or would diverge again."""
        if self._written and self._written.is_dir():
            # Renamed first: the next attempt would resume from a half removed one.
            gone = self._written.with_suffix(".gone")
            shutil.rmtree(gone, ignore_errors=True)
            self._written.rename(gone)
            shutil.rmtree(gone)

    @property
    def seconds_spent(self) -> float:
        """The seconds of this attempt and those before it."""
        return self.progress.seconds + time.monotonic() - self._began

    def on_train_begin(self, logs=None):
        self._began = self._last = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        # Keras has just reset the metrics, also of an epoch that resumes in its middle.
        if self.progress.metrics and epoch == self.progress.epoch:
            for variable, value in zip(_running(self._model), self.progress.metrics, strict=True):
                variable.assign(value)
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        # The end of the last batch is the end of the epoch, which has its validation still to come.
        if self._within_epochs and (folder := self._due()) and batch + 1 < self.params["steps"]:
            running = [variable.numpy().tolist() for variable in _running(self._model)]
            self._write(folder, self._epoch, batch + 1, running)

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs or {}).items():
            self.progress.history.setdefault(name, []).append(float(value))
        if folder := self._due():
            self._write(folder, epoch + 1, 0, [])

    def _due(self) -> Path | None:
        """Returns the folder to write to, where a checkpoint is due."""
        return self._written if time.monotonic() - self._last >= self._interval else None

    def _write(self, folder: Path, epoch: int, batch: int, metrics: list[JsonValue]) -> None:
        began = time.monotonic()
        progress = Progress(epoch, batch, self.seconds_spent, self.progress.history, metrics)
        number = self._model.optimizer.iterations.numpy()
        try:
            _publish(folder, f"{number:012d}", dataclasses.asdict(progress), self._state)
        except (OSError, tf.errors.OpError) as error:
            _remove_unfinished(folder)
            if not self._warned:
                logger.warning(
                    "The folder of checkpoints must be writable: %s; the training continues without. Received: %s. "
                    "Make room there, or name another folder by %s.",
                    folder,
                    str(error).splitlines()[0],
                    FOLDER_VARIABLE,
                    extra=_NOTICE,
                )
            self._warned = True
        self._last = time.monotonic()
        self._interval = max(self._seconds, (self._last - began) / WRITING_SHARE)


def _digest(file: str) -> str:
    total = hashlib.sha256()
    with tf.io.gfile.GFile(file, "rb") as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    return total.hexdigest()


class _StartAt:
    """Keras's hook for the counters at which `Model.fit` begins, as its `BackupAndRestore` sets it."""

    def __init__(self, epoch: int, batch: int):
        self._counters = (epoch, batch)

    def maybe_load_initial_counters_from_ckpt(self, steps_per_epoch, initial_epoch, mode):
        return self._counters


def _running(model: tf_keras.Model) -> Sequence[tf.Variable]:
    return [variable for metric in model.metrics for variable in metric.variables]


def _whole(folder: Path) -> list[Path]:
    """Returns the whole checkpoints in a folder, the oldest first."""
    return sorted(path for path in folder.glob("*") if path.name.isdigit()) if folder.is_dir() else []


def _publish(folder: Path, name: str, state: dict[str, JsonValue], arrays: tf.train.Checkpoint) -> None:
    """Writes a checkpoint, and only then removes those before it."""
    _remove_unfinished(folder)
    unfinished = folder / _UNFINISHED
    unfinished.mkdir(parents=True)
    arrays.write(str(unfinished / _ARRAYS))
    (unfinished / _STATE).write_text(json.dumps(state), encoding="utf-8")
    for file in unfinished.iterdir():
        _flush(file)
    _flush(unfinished)
    older = _whole(folder)
    unfinished.rename(folder / name)
    _flush(folder)
    for checkpoint in older:
        shutil.rmtree(checkpoint)


def _remove_unfinished(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder / _UNFINISHED)


def _flush(path: Path) -> None:
    """Flushes a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
