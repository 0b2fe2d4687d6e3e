"""What models are worth on labelled texts from elsewhere: measured and judged. No TFMA, and no TFX."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.challenges import ChallengeConfig, ChallengeRows
from components.evaluator.columns import split_rows
from components.evaluator.intervals import Estimate, area_under_roc, binned_error, mean, proportion
from components.evaluator.results import (
    BOUND,
    FAILED,
    LEAST,
    MOST,
    NOT_JUDGED,
    PASSED,
    AtShare,
    Challenge,
    ChallengeFigures,
    ChallengeSlice,
    Judgement,
    LowerFigures,
    Metric,
)
from components.evaluator.thresholds import share_point
from components.record_batches import feature_names, list_files, read_values
from components.slices import AS_IS, CHALLENGE, CHALLENGE_VARIANTS, OTHER_VALUES, VARIANT, column_of
from trainer import features

MODEL, LAST_BLESSED, LINEAR_LOWER = "model", "last_blessed", "linear_lower"
SCORES = {MODEL: features.PROBABILITY, LAST_BLESSED: "last_blessed", LINEAR_LOWER: "tfidf_lower"}
"""The models, and the features of their probabilities."""

_FEW_ROWS = 200
_MOST_VALUES = 50_000  # of a column; the texts of more would not stay small beside millions of rows
_THRESHOLD = 0.5  # as in `measures`
_NOTHING = Estimate(math.nan, math.nan, math.nan)
_CLASSES = ("news", "clickbait")


class _Values:
    """The values of a column: a small code for each row, and the text of each distinct value."""

    def __init__(self) -> None:
        self._codes: dict[bytes, int] = {}
        self._rows: list[np.ndarray] = []

    def add(self, values: np.ndarray) -> None:
        """Adds those of more rows, [rows] of bytes; where there are too many distinct ones, none is held."""
        if self.too_many:
            return
        codes = self._codes
        self._rows.append(np.array([codes.setdefault(value, len(codes)) for value in values], np.int32))
        if self.too_many:
            self._rows.clear()

    @property
    def distinct(self) -> int:
        """How many distinct values there are."""
        return len(self._codes)

    @property
    def too_many(self) -> bool:
        """Whether there are more distinct values than slices are made of."""
        return self.distinct > _MOST_VALUES

    def split(self) -> dict[str, np.ndarray]:
        """Returns the slices as `split_rows` does."""
        return split_rows([value.decode() for value in self._codes], np.concatenate(self._rows))


class _Rows(NamedTuple):
    """Rows of one challenge in one variant."""

    labels: np.ndarray
    scores: dict[str, np.ndarray]
    """By model."""
    columns: dict[str, _Values]
    """By column of slices; empty for rows that are not as they are."""


def measure_challenges(folder: str, counts: Sequence[ChallengeRows]) -> list[Challenge]:
    """Returns the metrics of each challenge.

    Args:
      folder: of the split `challenge` that ModelScorer wrote. Of its rows the numbers are held, and no title.
      counts: what was read and left out; a challenge of which no row was left has no rows in the folder.
    """
    rows = _read(folder)
    return [_describe(count, *(rows.get((count.name, variant)) for variant in CHALLENGE_VARIANTS)) for count in counts]


def judge_challenges(challenges: Sequence[Challenge], configs: Sequence[ChallengeConfig]) -> list[Judgement]:
    """Judges the bounds that are given, and that no score is no number, which is a fault of a model anywhere."""
    by_name = {config.name: config for config in configs}
    judged: list[Judgement] = []
    for challenge in challenges:
        if lost := max(part.non_finite.get(MODEL, 0) for part in (challenge, challenge.lower)):
            judged.append(_judgement(challenge, "finite", "non_finite", 0.0, float(lost), direction=MOST))
        if config := by_name.get(challenge.name):
            judged += _judge_bounds(challenge, config)
    return judged


def _judge_bounds(challenge: Challenge, config: ChallengeConfig) -> Iterator[Judgement]:
    area, linear = (challenge.auc.get(name, Metric(None, None)) for name in (MODEL, LINEAR_LOWER))
    missing = "; ".join(challenge.findings) or "there are no scores"
    if config.min_auc is not None:
        yield _judgement(challenge, "challenge_auc", "auc", config.min_auc, area.value, area.interval, missing)
    if config.max_auc_below_linear is not None:
        both = area.value is not None and linear.value is not None
        difference = area.value - linear.value if both else None  # type: ignore[operator]  # as `both` says
        if linear.value is None and area.value is not None:
            missing = "there are no scores of the simple model"
        bound = 0.0 - config.max_auc_below_linear
        yield _judgement(
            challenge, "challenge_below_linear", "auc", bound, difference, None, missing, against="tfidf_lower"
        )


def _judgement(
    challenge: Challenge,
    rule: str,
    metric: str,
    bound: float,
    observed: float | None,
    interval: Sequence[float | None] | None = None,
    missing: str = "",
    direction: str = LEAST,
    against: str = BOUND,
) -> Judgement:
    if observed is None:
        # Without scores of its own a model fails; without rows of both classes nobody can tell.
        outcome = FAILED if challenge.non_finite.get(MODEL, 0) else NOT_JUDGED
    else:
        outcome = PASSED if (observed >= bound if direction == LEAST else observed <= bound) else FAILED
    ends = [end for end in interval or () if end is not None]
    return Judgement(
        rule=rule,
        split=CHALLENGE,
        slice={CHALLENGE: challenge.name},
        metric=metric,
        against=against,
        bound=bound,
        direction=direction,
        observed=observed,
        interval=ends if len(ends) == 2 else None,
        rows=challenge.rows,
        outcome=outcome,
        gates=True,
        detail=missing if observed is None else "",
        passed=outcome != FAILED,
    )


def _read(folder: str) -> dict[tuple[str, str], _Rows]:
    """Returns the rows by challenge and variant."""
    present = feature_names(list_files(folder))
    models = {name: feature for name, feature in SCORES.items() if feature in present}
    columns = {column: feature for feature in sorted(present) if (column := column_of(feature)) is not None}
    numbers = {features.LABEL: tf.int64, **dict.fromkeys(models.values(), tf.float32)}
    types = {**dict.fromkeys((CHALLENGE, VARIANT, *columns.values()), tf.string), **numbers}
    parts: dict[tuple[str, str], list[np.ndarray]] = {}
    by_column: dict[str, dict[str, _Values]] = {}
    for batch in read_values(folder, types) if models else ():
        values = np.stack([batch[name].astype(np.float32) for name in numbers])
        names, variants = batch[CHALLENGE].astype(bytes), batch[VARIANT].astype(bytes)
        for name in np.unique(names):
            for variant in np.unique(variants):
                chosen = (names == name) & (variants == variant)
                parts.setdefault((name.decode(), variant.decode()), []).append(values[:, chosen])
                for column, feature in columns.items() if variant == AS_IS.encode() else ():
                    of_challenge = by_column.setdefault(name.decode(), {})
                    of_challenge.setdefault(column, _Values()).add(batch[feature][chosen])
    rows = {}
    for (challenge, part), arrays in parts.items():
        labels, *scores = np.concatenate(arrays, axis=1)
        own = by_column.get(challenge, {}) if part == AS_IS else {}
        rows[challenge, part] = _Rows(labels.astype(np.int8), dict(zip(models, scores, strict=True)), own)
    return rows


def _describe(count: ChallengeRows, as_is: _Rows | None, lower: _Rows | None) -> Challenge:
    figures = _measure(as_is)
    return Challenge(
        **vars(count),
        **vars(figures),
        clickbait_share=count.clickbait / count.rows if count.rows else None,
        lower=LowerFigures(**vars(_measure(lower)), rows=len(lower.labels) if lower else 0),
        findings=[*_findings(count, figures, as_is)],
        slices=[*_slices(count.slice_columns, as_is)] if as_is and count.slice_columns else (),
    )


def _slices(columns: Sequence[str], rows: _Rows) -> Iterator[ChallengeSlice]:
    for column in columns:
        values = rows.columns[column]
        if values.too_many:
            continue
        parts = values.split()
        together = values.distinct - len({*parts} - {OTHER_VALUES})
        for value, part in parts.items():
            labels = rows.labels[part]
            scores = {model: of_model[part] for model, of_model in rows.scores.items()}
            yield ChallengeSlice(
                column=column,
                value=value,
                rows=len(labels),
                clickbait_share=float(np.mean(labels)),
                together=together if value == OTHER_VALUES else None,
                **vars(_measure(_Rows(labels, scores, {}))),
            )


def _findings(count: ChallengeRows, figures: ChallengeFigures, rows: _Rows | None) -> Iterator[str]:
    if not count.rows:
        trained_on = f", of which {count.trained_on:,} were trained on" if count.trained_on else ""
        yield f"no row is left of {count.read:,}{trained_on}: nothing is measured"
    elif count.clickbait in (0, count.rows):
        yield f"all {count.rows:,} rows are {_CLASSES[bool(count.clickbait)]}: there is no AUC"
    elif count.rows < _FEW_ROWS:
        yield f"{count.rows:,} rows are few: figures differ by chance as far as their intervals reach"
    for name, lost in figures.non_finite.items():
        if lost:
            yield f"{lost:,} scores of {name} are no numbers: it has no AUC, ECE and Brier score"
    for column, values in (rows.columns if rows else {}).items():
        if values.too_many:
            yield f"the column {column} has more than {_MOST_VALUES:,} values: they are no slices"


def _measure(rows: _Rows | None) -> ChallengeFigures:
    nothing = Metric(None, None)
    measured = {MODEL: _OfModel(nothing, nothing, None, nothing, nothing, 0)}
    if rows:
        measured = {model: _measure_model(rows.labels, scores) for model, scores in rows.scores.items()}
    return ChallengeFigures(
        auc={model: of_model.auc for model, of_model in measured.items()},
        accuracy={model: of_model.accuracy for model, of_model in measured.items()},
        accuracy_at_share={model: of_model.accuracy_at_share for model, of_model in measured.items()},
        ece={model: of_model.ece for model, of_model in measured.items()},
        brier={model: of_model.brier for model, of_model in measured.items()},
        non_finite={model: of_model.non_finite for model, of_model in measured.items()},
    )


class _OfModel(NamedTuple):
    """The metrics of one model, by the names of `ChallengeFigures`."""

    auc: Metric
    accuracy: Metric
    accuracy_at_share: AtShare | None
    ece: Metric
    brier: Metric
    non_finite: int


def _measure_model(labels: np.ndarray, scores: np.ndarray) -> _OfModel:
    finite = np.isfinite(scores)
    whole = bool(finite.all())
    right = int(np.sum(finite & ((scores > _THRESHOLD) == (labels == 1))))
    exact = scores.astype(np.float64)
    return _OfModel(
        auc=_metric(area_under_roc(labels, exact) if whole else _NOTHING),
        accuracy=_metric(proportion(right, len(labels))),
        accuracy_at_share=_at_share(labels, exact) if whole else None,
        ece=Metric(_finite(binned_error(labels, exact)) if whole else None, None),
        brier=_metric(mean((exact - labels) ** 2) if whole else _NOTHING),
        non_finite=len(labels) - int(finite.sum()),
    )


def _at_share(labels: np.ndarray, scores: np.ndarray) -> AtShare | None:
    positive = int(np.sum(labels == 1))
    if positive in (0, len(labels)):
        return None
    point = share_point(labels, scores)
    wrong = (point.taken - point.hits) + (positive - point.hits)
    return AtShare(
        point.threshold,
        _metric(proportion(len(labels) - wrong, len(labels))),
        _metric(proportion(point.hits, point.taken)),
        _metric(proportion(point.hits, positive)),
    )


def _metric(estimate: Estimate) -> Metric:
    value, low, high = map(_finite, estimate)
    return Metric(value, None if value is None else [low, high])


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None  # JSON has no NaN
