"""Renders pages and model cards from verdicts and facts. Pure: returns text."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import yaml
from jinja2 import ChainableUndefined, Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from pydantic import JsonValue

from components.evaluator.results import NOT_JUDGED, Challenge, Judgement, MeasuredSlice, Metric
from pipeline.results import words
from pipeline.results.report import charts
from pipeline.results.report.changes import (
    CHALLENGE_METRICS,
    challenge_metric,
    describe_changes,
    overall,
    pair_challenges,
)
from pipeline.results.report.charts import Dots
from pipeline.results.report.elsewhere import (
    AT_HOME,
    Elsewhere,
    area_dots,
    area_range,
    describe_limits,
    elsewhere,
    measured_areas,
)
from pipeline.results.report.facts import LIKELY_LABEL_ERRORS, Facts
from pipeline.results.verdict import Data, Timing, Verdict
from trainer.features import TRAIN_SPLIT

_STRONG_EFFECT = 0.05
_VARIANTS, _SLICES, _COLUMNS = "variants", "slices", "columns"  # the kinds of slices, as templates name them

Run = tuple[Verdict, Facts]

_Pair = tuple[float | None, float | None]


class Figure(NamedTuple):
    """A key figure, in large print."""

    value: str
    name: str
    note: str


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix."""

    count: int
    share: float | None
    """Of the rows with its label."""


@dataclass(frozen=True)
class Bar:
    """A component's time, with the place of its bar in percent."""

    name: str
    status: str
    seconds: float
    left: float
    width: float


def render_report(verdict: Verdict, facts: Facts) -> str:
    """Renders the page of a run, with as many sections as the run has results for."""
    return _environment().get_template("report.html.j2").render(**_view(verdict, facts))


def render_comparison(first: Run, second: Run) -> str:
    """Renders two runs side by side."""
    verdicts = [verdict for verdict, _ in (first, second)]
    changes = describe_changes(first[0], first[1].settings, second[0], second[1].settings)
    names = [_name(verdict) for verdict in verdicts]
    runs = [
        {
            "name": name,
            "headline": words.headline(verdict),
            "figures": _figures(verdict, overall(verdict), Facts()),
            "verdict": verdict,
        }
        for name, verdict in zip(names, verdicts, strict=True)
    ]
    paired = {kind: _paired_slices(first[0], second[0], kind) for kind in (_VARIANTS, _SLICES, _COLUMNS)}
    drawn = {
        kind: charts.dot_plot(
            [Dots(name, dict(zip("AB", values, strict=True))) for name, values in pairs],
            f"Accuracy of the two runs, by {'variant' if kind == _VARIANTS else 'kind of headline'}",
            {run: f"{run}: {name}" for run, name in zip("AB", names, strict=True)},
        )
        for kind, pairs in paired.items()
        if pairs and kind != _COLUMNS
    }
    return (
        _environment()
        .get_template("compare.html.j2")
        .render(
            runs=runs,
            changes=changes,
            rules=_paired_rules(first[0], second[0]),
            story=_comparison_story(first[0], second[0], names),
            charts=drawn,
            elsewhere=_paired_challenges(first[0], second[0]),
            **paired,
        )
    )


def render_model_card(verdict: Verdict, facts: Facts) -> str:
    """Renders Markdown with the sections of the Hugging Face Hub's template, for a run that has trained a model."""
    front_matter = yaml.safe_dump(_front_matter(verdict, overall(verdict)), sort_keys=False, allow_unicode=True)
    context = {**_view(verdict, facts, drawn=False), "front_matter": _Plain(front_matter)}
    return _environment(autoescape=False).get_template("model_card.md.j2").render(**context)


def render_page(template: str, **view: object) -> str:
    """Renders a page that is no run's.

    Args:
      template: its name among those of the report.
      view: the template's variables.
    """
    return _environment().get_template(template).render(**view)


class _Plain(str):
    """Markdown that is meant as such."""


def _markdown(value: object) -> object:
    if not isinstance(value, str):
        return value
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", value).replace("\n", " ")


