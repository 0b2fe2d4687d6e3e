"""Fine-tuning inside TFX's Trainer: examples in, SavedModel and logs out."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

from trainer import inputs, recipe, wide
from trainer.choosing import choose
from trainer.encoders.resolve import ResolvedEncoder
from trainer.export import Words, export_model
from trainer.fitting.checkpoints import Checkpoints, checkpoint_folder
from trainer.fitting.divergence import Diverged
from trainer.fitting.progress import LogProgress
from trainer.fitting.strategy import Spread, choose_spread, shard
from trainer.fitting.warm_start import note_encoder, take_weights, weights_of
from trainer.settings import HISTORY_FILE, SettingsError, TrainerSettings
from trainer.tensorflow_setup.determinism import deterministic_ops
from trainer.tensorflow_setup.graph_options import training_graphs

logger = logging.getLogger("trainer")


def fine_tune(fn_args) -> None:
    """Trains the classifier and exports it.

    Writes the SavedModel to `fn_args.serving_model_dir`, and to `fn_args.model_run_dir` the TensorBoard logs and
    `training.json` (settings, the configured ones, rows, steps, parameters, seconds, the metrics of each epoch). A
    training that was killed resumes from its last checkpoint, see `trainer.fitting.checkpoints`.

    Args:
      fn_args: `tfx.components.FnArgs`; uses `train_files`, `eval_files`, `custom_config`, `hyperparameters`
        (the Tuner's, or none), `base_model` (whose weights a warm start takes) and the two folders.

    Raises:
      EncoderError: the encoder is missing, or has changed since the run began.
      Diverged: the loss or the weights are not finite, or the loss exploded.
      SettingsError: a warm start finds a model of another encoder or architecture.
      CheckpointError: the checkpoint of this training is damaged.
    """
    configured = TrainerSettings.from_custom_config(fn_args.custom_config)
    settings = configured.with_hyperparameters(fn_args.hyperparameters)
    spread = choose_spread()
    encoder = recipe.find_encoder(settings)
    with deterministic_ops(settings.deterministic):
        _train(fn_args, configured, settings, encoder, spread)


def _train(
    fn_args, configured: TrainerSettings, settings: TrainerSettings, encoder: ResolvedEncoder, spread: Spread
) -> None:
    train_files, eval_files = inputs.matching_files(fn_args.train_files), inputs.matching_files(fn_args.eval_files)
    rows = inputs.count_rows(train_files)
    settings = settings.for_rows(rows)

    if settings.has_trials and spread.workers > 1:
        raise SettingsError(
            "training.words, learning_rates, try_frozen and early_stopping_patience must have one worker. "
            f"Received: {spread.workers}. Leave them out, or train on one machine."
        )
    base = weights_of(fn_args.base_model) if settings.warm_start else None
    identity = {**settings.identity, "encoder_digest": encoder.digest}
    folder = checkpoint_folder(
        fn_args.model_run_dir, identity, [*train_files, *eval_files, *([str(base)] if base else [])]
    )
    with spread.strategy.scope():
        model = recipe.build(settings, encoder.path)
        steps_per_epoch = recipe.prepare(model, settings, rows, workers=spread.workers)
    summary: list[str] = []
    model.summary(print_fn=summary.append)
    logger.info("%s", "\n".join(summary))
    validation = shard(recipe.validation_rows(eval_files, settings, settings.validation_rows), spread)
    as_training = training_graphs(settings.precision)
    warm = as_training(_start_warm)(model, base, encoder, validation) if settings.warm_start else None
    choice = choose(settings, model, train_files, folder) if settings.has_trials else None
    frozen = choice is not None and choice.best.learning_rate is None
    if frozen:
        settings = settings.model_copy(update={"fine_tune": False})
    elif choice:
        settings = settings.model_copy(update={"learning_rate": choice.best.learning_rate})
        recipe.prepare(model, settings, rows)
    last_epoch = choice.best.epochs if choice else settings.epochs
    checkpoints = Checkpoints(
        folder,
        model,
        seconds=settings.checkpoint_seconds,
        writes=spread.writes,
        within_epochs=spread.workers == 1,
    )
    if frozen:
        checkpoints.progress.history = _fit_head(model, settings, train_files, validation)
    else:
        _fit(
            model,
            settings,
            train_files,
            validation,
            *(last_epoch, steps_per_epoch),
            spread=spread,
            checkpoints=checkpoints,
            folder_of_logs=fn_args.model_run_dir,
        )

    if not spread.writes:
        return
    words = Words(wide.fit(*inputs.read_rows(train_files)), choice.best.blend) if choice and choice.best.blend else None
    export_model(model, fn_args.serving_model_dir, policy=settings.casing, words=words)
    note_encoder(fn_args.serving_model_dir, encoder.digest)
    facts = {
        "settings": {**settings.model_dump(), "encoder_digest": encoder.digest},
        "asked": configured.model_dump(),
        "warm_start": warm,
        "choice": dataclasses.asdict(choice) if choice else None,
        "train_rows": rows,
        "steps": 0 if frozen else steps_per_epoch * len(checkpoints.progress.history["loss"]),
        "trainable_parameters": int(sum(np.prod(weight.shape) for weight in model.trainable_weights)),
        "fit_seconds": round(checkpoints.seconds_spent, 3),
        "epochs": checkpoints.progress.history,
    }
    history = Path(fn_args.model_run_dir, HISTORY_FILE)
    history.parent.mkdir(parents=True, exist_ok=True)  # by TensorBoard's callback, where an epoch was left
    history.write_text(json.dumps(facts, indent=2), encoding="utf-8")
    checkpoints.discard()


def _fit(
    model: tf_keras.Model,
    settings: TrainerSettings,
    files: Sequence[str],
    validation: tf.data.Dataset,
    last_epoch: int,
    steps_per_epoch: int,
    *,
    spread: Spread,
    checkpoints: Checkpoints,
    folder_of_logs: str,
) -> None:
    """Trains from the last checkpoint, if there is one, to the end."""
    start = checkpoints.restore()
    training = inputs.training_dataset(files, settings, first_epoch=start.epoch, first_batch=start.batch)
    logs = [
        tf_keras.callbacks.TensorBoard(folder_of_logs, write_graph=False, profile_batch=0),
        LogProgress(last_epoch, steps_per_epoch),
    ]
    try:
        training_graphs(settings.precision)(model.fit)(
            shard(training, spread),
            validation_data=validation,
            initial_epoch=start.epoch,
            epochs=last_epoch,
            steps_per_epoch=steps_per_epoch,
            verbose=0,
            callbacks=[
                *(logs if spread.writes else []),
                *recipe.callbacks(settings),
                checkpoints,
            ],
        )
    except Diverged:
        checkpoints.discard()  # resumed, the training would diverge again
        raise


def _fit_head(
    model: tf_keras.Model, settings: TrainerSettings, files: Sequence[str], validation: tf.data.Dataset
) -> dict[str, list[float]]:
    """Fits the dense layer alone; returns the metrics of the training and the validated rows, as of one epoch."""
    model.get_layer("encoder").trainable = False
    recipe.fit_head(model, settings, *inputs.read_rows(files))
    loss, accuracy = model.evaluate(recipe.validation_rows(files, settings), verbose=0)
    val_loss, val_accuracy = model.evaluate(validation, verbose=0)
    return {"loss": [loss], "accuracy": [accuracy], "val_loss": [val_loss], "val_accuracy": [val_accuracy]}


def _start_warm(
    model: tf_keras.Model, base: Path | None, encoder: ResolvedEncoder, rows: tf.data.Dataset
) -> dict[str, float] | None:
    """Loads the weights, and returns their metrics on the validation rows before the first step."""
    if base is None:
        logger.info("there is no blessed model: training begins with the encoder's weights", extra={"notice": True})
        return None
    take_weights(model, base, encoder.digest)
    loss, accuracy = model.evaluate(rows, verbose=0)
    logger.info(
        "training begins with the last blessed model: val_loss %.4f  val_accuracy %.4f before the first step",
        loss,
        accuracy,
        extra={"notice": True},
    )
    return {"val_loss": loss, "val_accuracy": accuracy}
