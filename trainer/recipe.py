"""Applies the settings of a training, for Trainer and Tuner alike: the model, its rows, its callbacks."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import gc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

from trainer import features, inputs
from trainer.casing import lower
from trainer.encoders.errors import EncoderError
from trainer.encoders.resolve import ResolvedEncoder, resolve_encoder
from trainer.encoders.vectors import fit_classifier
from trainer.fitting.divergence import StopAtDivergence
from trainer.fitting.schedule import StopEarly, Unfreeze
from trainer.fitting.steps_per_call import MOST_STEPS, Pace
from trainer.model import build_model, compile_model, vectors_of
from trainer.settings import TrainerSettings


def find_encoder(settings: TrainerSettings) -> ResolvedEncoder:
    """Returns the encoder that the run resolved when it began.

    Raises:
      EncoderError: it is missing, or has changed.
    """
    encoder = resolve_encoder(settings.encoder, offline=settings.offline)
    if settings.encoder_digest not in ("", encoder.digest):
        raise EncoderError(
            f"The encoder {settings.encoder} must not change during a run. Expected: {settings.encoder_digest}. "
            f"Received: {encoder.digest} in {encoder.path}. Run again."
        )
    return encoder


def build(settings: TrainerSettings, encoder: str | Path) -> tf_keras.Model:
    """Builds the model, not compiled.

    Args:
      settings: the training's.
      encoder: the folder of its encoder.
    """
    return build_model(encoder, fine_tune=settings.fine_tune, head_scale=settings.head_scale, seed=settings.seed)


def prepare(model: tf_keras.Model, settings: TrainerSettings, rows: int, *, workers: int = 1) -> int:
    """Compiles the model for a training on `rows` rows by `workers` processes, and returns the steps of an epoch."""
    steps_per_epoch = -(-rows // settings.batch_size)
    compile_model(
        model,
        settings,
        steps=steps_per_epoch * settings.epochs,
        # Workers would have to agree on the pace at each call.
        steps_per_execution=MOST_STEPS if workers == 1 else 1,
    )
    return steps_per_epoch


def validation_rows(files: Sequence[str], settings: TrainerSettings, first_rows: int | None = None) -> tf.data.Dataset:
    """Returns `inputs.evaluation_dataset`: of the first rows for an epoch's metrics, of all rows for the Tuner."""
    return inputs.evaluation_dataset(
        files, batch_size=settings.eval_batch_size, policy=settings.casing, first_rows=first_rows
    )


def fit_head(model: tf_keras.Model, settings: TrainerSettings, titles: Sequence[bytes], labels: np.ndarray) -> None:
    """Fits the dense layer to the encoder's vectors as they are, by logistic regression.

    Args:
      model: from `build`.
      settings: the training's. Where its casing is `augment`, each title counts as it is and lower-cased.
      titles: as they are.
      labels: 0 or 1 [n], and both.
    """
    seen = [*titles, *lower(tf.constant(titles)).numpy()] if settings.casing == "augment" else titles
    vectors = vectors_of(model, seen, batch_size=settings.eval_batch_size, policy=settings.casing)
    copies = len(seen) // len(titles)
    fitted = fit_classifier(vectors, np.tile(labels, copies), copies=copies)
    head = model.get_layer(features.PROBABILITY)
    head.set_weights([fitted.coef_.T.astype(np.float32), fitted.intercept_.astype(np.float32)])


def callbacks(settings: TrainerSettings, early: StopEarly | None = None) -> list[tf_keras.callbacks.Callback]:
    """Returns the callbacks that control the training; they come before those that record it.

    Args:
      settings: the training's.
      early: stops it by rows that are held out of it, if there are such.
    """
    return [
        # Checkpoints are written between two calls, so calls must not take longer than they are apart.
        Pace(settings.checkpoint_seconds),
        StopAtDivergence(settings.epochs),
        *([Unfreeze("encoder", settings.frozen_epochs)] if settings.fine_tune else []),
        *([early] if early else []),
    ]


def train_trial(
    model: tf_keras.Model, settings: TrainerSettings, file: str, held_out: tf.data.Dataset
) -> tuple[tf_keras.Model, dict[str, list[float]]]:
    """Trains the layers of a model on a file of rows, for a trial.

    Args:
      model: from `build`, whose weights the trial begins with and changes.
      settings: the trial's.
      file: a gzipped TFRecord.
      held_out: rows that the trial is not trained on, for early stopping.

    Returns:
      The trained model, which is another one with the same layers, and the metrics of the epochs.
    """
    # A model of its own, because Keras's keeps every function that it ever trained by, and these the optimizers.
    tried = tf_keras.Sequential(model.layers, name=model.name)
    gc.collect()
    steps = prepare(tried, settings, inputs.count_rows([file]))
    early = StopEarly(settings.early_stopping_patience) if settings.early_stopping_patience else None
    done = tried.fit(
        inputs.training_dataset([file], settings),
        validation_data=held_out if early else None,
        epochs=settings.epochs,
        steps_per_epoch=steps,
        verbose=0,
        callbacks=callbacks(settings, early),
    )
    return tried, done.history