@functools.cache
def _environment(autoescape: bool = True) -> Environment:
    """Returns the templates' environment, for HTML or for Markdown; cached, so that they are compiled once."""
    environment = Environment(
        loader=PackageLoader("pipeline.results.report"),
        autoescape=select_autoescape(["html.j2"]) if autoescape else False,
        undefined=ChainableUndefined,  # a run that ended early lacks most of what there is to tell
        trim_blocks=True,
        lstrip_blocks=True,
    )
    if not autoescape:
        environment.finalize = lambda value: value if isinstance(value, _Plain) else _markdown(value)
    environment.filters |= {
        "percent": words.percent,
        "digest": words.short_digest,
        "count": lambda count: f"{count:,.0f}",
        "decimal": lambda value, digits=4: "\u2013" if value is None else f"{value:.{digits}f}",
        "label": words.label_name,
        "slice_name": words.slice_name,
        "rule_name": words.rule_name,
        "outcome": words.OUTCOMES.__getitem__,
        "plain": _Plain,
        "seconds": _seconds,
    }
    environment.globals |= {
        "number": words.number,
        "METRICS": words.METRICS,
        "CONTENDERS": words.CONTENDERS,
        "SPLITS": words.SPLITS,
        "AT_HOME": AT_HOME,
        "strong_effect": _STRONG_EFFECT,
        "most_label_errors": LIKELY_LABEL_ERRORS,
        "zip_epochs": lambda epochs: zip(*epochs.values(), strict=True),
    }
    return environment


def _view(verdict: Verdict, facts: Facts, *, drawn: bool = True) -> dict[str, object]:
    """Returns the variables of the templates."""
    measured = overall(verdict)
    variants, naturals, by_column = (
        [part for part in verdict.evaluated if _kind(part) == kind] for kind in (_VARIANTS, _SLICES, _COLUMNS)
    )
    by_variant = {judged.variant: judged for judged in verdict.thresholds if judged.variant is not None}
    challenges = elsewhere(verdict, facts)
    return {
        "verdict": verdict,
        "headline": words.headline(verdict),
        "rows": verdict.rows or {},
        "gate": verdict.gate,
        "infra": verdict.infra,
        "tuning": verdict.tuning,
        "training": verdict.training,
        "thresholds": verdict.thresholds,
        "evaluation": verdict.evaluation,
        "overall": measured,
        "overall_train": overall(verdict, TRAIN_SPLIT),
        "contenders": list(measured.contenders) if measured else [],
        "variants": variants,
        "naturals": naturals,
        "by_column": by_column,
        "by_variant": by_variant,
        "elsewhere": challenges,
        "limits": describe_limits(verdict),
        "lower_at_home": next((part for part in variants if part.variant == "lower"), None),
        "confusion": _confusion(measured),
        "figures": _figures(verdict, measured, facts),
        "timeline": _timeline(verdict.components or {}),
        "facts": facts,
        "statistics": facts.statistics or {},
        "data": verdict.data or Data(),
        "encoder": verdict.encoder,
        "charts": _charts(verdict, facts, variants, naturals, by_variant) | _charts_elsewhere(verdict, challenges)
        if drawn
        else {},
    }


def _charts(
    verdict: Verdict,
    facts: Facts,
    variants: Sequence[MeasuredSlice],
    naturals: Sequence[MeasuredSlice],
    by_variant: Mapping[str, Judgement],
) -> dict[str, Markup]:
    drawn: dict[str, Markup] = {}
    if verdict.tuning:
        drawn["tuning"] = charts.tuning(verdict.tuning)
    if verdict.training and verdict.training.epochs:
        drawn["training"] = charts.training_curves(verdict.training.epochs)
    if facts.statistics and any(split.title_characters for split in facts.statistics.values()):
        drawn["lengths"] = charts.lengths(facts.statistics)
    if facts.curves and facts.curves.roc:
        drawn["roc"] = charts.roc(facts.curves.roc)
        drawn["precision_recall"] = charts.precision_recall(facts.curves.precision_recall)
    if facts.curves and facts.curves.reliability and facts.curves.histogram:
        drawn["reliability"] = charts.reliability(facts.curves.reliability)
        drawn["histogram"] = charts.histogram(facts.curves.histogram)
    if variants:
        as_is = variants[0].accuracy.value
        drawn["variants"] = charts.dot_plot(
            [_dots(part, as_is, by_variant) for part in variants],
            "Accuracy of each model, by variant of the headlines; the table has the numbers",
        )
    if naturals:
        drawn["slices"] = charts.dot_plot(
            [_dots(part, None, {}) for part in naturals],
            "Accuracy of each model, by kind of headline; the table has the numbers",
        )
    return drawn


