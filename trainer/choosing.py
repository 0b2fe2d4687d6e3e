"""Chooses what a recipe leaves open, on rows held out of the training split; the evaluation split only judges.

Each learning rate is a trial: it trains on the other rows, and the held-out rows tell after which epoch it was best. So
is the encoder as it is under a dense layer of its own. With `words` the rows also tell how much the encoder's logit
counts beside the words': logistic regression of the labels on both, which is Platt scaling (1999) of two scores. Of few
rows a part would be too few to fit that to: the trials are compared on a third, and the best of them is trained twice
more, so that each row is held out once. Of trials that the rows cannot tell apart the first one is taken.
"""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import dataclasses
import json
import logging
import math
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import tf_keras
from sklearn.linear_model import LogisticRegression

from trainer import inputs, recipe, wide
from trainer.fitting.divergence import Diverged
from trainer.model import logits_of
from trainer.settings import TrainerSettings
from trainer.tensorflow_setup.graph_options import training_graphs
from trainer.tuning.holdout import Holdout, hold_out

logger = logging.getLogger("trainer")

_FILE = "choice.json"
_FEW_ROWS, _FOLDS = 3000, 3
#: Of the difference of both logits, so that the penalty on its weight counts for more.
_SHRINKING = 0.2
_CLIP = 1e-7  # of a probability in a logarithm


@dataclasses.dataclass(frozen=True)
class Blend:
    """The logit that is served: a weighted sum."""

    encoder: float
    words: float
    bias: float

    def logits(self, encoder: np.ndarray, words: np.ndarray) -> np.ndarray:
        """Returns the blended logits, float64 [n], of both members' logits [n]."""
        return self.encoder * encoder + self.words * words + self.bias


@dataclasses.dataclass(frozen=True)
class Trial:
    """A training on the rows that are not held out."""

    learning_rate: float | None
    """None: the encoder stayed as it is."""
    epochs: int
    """Those that were best."""
    encoder_loss: float
    """Mean binary cross-entropy of the rows that were held out of all trials, each as it is and lower-cased."""
    loss: float
    """The same with the words, where they take part."""
    blend: Blend | None
    """Of the chosen trial by all rows that were held out of it."""
    seconds: float
    chosen: bool = False


@dataclasses.dataclass(frozen=True)
class Choice:
    """What the held-out rows chose, and from what."""

    held_out_rows: int
    words_loss: float | None
    """Of the words alone."""
    trials: Sequence[Trial]

    @property
    def best(self) -> Trial:
        """The chosen trial."""
        return next(trial for trial in self.trials if trial.chosen)


def choose(settings: TrainerSettings, model: tf_keras.Model, files: Sequence[str], folder: Path | None) -> Choice:
    """Runs the trials, or reads what they chose before the training was killed.

    Args:
      settings: with the learning rate that is tried first.
      model: from `trainer.recipe.build`; it has its first weights again at the end.
      files: of the split train.
      folder: of the training's checkpoints, for the choice; None where there is none.

    Raises:
      SettingsError: there are too few rows to hold some out.
      Diverged: no trial ended with a finite loss.
    """
    kept = folder / _FILE if folder else None
    if kept and kept.is_file():
        return _read(json.loads(kept.read_text(encoding="utf-8")))
    folds = _FOLDS if inputs.count_rows(files, _FEW_ROWS) < _FEW_ROWS else 1
    share = settings.held_out_share if folds == 1 else 1 / folds
    rates: list[float | None] = [*dict.fromkeys([settings.learning_rate, *settings.learning_rates])]
    if settings.try_frozen:
        rates.append(None)
    with tempfile.TemporaryDirectory(prefix="held-out-") as scratch:
        parts = []
        for fold in range(folds):
            folder_of_fold = Path(scratch, str(fold))
            folder_of_fold.mkdir()
            rows = hold_out(files, folder_of_fold, share=share, parts=[1], seed=settings.seed, fold=fold)
            parts.append(_Part.of(rows, with_words=settings.words))
        trained = _Training(settings, model)
        trials: list[_Judged] = []
        diverged = None
        for number, rate in enumerate(rates, start=1):
            name = "frozen encoder" if rate is None else f"learning_rate {rate:.2e}"
            try:
                began = time.monotonic()
                judged = _judge(rate, trained.on(parts[0], rate), parts[0])
                trial = dataclasses.replace(judged.trial, seconds=round(time.monotonic() - began, 1))
            except Diverged as error:
                diverged = error
                logger.info("trial %d of %d  %s  %s", number, len(rates), name, error)
            else:
                trials.append(judged._replace(trial=trial))
                logger.info(
                    "trial %d of %d  %s  epochs %d  held-out loss %.4f  %.1f s",
                    *(number, len(rates), name, trial.epochs, trial.loss, trial.seconds),
                    extra={"notice": True},
                )
        if not trials:
            assert diverged is not None
            raise diverged
        best = _first_unbeaten(trials)
        fits = [best.fit, *(trained.on(part, best.trial.learning_rate) for part in parts[1:])]
        trained.begin()
    labels = np.concatenate([part.labels for part in parts])
    words = np.concatenate([part.words for part in parts if part.words is not None]) if settings.words else None
    finished = dataclasses.replace(
        best.trial,
        chosen=True,
        epochs=round(statistics.mean(fit.epochs for fit in fits)),
        blend=None if words is None else fit_blend(labels, np.concatenate([fit.logits for fit in fits]), words),
    )
    choice = Choice(
        held_out_rows=len(labels) // 2,  # each is there twice
        words_loss=None if parts[0].words is None else float(_losses(parts[0].labels, parts[0].words).mean()),
        trials=[finished if judged is best else judged.trial for judged in trials],
    )
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(".tmp")
        unfinished.write_text(json.dumps(dataclasses.asdict(choice)), encoding="utf-8")
        unfinished.replace(kept)
    return choice


