"""Rows and points of learning curves."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from pipeline.labelling.curve import judge
from pipeline.labelling.curve_fit import Fitted
from pipeline.labelling.curve_record import Curve, Fit
from pipeline.results.words import PUSHED
from tests.helpers.trainings import generated


def write_rows(path: Path, rows: int = 300, label: int | None = None) -> Path:
    """Writes a CSV of titles that are all different; of one class alone where it is given."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["title", "label"])
        for number, (title, drawn) in enumerate(generated(rows, 0)):
            writer.writerow([f"{title} {number}", drawn if label is None else label])
    return path


def a_fit(fit: Fit, labels: np.ndarray) -> Fitted:
    """A model whose scores are better the more rows it had."""
    random = np.random.default_rng([fit.rows, fit.seed, len(fit.recipe)])
    noise = 1.5 if fit.recipe == PUSHED else 8 * max(fit.rows, 1) ** -0.4
    scores = 1 / (1 + np.exp(-(labels - 0.5 + noise * random.standard_normal(len(labels)))))
    return Fitted(scores.tolist(), 10.0, 300_000_000)


def a_curve(fits: list[Fit], rows: int = 400) -> Curve:
    """A curve of such models."""
    labels = np.arange(rows) % 2
    points = [judge(fit, labels, a_fit(fit, labels)) for fit in fits]
    return Curve("rows.csv", "sha256:0", 2437, rows, 3, {"training.epochs": 4}, None, points)
