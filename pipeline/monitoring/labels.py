"""Labels that come late, joined to served scores by the exact text: accuracy, AUC and calibration in production."""

from __future__ import annotations

import datetime
from array import array
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from components.data_gate.policy import Finding, apply_policy
from components.evaluator import measures
from components.evaluator.intervals import Estimate, mean
from components.evaluator.results import Metric
from components.headline_example_gen.labelled import LabelledRows, read_labelled
from components.headline_example_gen.settings import DataConfig
from pipeline.config.monitor import MonitorConfig
from pipeline.monitoring.label_report import ACCURACY, AUC, BIAS, ECE, LABELS, LabelledSlice, LabelReport
from pipeline.monitoring.served_version import MonitorError
from pipeline.monitoring.traffic import Row
from trainer.features import EVAL_SPLIT

_DAY_S = 86_400
_LEAST_KEPT = 1 << 14
_NAMES = {ACCURACY: "accuracy", AUC: "AUC"}


class LastScores:
    """The last score of each text that is sent to one version on one day.

    It holds at most twice as many rows as there are texts, however often they are sent.
    """

    def __init__(self) -> None:
        self._texts, self._times, self._scores = array("q"), array("d"), array("d")
        self._most = _LEAST_KEPT

    def add(self, text: int, served_at: float, score: float) -> None:
        """Keeps a score.

        Args:
          text: its number.
          served_at: in seconds since 1970; of equal times the score that is added later is the last.
          score: of class 1.
        """
        self._texts.append(text)
        self._times.append(served_at)
        self._scores.append(score)
        if len(self._texts) >= self._most:
            texts, times, scores = self.columns()
            self._texts = array("q", texts.tobytes())
            self._times, self._scores = (array("d", column.tobytes()) for column in (times, scores))
            self._most = max(_LEAST_KEPT, 2 * len(self._texts))

    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the texts' numbers, ascending, the times and the scores, each [texts]."""
        return last_of_each(np.array(self._texts), np.array(self._times), np.array(self._scores))