def fit_blend(labels: np.ndarray, encoder: np.ndarray, words: np.ndarray) -> Blend:
    """Fits the weights of both logits to labels of rows that neither was trained on.

    On few rows the weights are drawn to be equal, which is nearly the best on most data; a member that would count
    against itself is left out.

    Args:
      labels: 0 or 1 [n], and both.
      encoder: logits [n].
      words: logits [n].
    """
    middle, half = (encoder + words) / 2, (encoder - words) / 2
    model = LogisticRegression(C=0.1, solver="newton-cholesky")
    fitted = model.fit(np.stack([middle, _SHRINKING * half], axis=1), labels)
    of_middle, of_half = fitted.coef_[0, 0], _SHRINKING * fitted.coef_[0, 1]
    weights = np.array([of_middle + of_half, of_middle - of_half]) / 2
    if weights.min() < 0:
        kept = int(weights.argmax())
        fitted = model.fit(np.stack([encoder, words], axis=1)[:, [kept]], labels)
        weights = np.zeros(2)
        weights[kept] = max(0.0, fitted.coef_[0, 0])
    return Blend(float(weights[0]), float(weights[1]), float(fitted.intercept_[0]))


class _Part(NamedTuple):
    """Rows that are held out, each as it is and lower-cased, and what is known of them."""

    rows: Holdout
    titles: Sequence[bytes]
    labels: np.ndarray
    words: np.ndarray | None
    """The logits of a linear model of the other rows' words."""

    @classmethod
    def of(cls, rows: Holdout, *, with_words: bool) -> Self:
        titles, labels = inputs.read_rows([rows.validation])
        if not with_words:
            return cls(rows, titles, labels, None)
        weights = wide.fit(*inputs.read_rows([rows.train[1]]))
        return cls(rows, titles, labels, wide.logits_of_counts(weights, wide.count(titles)))


class _Fit(NamedTuple):
    """What a model says of the rows that were held out of its training."""

    logits: np.ndarray
    epochs: int
    """After which it said it best, of those that the training itself is to have."""


class _Judged(NamedTuple):
    """A trial, and what it is compared by."""

    trial: Trial
    fit: _Fit
    losses: np.ndarray
    """Of each row that was held out, float64 [rows]; of both of its casings together."""


class _Training:
    """Trains one model again and again, each time from its first weights."""

    def __init__(self, settings: TrainerSettings, model: tf_keras.Model):
        self._settings = settings
        self._model = model
        self._first = model.get_weights()

    def begin(self) -> None:
        """Gives the model its first weights."""
        self._model.set_weights(self._first)

    def on(self, part: _Part, rate: float | None) -> _Fit:
        """Trains on the rows that are not held out, by a learning rate, or without one the dense layer alone."""
        self.begin()
        settings, model, epochs = self._settings, self._model, 0
        if rate is None:
            recipe.fit_head(model, settings, *inputs.read_rows([part.rows.train[1]]))
        else:
            tried = settings.model_copy(update={"learning_rate": rate})
            with training_graphs(settings.precision):
                held_out = recipe.validation_rows([part.rows.validation], settings)
                model, history = recipe.train_trial(model, tried, part.rows.train[1], held_out)
            stops = settings.early_stopping_patience is not None
            epochs = 1 + int(np.argmin(history["val_loss"])) if stops else settings.epochs
        logits = logits_of(model, part.titles, batch_size=settings.eval_batch_size, policy=settings.casing)
        return _Fit(logits, epochs)


def _judge(rate: float | None, fit: _Fit, part: _Part) -> _Judged:
    encoder_loss = _losses(part.labels, fit.logits).mean()
    if part.words is None:
        blend, losses = None, _losses(part.labels, fit.logits)
    else:
        blend = fit_blend(part.labels, fit.logits, part.words)
        losses = _losses(part.labels, blend.logits(fit.logits, part.words))
    loss = float(losses.mean())
    if not math.isfinite(loss):
        raise Diverged(f"The loss on the held-out rows must be finite. Received: {loss}. Lower training.learning_rate.")
    return _Judged(Trial(rate, fit.epochs, float(encoder_loss), loss, blend, 0.0), fit, losses)


def _first_unbeaten(trials: Sequence[_Judged]) -> _Judged:
    """Returns the first trial, or a later one with less loss by more than a standard error of the difference."""
    best = trials[0]
    for other in trials[1:]:
        gained = best.losses - other.losses
        if gained.mean() > gained.std(ddof=1) / math.sqrt(len(gained)):
            best = other
    return best


def _losses(labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Returns the binary cross-entropy of each held-out row, float64 [rows]: the mean of its two casings."""
    probabilities = np.clip(1 / (1 + np.exp(-logits.astype(np.float64))), _CLIP, 1 - _CLIP)
    losses: np.ndarray = -np.log(np.where(labels == 1, probabilities, 1 - probabilities))
    return losses.reshape(-1, 2).mean(axis=1)


def _read(found: dict[str, Any]) -> Choice:
    trials = [
        Trial(**{**trial, "blend": Blend(**trial["blend"]) if trial["blend"] else None}) for trial in found["trials"]
    ]
    return Choice(found["held_out_rows"], found["words_loss"], trials)
