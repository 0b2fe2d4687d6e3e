"""What a learning curve has measured, in `curve.json`, and what it says of more labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue, ValidationError
from pydantic.dataclasses import dataclass

from components.evaluator.intervals import Estimate
from components.recorded import KEEPS_UNKNOWN, Recorded
from pipeline.labelling.power_law import LEAST_SIZES, Law, Measured, fit_law
from pipeline.results.words import PUSHED, RECIPES, WARM_START
from serving.whole_file import write_whole

SCHEMA_VERSION = 1
CURVE_FILE, EARLIER_FILE = "curve.json", "curve.earlier.json"
_NORMAL_WIDTH = 2 * 1.959963984540054  # of a 95 % interval, in standard errors


class CurveError(Exception):
    """There is no curve, or a part of it is missing.

    Attributes:
      exit_code: 2 where the call is wrong, 1 where a model could not be trained.
    """

    def __init__(self, message: str, *, exit_code: int = 2):
        super().__init__(message)
        self.exit_code = exit_code


class Fit(NamedTuple):
    """A model of the curve."""

    recipe: str
    rows: int
    """0 for the pushed model, which is not trained."""
    seed: int


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Point(Recorded):
    """A model of the curve, judged on the held-out rows; each estimate is a value and its 95 % interval."""

    recipe: str
    rows: int
    seed: int
    accuracy: Estimate
    auc: Estimate
    ece: float
    """Expected calibration error."""
    seconds: float
    memory_bytes: int

    @property
    def fit(self) -> Fit:
        """What was trained."""
        return Fit(self.recipe, self.rows, self.seed)


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Forecast(Recorded):
    """What more labels are likely to add to the AUC of the best recipe."""

    recipe: str
    law: Law


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Curve(Recorded):
    """`curve.json`. Points are of this data, these settings and this pushed model alone."""

    data: str
    """As it was given."""
    data_digest: str
    train_rows: int
    held_out_rows: int
    left_out_rows: int
    settings: dict[str, JsonValue]
    """All that decides a point."""
    pushed: str | None = field(default_factory=type(None))
    """Digest of the last pushed model."""
    points: list[Point] = field(default_factory=list)
    forecast: Forecast | None = None
    no_forecast: str = ""
    """Why there is none."""
    schema_version: int = SCHEMA_VERSION


def open_curve(file: Path, fresh: Curve) -> tuple[Curve, str]:
    """Returns the curve of a file to go on with, and a line about that; nothing where there is no file.

    A curve of other data or settings is put aside.

    Args:
      file: `curve.json`.
      fresh: without a point.
    """
    if not file.exists():
        return fresh, ""
    try:
        known = Curve.from_json(file.read_bytes())
    except ValidationError:
        changed = "file"
    else:
        if not known.points:
            return fresh, ""
        changed = _difference(known, fresh)
        if not changed:
            return _resumed(known, fresh, file)
    earlier = file.with_name(EARLIER_FILE)
    file.replace(earlier)
    return fresh, f"begins anew, because of another {changed}; the earlier one is {earlier}"


def _resumed(known: Curve, fresh: Curve, file: Path) -> tuple[Curve, str]:
    points = [
        point for point in known.points if known.pushed == fresh.pushed or point.recipe not in (PUSHED, WARM_START)
    ]
    dropped = len(known.points) - len(points)
    note = f"; {dropped} are of another pushed model, and begin anew" if dropped else ""
    return with_forecast(replace(fresh, points=points)), f"goes on from {len(points)} models in {file}{note}"


def _difference(known: Curve, fresh: Curve) -> str:
    if known.schema_version != fresh.schema_version:
        return "version of the file"
    if known.data_digest != fresh.data_digest:
        return "data"
    before, now = known.settings, fresh.settings
    return ", ".join(sorted(key for key in {*before, *now} if before.get(key) != now.get(key)))


def write_curve(file: Path, curve: Curve) -> None:
    """Writes `curve.json`.

    Raises:
      CurveError: it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(curve.as_dict(), indent=2), flush=True)
    except OSError as error:
        raise CurveError(
            f"--to must be writable. Received: {file.parent}: {error.strerror}. Give another folder."
        ) from error


class Summary(NamedTuple):
    """The models of one recipe and as many rows: the means over the seeds."""

    recipe: str
    rows: int
    seeds: int
    accuracy: Estimate
    auc: Estimate
    """Its interval is that of a seed: the seeds are judged on the same rows."""
    ece: float
    seconds: float
    memory_bytes: int
    """The most."""


def summarize(points: Sequence[Point]) -> list[Summary]:
    """Summarizes the points, in the order of `RECIPES`, by rows."""
    order = list(RECIPES)
    groups = sorted({(order.index(point.recipe), point.rows) for point in points})
    summaries = []
    for place, rows in groups:
        alike = [point for point in points if (point.recipe, point.rows) == (order[place], rows)]
        summaries.append(
            Summary(
                order[place],
                rows,
                len(alike),
                _mean([point.accuracy for point in alike]),
                _mean([point.auc for point in alike]),
                float(np.mean([point.ece for point in alike])),
                float(np.mean([point.seconds for point in alike])),
                max(point.memory_bytes for point in alike),
            )
        )
    return summaries


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    return Estimate(*(float(value) for value in np.mean(estimates, axis=0)))


def with_forecast(curve: Curve) -> Curve:
    """Returns the curve with what more labels are likely to add to the recipe that is best with the most rows."""
    trained = [summary for summary in summarize(curve.points) if summary.rows]
    last = [summary for summary in trained if summary.rows == max(other.rows for other in trained)]
    if not last:
        return replace(curve, forecast=None, no_forecast="no model was trained")
    best = max(last, key=lambda summary: summary.auc.value).recipe
    points = [point for point in curve.points if point.recipe == best]
    sizes = [
        Measured(
            rows,
            [1 - point.auc.value for point in points if point.rows == rows],
            float(
                np.mean([(point.auc.high - point.auc.low) / _NORMAL_WIDTH for point in points if point.rows == rows])
            ),
        )
        for rows in sorted({point.rows for point in points})
    ]
    if len(sizes) < LEAST_SIZES:
        reason = f"it takes {LEAST_SIZES} sizes, and of the best recipe, {RECIPES[best]}, there are {len(sizes)}"
        return replace(curve, forecast=None, no_forecast=reason)
    return replace(curve, forecast=Forecast(best, fit_law(sizes)), no_forecast="")


def _measured(points: Sequence[Point]) -> Measured:
    """Returns the errors of the points of one size."""
    spreads = [(point.auc.high - point.auc.low) / _NORMAL_WIDTH for point in points]
    return Measured(points[0].rows, [1 - point.auc.value for point in points], float(np.mean(spreads)))
