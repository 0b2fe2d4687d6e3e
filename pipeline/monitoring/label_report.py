"""The part of `monitor.json` that late labels lead to. Light: no numpy."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from components.evaluator.results import Metric
from components.recorded import KEEPS_UNKNOWN, Recorded

LABELS = "labels"
"""The rule that late labels are judged by."""

ACCURACY, AUC, ECE, BIAS = "binary_accuracy", "auc", "ece", "mean_score_minus_share"
"""The metrics; accuracy is that of the classes at 0.5, the last the mean score less the share of clickbait."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class LabelledSlice(Recorded):
    """The metrics of a version on served texts with late labels, each text once, by its last score."""

    version: str
    """`not named` for requests whose log does not name it."""
    day: str | None
    """In UTC, as 2026-01-31; None: all days."""
    rows: int
    clickbait: int
    """Rows of class 1."""
    non_finite: int
    """Scores that are no numbers: they count as wrong, and there is no AUC and no ECE."""
    metrics: dict[str, Metric]


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class LabelReport(Recorded):
    """Late labels, and the metrics by them; rows = texts + repeats + contradictory + rejected."""

    file: str
    version: str
    """The one that is judged, as `LabelledSlice.version`."""
    rows: int
    texts: int
    """Each once."""
    repeats: int
    """Rows that say again what another says."""
    contradictory: int
    """Rows of texts that have both labels."""
    rejected: dict[str, int]
    """Rows that cannot be read, by rule."""
    not_in_log: int
    """Texts that no version of the model was sent since."""
    slices: list[LabelledSlice]
    """Of each version all days, then each day."""
