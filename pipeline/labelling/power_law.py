"""The power law of learning curves: an error falls to a floor by a power of the rows. Pure: needs no TFX.

Hestness et al. (2017) and Rosenfeld et al. (2020) measured it for many tasks. It is a description, and holds for some
doublings of the rows at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import NamedTuple

import numpy as np
from pydantic.dataclasses import dataclass

from components.evaluator.intervals import Estimate
from components.recorded import KEEPS_UNKNOWN, Recorded

LEAST_SIZES = 3
STEP_ROWS = 1000
_STEPS = 3
_DRAWS = 500
_EXPONENTS = np.geomspace(0.05, 2, 60)
_LINE_POINTS = 40


class Measured(NamedTuple):
    """The errors of the models that were trained on so many rows."""

    rows: int
    errors: Sequence[float]
    """One for each seed."""
    spread: float
    """Standard error of one of them, which counts where there is no other seed."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Law(Recorded):
    """`error = floor + factor * rows ** -exponent`, and what follows for more rows."""

    floor: float
    factor: float
    exponent: float
    gains: list[Estimate] = field(default_factory=list)
    """By how much the error falls with each of the next steps of `STEP_ROWS` rows, with its 95 % interval."""
    rows: list[int] = field(default_factory=list)
    """Of a drawn line, from the fewest rows to those after the last step."""
    errors: list[Estimate] = field(default_factory=list)
    """Of that line."""


def fit_law(sizes: Sequence[Measured]) -> Law:
    """Fits the law to the mean errors by least squares, and bootstraps what follows from it.

    A draw takes as many seeds of each size as there are, with replacement; of a single one the error is drawn from the
    normal distribution of its spread. That is too wide for a gain, because all sizes are judged on the same rows.

    Args:
      sizes: `LEAST_SIZES` or more, of different rows.
    """
    rows = np.array([size.rows for size in sizes], float)
    random = np.random.default_rng(0)
    means = np.array([[np.mean(size.errors)] for size in sizes])
    drawn = np.stack([_draws(size, random) for size in sizes])
    fitted = _fit(rows, np.concatenate([means, drawn], axis=1))
    last = int(rows.max())
    steps = _errors(fitted, np.arange(_STEPS + 1) * STEP_ROWS + last)
    line = np.unique(np.geomspace(rows.min(), last + _STEPS * STEP_ROWS, _LINE_POINTS).round().astype(int))
    floor, factor, exponent = (float(values[0]) for values in fitted)
    return Law(
        floor, factor, exponent, _estimates(steps[:-1] - steps[1:]), line.tolist(), _estimates(_errors(fitted, line))
    )


def _draws(size: Measured, random: np.random.Generator) -> np.ndarray:
    """Returns errors of this size, [draws]."""
    errors = np.array(size.errors)
    if len(errors) == 1:
        drawn: np.ndarray = errors[0] + size.spread * random.standard_normal(_DRAWS)
        return drawn.clip(0)
    means = random.choice(errors, (_DRAWS, len(errors))).mean(axis=1)
    # The variance of few values about their own mean is too small.
    widened: np.ndarray = errors.mean() + (means - errors.mean()) * np.sqrt(len(errors) / (len(errors) - 1))
    return widened.clip(0)


def _fit(rows: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns floor, factor and exponent, none of them negative, for each column of errors [sizes, columns]."""
    powers = rows[np.newaxis, :] ** -_EXPONENTS[:, np.newaxis]  # [exponents, sizes]
    centred = powers - powers.mean(axis=1, keepdims=True)
    factors = centred @ errors / (centred**2).sum(axis=1, keepdims=True)  # [exponents, columns]
    floors = errors.mean(axis=0) - factors * powers.mean(axis=1, keepdims=True)
    through_zero = powers @ errors / (powers**2).sum(axis=1, keepdims=True)
    factors, floors = np.where(floors < 0, through_zero, factors), np.maximum(floors, 0)
    floors = np.where(factors < 0, errors.mean(axis=0), floors)
    factors = np.maximum(factors, 0)
    residuals = floors[:, np.newaxis] + factors[:, np.newaxis] * powers[:, :, np.newaxis] - errors
    best = (residuals**2).sum(axis=1).argmin(axis=0)
    columns = np.arange(errors.shape[1])
    return floors[best, columns], factors[best, columns], _EXPONENTS[best]


def _errors(fitted: tuple[np.ndarray, np.ndarray, np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Returns the errors of each law at these rows, [rows, laws]."""
    floors, factors, exponents = fitted
    errors: np.ndarray = floors + factors * rows[:, np.newaxis].astype(float) ** -exponents
    return errors


def _estimates(values: np.ndarray) -> list[Estimate]:
    """Returns for each row the value of the first law, and the interval of the others."""
    lows, highs = np.percentile(values[:, 1:], (2.5, 97.5), axis=1)
    return [
        Estimate(float(value), float(min(low, value)), float(max(high, value)))
        for value, low, high in zip(values[:, 0], lows, highs, strict=True)
    ]