def last_of_each(texts: np.ndarray, times: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the latest row of each text, ascending by text; of equal times the one that stands later.

    Args:
      texts: numbers, int64 [rows].
      times: float64 [rows].
      scores: float64 [rows].
    """
    order = np.lexsort((times, texts))  # stable
    texts, times, scores = texts[order], times[order], scores[order]
    last = np.append(texts[1:] != texts[:-1], True)[: len(texts)]
    return texts[last], times[last], scores[last]


class Slice(NamedTuple):
    """Labels and last scores of a version's texts, of one day or of all."""

    version: int | None
    day: str | None
    labels: np.ndarray
    """0 or 1, int64 [texts]."""
    scores: np.ndarray
    """Of class 1, float64 [texts]."""


class LateLabels:
    """The labels of a file, and the last scores of their texts, by version and day.

    Memory grows with the texts that have labels and the days on which they are sent, not with the log.
    """

    def __init__(self, path: str, labelled: LabelledRows):
        self.path = path
        self.labelled = labelled
        self._numbers = {row.title.encode(): number for number, row in enumerate(labelled.kept)}
        self._classes = np.array([row.label for row in labelled.kept], np.int64)
        self._scores: dict[int | None, dict[int, LastScores]] = {}

    @classmethod
    def read(cls, path: str, settings: DataConfig) -> LateLabels:
        """Reads a CSV file with the columns and labels of `settings`.

        Raises:
          InputError: it is no such file.
          MonitorError: no row has a text with one label.
        """
        columns_alone = settings.model_copy(update={"split_column": None, "group_column": None})
        labelled = read_labelled([path], columns_alone, split=EVAL_SPLIT)
        if not labelled.kept:
            rejected = ", ".join(f"{count:,} {rule}" for rule, count in labelled.rejected.items())
            raise MonitorError(
                f"--labels must have a row with a text and its one label. Received: {path}: {labelled.rows:,} rows, "
                f"{labelled.contradictory:,} of texts with both labels, {labelled.rejected.total():,} rejected"
                f"{f' ({rejected})' if rejected else ''}. Give another file, or the column's values with "
                "--set data.labels={VALUE: 0, VALUE: 1}."
            )
        return cls(path, labelled)

    def add(self, version: int | None, served_at: float, row: Row) -> None:
        """Takes a served row, and keeps the score where its text has a label; a `RowSink`."""
        number = self._numbers.get(row.text)
        if number is not None:
            days = self._scores.setdefault(version, {})
            days.setdefault(int(served_at // _DAY_S), LastScores()).add(number, served_at, row.score)

    def slices(self) -> Iterator[Slice]:
        """Yields for each version the slice of all days, where each text counts once, and that of each day."""
        for version in sorted(self._scores, key=lambda version: (version is None, version)):
            by_day = {day: scores.columns() for day, scores in sorted(self._scores[version].items())}
            for day, columns in [(None, self._of_all_days([*by_day.values()])), *by_day.items()]:
                texts, _, scores = columns
                yield Slice(version, None if day is None else _date(day), self._classes[texts], scores)

    def not_in_log(self) -> int:
        """Returns how many texts were sent to no version."""
        is_sent = np.zeros(len(self._classes), bool)
        for days in self._scores.values():
            for scores in days.values():
                is_sent[scores.columns()[0]] = True
        return int((~is_sent).sum())

    @staticmethod
    def _of_all_days(
        days: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        texts, times, scores = (np.concatenate(columns) for columns in zip(*days, strict=True))
        return last_of_each(texts, times, scores)


def judge_labels(late: LateLabels, version: int | None, policy: MonitorConfig) -> tuple[LabelReport, list[Finding]]:
    """Measures all versions by late labels, and judges one.

    Args:
      late: labels and scores.
      version: the one that is judged, on all days; None: the requests that name none.
      policy: the thresholds. One is failed where the whole 95 % interval lies below it, so that
        an alarm is no matter of chance.

    Returns:
      The figures, and findings of the rule `labels`.
    """
    slices = [measure_slice(part) for part in late.slices()]
    labelled, name = late.labelled, version_name(version)
    report = LabelReport(
        file=late.path,
        version=name,
        rows=labelled.rows,
        texts=len(labelled.kept),
        repeats=labelled.repeats,
        contradictory=labelled.contradictory,
        rejected=dict(labelled.rejected),
        not_in_log=late.not_in_log(),
        slices=slices,
    )
    judged = next((part for part in slices if (part.version, part.day) == (name, None)), None)
    return report, apply_policy([*_findings(judged, policy)], policy)


def measure_slice(part: Slice) -> LabelledSlice:
    """Returns the metrics of a slice, each with its 95 % interval; None where there is none."""
    found = measures.measure(part.labels, part.scores)
    is_whole = not found[measures.NON_FINITE]
    # The differences lie between -1 and 1.
    bias = mean((part.scores - part.labels + 1) / 2) if is_whole else Estimate(np.nan, np.nan, np.nan)
    metrics = {
        name: _metric(Estimate(found[name], found[measures.low_end(name)], found[measures.high_end(name)]))
        for name in (ACCURACY, AUC, ECE)
    }
    metrics[BIAS] = _metric(Estimate(*(2 * value - 1 for value in bias)))
    return LabelledSlice(
        version=version_name(part.version),
        day=part.day,
        rows=len(part.labels),
        clickbait=int(part.labels.sum()),
        non_finite=int(found[measures.NON_FINITE]),
        metrics=metrics,
    )


def version_name(version: int | None) -> str:
    """Returns a version as reports have it."""
    return "not named" if version is None else str(version)


def _findings(judged: LabelledSlice | None, policy: MonitorConfig) -> Iterator[Finding]:
    rows = judged.rows if judged else 0
    if judged is None or rows < policy.min_labelled_rows:
        bound = f">= {policy.min_labelled_rows:,} labelled texts in the log"
        yield Finding(LABELS, "all metrics", bound, f"{rows:,}", kept=None)
        return
    for name, least in {ACCURACY: policy.min_accuracy, AUC: policy.min_auc}.items():
        if least is None:
            continue
        metric = judged.metrics[name]
        if metric.value is None or metric.interval is None:
            lacking = "a score is no number" if judged.non_finite else "all labels are of one class"
            yield Finding(LABELS, _NAMES[name], f">= {least:g}", "none", kept=None, detail=lacking)
            continue
        low, high = metric.interval
        assert low is not None and high is not None
        observed = f"{metric.value:.4f} ({low:.4f} to {high:.4f})"
        detail = f"{rows:,} texts with late labels; the 95 % interval is compared"
        yield Finding(LABELS, _NAMES[name], f">= {least:g}", observed, kept=high >= least, detail=detail)


def _metric(estimate: Estimate) -> Metric:
    if not np.isfinite(estimate.value):
        return Metric(None, None)
    return Metric(float(estimate.value), [float(estimate.low), float(estimate.high)])


def _date(day: int) -> str:
    return datetime.datetime.fromtimestamp(day * _DAY_S, datetime.UTC).date().isoformat()
