"""What `clickbait threshold` reads and writes: labelled scores, a version's card, and a proposal of thresholds."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from components.evaluator.results import LEAST
from components.evaluator.rules import ABSOLUTE_BOUNDS
from components.evaluator.thresholds import Choice, ThresholdError
from components.headline_example_gen.files import find_csv_files
from components.headline_example_gen.labelled import read_labelled
from pipeline.results.report.facts import read_facts
from pipeline.results.verdict import Verdict
from serving.versions import version_folder
from serving.versions.lock import claim_folder
from serving.versions.push import utc_now
from serving.versions.version_folder import ChosenThreshold
from trainer import features

if TYPE_CHECKING:
    from components.headline_example_gen.settings import DataConfig

_BATCH_ROWS = 256
_DIGITS = 4


class LabelledScores(NamedTuple):
    """Rows that a threshold is chosen on."""

    labels: np.ndarray
    """0 or 1, [rows]."""
    scores: np.ndarray
    """Probabilities of class 1, float64 [rows]."""
    data: str
    """For people: where they are from."""
    left_out: int = 0
    """Rows of the file that are rejected, repeats, or titles with both labels."""


def scores_of_run(verdict: Verdict) -> LabelledScores:
    """Reads the candidate's scores of a run's evaluation rows as they are. Imports TFX.

    Raises:
      ThresholdError: the run has none, or they are gone.
      OutputError: the run's facts cannot be read.
    """
    lineage = read_facts(Path(verdict.folder)).lineage
    made = lineage.artifacts if lineage else []
    uri = next((item.uri for item in made if (item.node, item.output) == ("ModelScorer", "predictions")), None)
    folder = Path(uri, f"Split-{features.EVAL_SPLIT}") if uri else None
    if folder is None or not folder.is_dir():
        received = f"which is gone: {folder}" if folder else "which it did not make"
        raise ThresholdError(
            f"The run must have scores of its evaluation rows. Received: {verdict.run_id} ({verdict.status}), "
            f"{received}. Give another --run, or --data with labelled rows."
        )
    from pipeline.results.report.artifacts import evaluation_scores

    columns = evaluation_scores(folder)[1]
    return LabelledScores(
        columns[features.LABEL], columns[features.PROBABILITY], f"{features.EVAL_SPLIT} rows of run {verdict.run_id}"
    )


def scores_of_file(path: str, settings: DataConfig, model_dir: Path) -> LabelledScores:
    """Scores the rows of labelled CSV files by a version. Imports TensorFlow.

    Each title counts once, as in a run; rows that a run would reject are left out.

    Args:
      path: of a file, a folder or a pattern.
      settings: the columns, and the values of the label.
      model_dir: of the version.

    Raises:
      InputError: a file cannot be read.
      PushError: the version is not whole.
    """
    version_folder.require_whole(model_dir)
    labelled = read_labelled(find_csv_files(path).paths, settings, split=features.EVAL_SPLIT)
    from components.text_scorer import TextScorer

    scores = TextScorer(model_dir, _BATCH_ROWS)([row.title for row in labelled.kept])
    labels = np.array([row.label for row in labelled.kept], np.int64)
    return LabelledScores(labels, scores.astype(np.float64), path, labelled.left_out)


def record_choice(
    serving_dir: Path, version: int, wanted: str, share: float, choice: Choice, labelled: LabelledScores
) -> Path | None:
    """Writes a threshold into a version's card, and returns the card's path; None where clickbait did not push it.

    Raises:
      PushError: the folder cannot be written.
    """
    chosen = ChosenThreshold(
        choice.threshold,
        choice.unsure,
        {wanted: share},
        {name: (estimate.value, estimate.low, estimate.high) for name, estimate in choice.shares.items()},
        len(labelled.labels),
        labelled.data,
        utc_now(),
    )
    with claim_folder(serving_dir) as folder:
        card = version_folder.read_card(folder, version)
        if card is None:
            return None
        version_folder.write_card(folder, version, dataclasses.replace(card, threshold=chosen))
    return serving_dir / str(version) / version_folder.CARD


def propose_bounds(verdict: Verdict) -> str:
    """Returns a configuration file with the thresholds that a run's model meets by its 95 % intervals.

    A least value is the lower end of its metric's interval, a most the upper end, each rounded away from the metric.

    Raises:
      ThresholdError: the run has no evaluation.
    """
    lines = []
    for key, bound in ABSOLUTE_BOUNDS.items():
        part = verdict.evaluation.overall(bound.split) if verdict.evaluation else None
        metric = part.metrics.get(bound.metric) if part else None
        low, high = metric.interval if metric and metric.interval else (None, None)
        if metric is None or metric.value is None or low is None or high is None:
            continue
        scale = 10**_DIGITS
        value = math.floor(low * scale) / scale if bound.direction == LEAST else math.ceil(high * scale) / scale
        lines.append(
            f"  {key}: {value:.{_DIGITS}f}  # {metric.value:.4f}, 95 % interval {low:.4f} to {high:.4f}, "
            f"{bound.split} rows"
        )
    if not lines:
        raise ThresholdError(
            f"The run must have been evaluated. Received: {verdict.run_id}, {verdict.status}. Give another --run."
        )
    return "\n".join([f"# By `clickbait threshold propose` from run {verdict.run_id}", "evaluation:", *lines, ""])
