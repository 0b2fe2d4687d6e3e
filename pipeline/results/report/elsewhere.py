"""What a model is worth on headlines from elsewhere, as pages and cards say it. Pure: takes verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from components.evaluator.results import BOUND, AtShare, Challenge, ChallengeFigures, ChallengeSlice, Judgement, Metric
from components.slices import CHALLENGE
from pipeline.results import words
from pipeline.results.report.changes import MODEL, overall
from pipeline.results.report.charts import Dots
from pipeline.results.report.facts import ChallengeFacts, Facts
from pipeline.results.verdict import Verdict

AT_HOME = "at home: the evaluation rows"

_LINEAR = "linear_lower"
_NAMES = {MODEL: "candidate", _LINEAR: "tfidf_lower", "last_blessed": "last_blessed"}
"""The models of `ChallengeFigures`, by the names of `words.CONTENDERS`."""
_MOST_OF_A_NAME = 28  # characters beside a chart
_NOTHING = Metric(None, None)


class Line(NamedTuple):
    """The metrics of one model on a challenge's texts, as they are or lower-cased."""

    model: str
    """One of `words.CONTENDERS`."""
    lower: bool
    rows: int
    auc: Metric
    accuracy: Metric
    at_share: AtShare | None
    ece: Metric
    brier: Metric


class SliceLine(NamedTuple):
    """The metrics of the models on a challenge's texts, as they are, with one value of a column."""

    part: ChallengeSlice
    by_model: dict[str, Line]
    """By `words.CONTENDERS`."""


class Elsewhere(NamedTuple):
    """A challenge, as a page shows it."""

    challenge: Challenge
    lines: list[Line]
    facts: ChallengeFacts | None
    slices: list[SliceLine]
    """By column, in each the most frequent value first; none where the challenge has no columns of slices."""

    def area(self, model: str, *, lower: bool = False) -> Metric:
        """Returns the AUC of one of `words.CONTENDERS`."""
        return next((line.auc for line in self.lines if (line.model, line.lower) == (model, lower)), _NOTHING)


def elsewhere(verdict: Verdict, facts: Facts) -> list[Elsewhere]:
    """Returns the challenges with their lines and facts."""
    by_name = {part.name: part for part in facts.challenges or []}
    return [
        Elsewhere(
            challenge,
            [
                *_lines(challenge, challenge.rows),
                *_lines(challenge.lower, _lower_rows(challenge), lower=True),
            ],
            part,
            [SliceLine(each, {line.model: line for line in _lines(each, each.rows)}) for each in challenge.slices],
        )
        for challenge in verdict.challenges
        for part in [by_name.get(challenge.name)]
    ]


def measured_areas(verdict: Verdict) -> dict[str, float]:
    """Returns the model's AUC on each challenge that has one."""
    areas = {challenge.name: _value(challenge.auc, MODEL) for challenge in verdict.challenges}
    return {name: area for name, area in areas.items() if area is not None}


def area_dots(verdict: Verdict) -> list[Dots]:
    """Returns the models' AUCs at home and on each challenge that has one, with its bound."""
    bounds = {judged.slice.get(CHALLENGE): judged for judged in verdict.thresholds if _bounds_area(judged)}
    dots = []
    if home := overall(verdict):
        area = home.metrics.get("auc", _NOTHING)
        others = {name: home.contenders[name].auc for name in _NAMES.values() if name in home.contenders}
        dots.append(Dots("at home", {"candidate": area.value, **others}, area.interval))
    for challenge in verdict.challenges:
        if _value(challenge.auc, MODEL) is None:
            continue
        judged = bounds.get(challenge.name)
        dots.append(
            Dots(
                _short(challenge.name),
                {_NAMES[model]: metric.value for model, metric in challenge.auc.items() if model in _NAMES},
                challenge.auc[MODEL].interval,
                judged.bound if judged else None,
                bool(judged and not judged.passed),
            )
        )
    return dots


def area_range(verdict: Verdict, digits: int) -> str:
    """Returns the least and the greatest AUC on challenges, as `0.71 to 0.89`; empty where there is none."""
    areas = sorted(measured_areas(verdict).values())
    return " to ".join(dict.fromkeys(f"{area:.{digits}f}" for area in (*areas[:1], *areas[-1:])))


def describe_limits(verdict: Verdict) -> list[str]:
    """Returns in sentences how the figures on challenges lie beside those at home and those of the linear model."""
    return [*_areas(verdict), *_accuracies(verdict), *_linear(verdict), *_weakest_slices(verdict)]


def _areas(verdict: Verdict) -> Iterator[str]:
    home = overall(verdict)
    area = home.metrics.get("auc", _NOTHING).value if home else None
    if reached := area_range(verdict, 3):
        at_home = f", and {area:.3f} on the evaluation rows" if area is not None else ""
        yield f"The AUC is {reached} on headlines from elsewhere{at_home}."


def _accuracies(verdict: Verdict) -> Iterator[str]:
    at_home = words.accuracy_of(verdict)
    if at_home is None:
        return
    lower = [
        f"{words.percent(metric.value)} on {challenge.name}"
        for challenge in verdict.challenges
        if (metric := challenge.accuracy.get(MODEL, _NOTHING)).value is not None
        and (end := (metric.interval or [None])[-1]) is not None
        and end < at_home
    ]
    if lower:
        yield f"The accuracy of {words.percent(at_home)} at home does not carry over: it is {', '.join(lower)}."


def _linear(verdict: Verdict) -> Iterator[str]:
    as_good = [
        f"{challenge.name} (AUC {linear:.3f}, this model {own:.3f})"
        for challenge in verdict.challenges
        if (own := _value(challenge.auc, MODEL)) is not None
        and (linear := _value(challenge.auc, _LINEAR)) is not None
        and linear >= own
    ]
    if as_good:
        yield f"A linear model of lower-cased words is as good or better on {', '.join(as_good)}."


def _weakest_slices(verdict: Verdict) -> Iterator[str]:
    """Names the value of a column with the least AUC, where its whole interval lies below the challenge's own AUC."""
    for challenge in verdict.challenges:
        area = _value(challenge.auc, MODEL)
        measured = [
            (own, part) for part in challenge.slices if (own := part.auc.get(MODEL, _NOTHING)).value is not None
        ]
        if area is None or not measured:
            continue
        own, part = min(measured, key=lambda pair: pair[0].value or 0.0)
        end = (own.interval or [None])[-1]
        if end is not None and end < area:
            name = words.slice_name({part.column: part.value})
            yield f"On {challenge.name} it is weakest where {name}: AUC {own.value:.3f} of {part.rows:,} rows."


def _lines(figures: ChallengeFigures, rows: int, *, lower: bool = False) -> list[Line]:
    return [
        Line(
            name,
            lower,
            rows,
            figures.auc[model],
            figures.accuracy.get(model, _NOTHING),
            figures.accuracy_at_share.get(model),
            figures.ece.get(model, _NOTHING),
            figures.brier.get(model, _NOTHING),
        )
        for model, name in _NAMES.items()
        if model in figures.auc
    ]


def _lower_rows(challenge: Challenge) -> int:
    return challenge.rows if challenge.lower.rows is None else challenge.lower.rows


def _bounds_area(judged: Judgement) -> bool:
    return judged.metric == "auc" and judged.against == BOUND and judged.gates and CHALLENGE in judged.slice


def _value(metrics: dict[str, Metric], model: str) -> float | None:
    return metrics.get(model, _NOTHING).value


def _short(name: str) -> str:
    return name if len(name) <= _MOST_OF_A_NAME else name[: _MOST_OF_A_NAME - 1] + "\u2026"
