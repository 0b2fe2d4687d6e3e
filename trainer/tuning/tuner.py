"""The search for a better recipe inside TFX's Tuner: trials on the training rows, each a line of the log."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import hashlib
import json
import logging
import math
import shutil
import time
from pathlib import Path

import keras_tuner
import numpy as np
import tf_keras
from keras_tuner.engine import base_tuner
from tfx.components.tuner.component import TunerFnResult

from trainer import inputs, recipe
from trainer.fitting.divergence import Diverged
from trainer.settings import TrainerSettings, TunerConfig
from trainer.tensorflow_setup.determinism import deterministic_ops
from trainer.tensorflow_setup.graph_options import training_graphs
from trainer.tuning.halving import CANDIDATE, PART, HalvingOracle, rungs
from trainer.tuning.holdout import Holdout, hold_out

logger = logging.getLogger("trainer")


def tuner(fn_args) -> TunerFnResult:
    """Returns a search around `custom_config`'s recipe; a killed search resumes where it was.

    Args:
      fn_args: `tfx.components.FnArgs`; uses `train_files` and `custom_config`: the Trainer's settings, `tuner` (the
        section of the configuration) and `directory` (of the unfinished search).
    """
    settings = TrainerSettings.from_custom_config(fn_args.custom_config)
    search = TunerConfig.model_validate(fn_args.custom_config["tuner"])
    files = inputs.matching_files(fn_args.train_files)
    identity = {**settings.model_dump(), **search.model_dump()}
    name = hashlib.sha256(json.dumps([identity, files], sort_keys=True).encode()).hexdigest()[:16]
    folder = Path(fn_args.custom_config["directory"], name)
    folder.mkdir(parents=True, exist_ok=True)
    rows = hold_out(
        files,
        folder,
        share=search.validation_share,
        parts=[part for _, part in rungs(search.trials)],
        seed=settings.seed,
    )

    def make() -> RecipeTuner:
        return RecipeTuner(settings, rows, HalvingOracle(search.trials, _space(settings), settings.seed), folder)

    try:
        made = make()
    except (ValueError, RuntimeError):  # KerasTuner writes its state in place: a kill may have cut it off
        logger.warning("The unfinished search in %s cannot be read; it starts over.", folder)
        shutil.rmtree(folder / RecipeTuner.PROJECT)
        made = make()
    return TunerFnResult(tuner=made, fit_kwargs={})


class RecipeTuner(base_tuner.BaseTuner):
    """A tuner of the settings' model; KerasTuner's own Tuner supports Keras 3's models only.

    The objective is the mean loss of the held-out rows as they are and of the same rows lower-cased: on the rows as
    they are alone, `as_is` would win by the capitals that clickbait has here and elsewhere has not.
    """

    PROJECT = "search"

    def __init__(self, settings: TrainerSettings, rows: Holdout, oracle: HalvingOracle, folder: Path):
        self._settings, self._rows = settings, rows
        self._loaded: tf_keras.Model | None = None
        self._weights: list[np.ndarray] = []
        super().__init__(oracle=oracle, directory=str(folder), project_name=self.PROJECT)

    def run_trial(self, trial) -> float:
        """Trains the trial's recipe from the beginning, and returns its loss.

        Raises:
          FailedTrialError: the loss is not finite; the search goes on without this recipe.
          FatalError: any other error; KerasTuner would continue with the next trial.
        """
        values, began = trial.hyperparameters.values, time.monotonic()
        settings = self._settings.with_hyperparameters(trial.hyperparameters.get_config())
        words = (
            f"trial {int(trial.trial_id) + 1}  recipe {values[CANDIDATE]} on 1/{values[PART]} of the rows  "
            f"learning_rate {settings.learning_rate:.2e}  epochs {settings.epochs}  {settings.casing}  "
            f"batch {settings.batch_size}"
        )
        logger.info(words, extra={"tuning": {"line": words, "done": False}})
        try:
            loss = self._train(settings, self._rows.train[values[PART]])
        except Diverged as error:
            logger.info(str(error))
            loss = math.nan
        except Exception as error:
            raise keras_tuner.errors.FatalError(str(error)) from error
        words += f"  loss {loss:.4f}  {time.monotonic() - began:.1f} s"
        logger.info(words, extra={"tuning": {"line": words, "done": True}})
        if not math.isfinite(loss):
            raise keras_tuner.errors.FailedTrialError(f"A trial's loss must be finite. Received: {loss}.")
        return loss

    def on_search_end(self) -> None:
        """Checks that at least one trial succeeded.

        Raises:
          FloatingPointError: none did.
        """
        if not self.oracle.get_best_trials():
            raise FloatingPointError(
                "One of the recipes must end with a finite loss. Received: none. Lower training.learning_rate, and "
                "look for odd rows in the data."
            )

    def _train(self, settings: TrainerSettings, file: str) -> float:
        # Loading the encoder anew costs more than the trial of a small data set.
        if self._loaded is None:
            self._loaded = recipe.build(settings, recipe.find_encoder(settings).path)
            self._weights = self._loaded.get_weights()
        else:
            self._loaded.set_weights(self._weights)
        held_out = recipe.validation_rows([self._rows.validation], settings)
        with deterministic_ops(settings.deterministic), training_graphs(settings.precision):
            model, _ = recipe.train_trial(self._loaded, settings, file, held_out)
            return float(model.evaluate(held_out, verbose=0)[0])


def _space(settings: TrainerSettings) -> keras_tuner.HyperParameters:
    """Returns the search space around the configuration's recipe, which is the default of each hyperparameter."""
    space = keras_tuner.HyperParameters()
    rate, epochs, batch = settings.learning_rate, settings.epochs, settings.batch_size
    space.Float("learning_rate", rate / 4, min(1.0, rate * 4), sampling="log", default=rate)
    least = settings.frozen_epochs + 1 if settings.fine_tune else 1
    space.Choice("epochs", sorted({max(least, epochs // 2), epochs, epochs + (epochs + 1) // 2}), default=epochs)
    space.Choice("casing", ["as_is", "lower", "augment"], default=settings.casing)
    space.Choice("batch_size", sorted({max(1, batch // 2), batch, batch * 2}), default=batch)
    return space
