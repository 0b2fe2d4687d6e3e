"""Fine-tuning inside TFX's Trainer: examples in, SavedModel and logs out."""

from __future__ import annotations

import trainer.keras_policy  # noqa: F401  isort: skip

import json
import time
from pathlib import Path

import numpy as np
import tf_keras

from trainer import inputs
from trainer.encoders.errors import EncoderError
from trainer.encoders.resolve import resolve_encoder
from trainer.export import export_model
from trainer.model import build_model, compile_model
from trainer.precision import matrix_products
from trainer.progress import LogProgress
from trainer.schedule import StopEarly, Unfreeze
from trainer.settings import HISTORY_FILE, TrainerSettings


def fine_tune(fn_args) -> None:
    """Trains the classifier and exports it.

    Writes the SavedModel to `fn_args.serving_model_dir`, and to `fn_args.model_run_dir` the TensorBoard logs and
    `training.json` (settings, rows, steps, parameters, seconds, the metrics of each epoch).

    Args:
      fn_args: `tfx.components.FnArgs`; uses `train_files`, `eval_files`, `custom_config` and the two folders.

    Raises:
      EncoderError: the encoder is not there any more, or is another one than when the run began.
      FloatingPointError: the loss is not finite.
    """
    settings = TrainerSettings.from_custom_config(fn_args.custom_config)
    encoder = resolve_encoder(settings.encoder, offline=settings.offline)
    if settings.encoder_digest not in ("", encoder.digest):
        raise EncoderError(
            f"The encoder {settings.encoder} changed after the run began. Expected: {settings.encoder_digest}. "
            f"Received: {encoder.digest} in {encoder.path}. Run again."
        )

    train_files, eval_files = inputs.matching_files(fn_args.train_files), inputs.matching_files(fn_args.eval_files)
    rows = inputs.count_rows(train_files)
    steps_per_epoch = -(-rows // settings.batch_size)

    model = build_model(encoder.path, fine_tune=settings.fine_tune, head_scale=settings.head_scale, seed=settings.seed)
    compile_model(
        model,
        optimizer=settings.optimizer,
        learning_rate=settings.learning_rate,
        learning_rate_decay=settings.learning_rate_decay,
        steps=steps_per_epoch * settings.epochs,
        warmup_share=settings.warmup_share,
        encoder_learning_rate_factor=settings.encoder_learning_rate_factor,
        clip_norm=settings.clip_norm,
    )
    began = time.monotonic()
    history = matrix_products(settings.precision)(model.fit)(
        inputs.training_dataset(
            train_files,
            batch_size=settings.batch_size,
            shuffle_buffer_rows=settings.shuffle_buffer_rows,
            length_buckets=settings.length_buckets,
            policy=settings.casing,
            seed=settings.seed,
        ),
        validation_data=inputs.evaluation_dataset(
            eval_files, batch_size=settings.eval_batch_size, policy=settings.casing
        ),
        epochs=settings.epochs,
        verbose=0,
        callbacks=[
            tf_keras.callbacks.TensorBoard(fn_args.model_run_dir, write_graph=False, profile_batch=0),
            LogProgress(settings.epochs, steps_per_epoch),
            _StopAtNonFiniteLoss(),
            *_schedule(settings),
        ],
    )
    seconds = time.monotonic() - began

    export_model(model, fn_args.serving_model_dir, policy=settings.casing)
    facts = {
        "settings": {**vars(settings), "encoder_digest": encoder.digest},
        "train_rows": rows,
        "steps": steps_per_epoch * len(history.epoch),
        "trainable_parameters": int(sum(np.prod(weight.shape) for weight in model.trainable_weights)),
        "fit_seconds": round(seconds, 3),
        "epochs": {name: [float(value) for value in values] for name, values in history.history.items()},
    }
    Path(fn_args.model_run_dir, HISTORY_FILE).write_text(json.dumps(facts, indent=2), encoding="utf-8")


def _schedule(settings: TrainerSettings) -> list[tf_keras.callbacks.Callback]:
    callbacks = []
    if settings.fine_tune and settings.frozen_epochs:
        callbacks.append(Unfreeze("encoder", settings.frozen_epochs))
    if settings.early_stopping_patience:
        callbacks.append(StopEarly(settings.early_stopping_patience))
    return callbacks


class _StopAtNonFiniteLoss(tf_keras.callbacks.Callback):
    """A model that went to NaN would be exported and evaluated for minutes before anyone is told."""

    def on_train_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss", 0.0)
        if not np.isfinite(loss):
            raise FloatingPointError(
                f"The training loss must stay finite. Received: {loss} at step {batch + 1}. "
                "Lower it with --set training.learning_rate=..., and look for odd rows in the data."
            )