def _charts_elsewhere(verdict: Verdict, challenges: Sequence[Elsewhere]) -> dict[str, Markup]:
    drawn: dict[str, Markup] = {}
    if measured_areas(verdict):
        label = (
            "Area under the ROC curve of each model, at home and on headlines from elsewhere; the table has the numbers"
        )
        drawn["elsewhere"] = charts.dot_plot(area_dots(verdict), label, metric=words.METRICS["auc"])
    for challenge, _, facts, _ in challenges:
        if facts and facts.roc:
            drawn[f"roc-{challenge.name}"] = charts.roc(facts.roc, challenge.name)
        if facts and facts.reliability:
            drawn[f"reliability-{challenge.name}"] = charts.reliability(facts.reliability, challenge.name)
    return drawn


def _dots(part: MeasuredSlice, as_is: float | None, by_variant: Mapping[str, Judgement]) -> Dots:
    judged = by_variant.get(part.variant or "")
    others = {name: contender.binary_accuracy for name, contender in part.contenders.items()}
    return Dots(
        words.slice_name(part.slice),
        {"candidate": part.accuracy.value, **others},
        part.accuracy.interval,
        as_is + judged.bound if judged and judged.gates and as_is is not None else None,
        bool(judged and not judged.passed),
    )


def _confusion(measured: MeasuredSlice | None) -> list[tuple[int, list[Cell]]]:
    """Returns the rows of the confusion matrix with their labels."""
    rows = measured.confusion if measured else []
    return [
        (label, [Cell(count, count / sum(counts) if sum(counts) else None) for count in counts])
        for label, counts in enumerate(rows)
    ]


def _figures(verdict: Verdict, measured: MeasuredSlice | None, facts: Facts) -> list[Figure]:
    figures = []
    if measured:
        accuracy = measured.accuracy
        figures.append(Figure(words.percent(accuracy.value), "accuracy on unseen headlines", _interval(accuracy)))
        if worst := words.worst_variant(verdict):
            name = words.VARIANTS.get(worst[0], worst[0])
            figures.append(Figure(words.percent(worst[1]), "accuracy on the worst variant", name))
        simple = measured.contenders.get("tfidf_lower")
        if simple and simple.binary_accuracy:
            share = words.percent(simple.binary_accuracy)
            figures.append(Figure(share, "accuracy of the simplest model", "linear, on lower-cased words"))
    if reached := area_range(verdict, 2):
        figures.append(Figure(reached, "AUC on headlines from elsewhere", _sets(verdict)))
    judged = [rule for rule in verdict.thresholds if rule.gates and rule.outcome != NOT_JUDGED]
    if judged:
        passed = sum(rule.passed for rule in judged)
        figures.append(Figure(f"{passed} of {len(judged)}", "rules passed", _not_judged(verdict)))
    for finding in verdict.infra.findings if verdict.infra else []:
        if finding.rule == "latency" and finding.outcome != "not judged":
            figures.append(Figure(finding.observed, "for a headline, p99", finding.detail))
    if verdict.seconds is not None:
        note = f"{_seconds(facts.cpu_seconds)} of CPU time" if facts.cpu_seconds else ""
        figures.append(Figure(_seconds(verdict.seconds), "for the whole run", note))
    return figures


def _sets(verdict: Verdict) -> str:
    count = len(measured_areas(verdict))
    return f"{count} set{'' if count == 1 else 's'}; 0.5 is by chance"


def _interval(metric: Metric) -> str:
    if not metric.interval or None in metric.interval:
        return ""
    low, high = (f"{100 * end:.2f}" for end in metric.interval if end is not None)
    return f"95 % interval {low} to {high}"


def _not_judged(verdict: Verdict) -> str:
    count = sum(judged.outcome == NOT_JUDGED for judged in verdict.thresholds)
    return f"{count} not judged" if count else ""


def _timeline(components: Mapping[str, Timing]) -> list[Bar]:
    """Returns the bars of the components, one after the other."""
    total = sum(timing.seconds for timing in components.values()) or 1.0
    began, bars = 0.0, []
    for name, timing in components.items():
        left, width = 100 * began / total, 100 * timing.seconds / total
        bars.append(Bar(name, timing.status, timing.seconds, left, width))
        began += timing.seconds
    return bars


def _seconds(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f}\u00a0s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}\u00a0min {rest:02d}\u00a0s"


def _name(verdict: Verdict) -> str:
    casing = verdict.training.settings.get("casing") if verdict.training else None
    return verdict.run_id[-5:] + (f", casing {casing}" if casing else "")


def _paired_rules(first: Verdict, second: Verdict) -> list[dict[str, object]]:
    keyed = [
        {(judged.rule, judged.split, *judged.slice.items()): judged for judged in verdict.thresholds}
        for verdict in (first, second)
    ]
    keys = dict.fromkeys([*keyed[0], *keyed[1]])
    return [{"rule": keyed[0].get(key) or keyed[1][key], "pair": [rules.get(key) for rules in keyed]} for key in keys]


def _kind(part: MeasuredSlice) -> str:
    if part.column is not None:
        return _COLUMNS
    return _SLICES if part.slice and part.variant is None else _VARIANTS


def _paired_slices(first: Verdict, second: Verdict, kind: str) -> list[tuple[str, _Pair]]:
    before, now = (
        {(*part.slice.items(),): part.accuracy.value for part in verdict.evaluated if _kind(part) == kind}
        for verdict in (first, second)
    )
    return [(words.slice_name(dict(key)), (before.get(key), now.get(key))) for key in dict.fromkeys([*before, *now])]


def _paired_challenges(first: Verdict, second: Verdict) -> list[dict[str, object]]:
    """Returns the challenges of both runs with each figure of both, and what keeps these from being compared."""
    return [
        {
            "name": name,
            "figures": [
                (title, tuple(challenge_metric(challenge, key) if challenge else None for challenge in pair))
                for key, title in CHALLENGE_METRICS.items()
            ],
            "note": _comparability(*pair),
        }
        for name, pair in pair_challenges(first, second).items()
    ]


def _comparability(before: Challenge | None, now: Challenge | None) -> str:
    if before is None or now is None:
        return f"in {'A' if before else 'B'} alone"
    if before.sha256 != now.sha256:
        return "the files differ"
    return "" if before.rows == now.rows else f"on {before.rows:,} and {now.rows:,} rows"


def _comparison_story(first: Verdict, second: Verdict, names: Sequence[str]) -> str:
    """Returns in a sentence where the two runs differ most."""
    before, now = (words.accuracy_of(verdict) for verdict in (first, second))
    pairs = _paired_slices(first, second, _VARIANTS)
    whole = [(name, (old, new)) for name, (old, new) in pairs if old is not None and new is not None]
    if before is None or now is None or not whole:
        return "One of the two was not evaluated."
    name, values = max(whole, key=lambda pair: abs(pair[1][0] - pair[1][1]))
    if name == words.VARIANTS["as_is"]:
        points = f"{100 * abs(before - now):.2f} points"
        return f"Their accuracies differ by {points} on headlines as written, and by less on variants."
    better = 0 if values[0] > values[1] else 1
    return (
        f"On headlines as written their accuracies are {100 * abs(before - now):.2f} points apart. They differ most on "
        f"the variant \u201c{name}\u201d: {'AB'[better]} has {words.percent(values[better])}, "
        f"{'BA'[better]} {words.percent(values[1 - better])}."
    )


def _front_matter(verdict: Verdict, measured: MeasuredSlice | None) -> dict[str, JsonValue]:
    values = {key: metric.value for key, metric in measured.metrics.items()} if measured else {}
    metrics = [
        (name, round(value, 6), words.METRICS[key])
        for name, key in (
            ("accuracy", "binary_accuracy"),
            ("roc_auc", "auc"),
            ("precision", "precision"),
            ("recall", "recall"),
            ("brier_score", "brier"),
        )
        if (value := values.get(key)) is not None
    ]
    data = verdict.data or Data(origin="unknown")
    return {
        "language": "en",
        "license": "apache-2.0",
        "library_name": "tf-keras",
        "pipeline_tag": "text-classification",
        "tags": ["clickbait", "tfx", "tensorflow"],
        "metrics": [name for name, *_ in metrics],
        "model-index": [
            {
                "name": f"clickbait {verdict.run_id}",
                "results": [
                    {
                        "task": {"type": "text-classification", "name": "clickbait detection"},
                        "dataset": {
                            "name": data.origin,
                            "type": "csv",
                            "split": "eval",
                            "revision": data.sha256 or "",
                        },
                        "metrics": [{"type": name, "value": value, "name": title} for name, value, title in metrics],
                    }
                ],
            }
        ]
        if metrics
        else [],
    }
