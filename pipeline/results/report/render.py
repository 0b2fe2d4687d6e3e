"""Pages and cards from facts. Pure: takes what `verdict.json` and `facts.json` hold and returns text."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from jinja2 import ChainableUndefined, Environment, PackageLoader, select_autoescape

from components.evaluator.measures import CONFUSION
from pipeline.results import words
from pipeline.results.report import charts
from pipeline.results.report.artifacts import LIKELY_LABEL_ERRORS
from pipeline.results.report.changes import describe_changes, overall
from pipeline.results.report.charts import Dots

_STRONG_EFFECT = 0.05

Run = tuple[Mapping[str, Any], Mapping[str, Any]]
"""A verdict and its facts, see `pipeline.results.report.facts`."""


def render_report(verdict: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """The page of a run, of as much of one as there is."""
    return _environment().get_template("report.html.j2").render(**_view(verdict, facts))


def render_comparison(first: Run, second: Run) -> str:
    """Two runs side by side."""
    runs = [{**_summary(verdict), "verdict": verdict} for verdict, _ in (first, second)]
    changes = describe_changes(first[0], first[1].get("settings", {}), second[0], second[1].get("settings", {}))
    names = [run["name"] for run in runs]
    paired = {key: _paired_slices(first[0], second[0], variants=key == "variants") for key in ("variants", "slices")}
    drawn = {
        key: charts.dot_plot(
            [Dots(name, dict(zip("AB", values, strict=True))) for name, values in pairs],
            f"Share of headlines said right by each of the two runs, {key}",
            {run: f"{run}: {name}" for run, name in zip("AB", names, strict=True)},
        )
        for key, pairs in paired.items()
        if pairs
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
            **paired,
        )
    )


def render_model_card(verdict: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Markdown with the sections of the Hugging Face Hub's template, for a run that has trained a model."""
    found = overall(verdict)
    context = {
        **_view(verdict, facts, drawn=False),
        "front_matter": yaml.safe_dump(_front_matter(verdict, found), sort_keys=False, allow_unicode=True),
    }
    context["front_matter"] = _Plain(context["front_matter"])
    return _environment(autoescape=False).get_template("model_card.md.j2").render(**context)


class _Plain(str):
    """Markdown that is meant as such."""


def _markdown(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", value).replace("\n", " ")


@functools.cache
def _environment(autoescape: bool = True) -> Environment:
    """With its templates compiled once: of HTML, or else of Markdown."""
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
        "plain": _Plain,
        "seconds": _seconds,
    }
    environment.globals |= {
        "number": words.number,
        "METRICS": words.METRICS,
        "CONTENDERS": words.CONTENDERS,
        "SPLITS": words.SPLITS,
        "strong_effect": _STRONG_EFFECT,
        "most_label_errors": LIKELY_LABEL_ERRORS,
        "zip_epochs": lambda epochs: zip(*epochs.values(), strict=True),
    }
    return environment


def _view(verdict: Mapping[str, Any], facts: Mapping[str, Any], *, drawn: bool = True) -> dict[str, Any]:
    evaluation = verdict.get("evaluation") or {}
    evaluated = [one for one in evaluation.get("slices", []) if one["split"] == "eval"]
    found = overall(verdict)
    by_variant = {one["slice"]["variant"]: one for one in verdict.get("thresholds", []) if "variant" in one["slice"]}
    variants = [one for one in evaluated if not one["slice"] or "variant" in one["slice"]]
    naturals = [one for one in evaluated if one["slice"] and "variant" not in one["slice"]]
    contenders = list((found or {}).get("contenders", {}))
    view = {
        "verdict": verdict,
        "headline": words.headline(verdict),
        "rows": verdict.get("rows") or {},
        "gate": verdict.get("gate"),
        "infra": verdict.get("infra"),
        "tuning": verdict.get("tuning") or [],
        "training": verdict.get("training"),
        "thresholds": verdict.get("thresholds", []),
        "evaluation": evaluation,
        "overall": found,
        "overall_train": overall(verdict, "train"),
        "contenders": contenders,
        "variants": variants,
        "naturals": naturals,
        "by_variant": by_variant,
        "confusion": _confusion(found),
        "figures": _figures(verdict, found, facts),
        "timeline": _timeline(verdict.get("components") or {}),
        "statistics": facts.get("statistics") or {},
        "errors": facts.get("errors"),
        "label_errors": facts.get("label_errors"),
        "lineage": {**dict.fromkeys(("artifacts", "code", "config_sha256")), **facts.get("lineage", {})},
        "history": "previous" in facts,
        "previous": facts.get("previous"),
        "settings": facts.get("settings") or {},
        "cpu_seconds": facts.get("cpu_seconds"),
        "model_bytes": facts.get("model_bytes"),
        "curves": facts.get("curves") or {},
        "data": verdict.get("data") or {},
        "encoder": verdict.get("encoder") or {},
        "charts": {},
    }
    if drawn:
        view["charts"] = _charts(view)
    return view


def _charts(view: Mapping[str, Any]) -> dict[str, Any]:
    drawn: dict[str, Any] = {}
    if view["tuning"]:
        drawn["tuning"] = charts.tuning(view["tuning"])
    if (view["training"] or {}).get("epochs"):
        drawn["training"] = charts.training_curves(view["training"]["epochs"])
    if any("title_characters" in one for one in view["statistics"].values()):
        drawn["lengths"] = charts.lengths(view["statistics"])
    curves = view["curves"]
    if curves.get("roc"):
        drawn["roc"] = charts.roc(curves["roc"])
        drawn["precision_recall"] = charts.precision_recall(curves["precision_recall"])
    if curves.get("reliability"):
        drawn["reliability"] = charts.reliability(curves["reliability"])
        drawn["histogram"] = charts.histogram(curves["histogram"])
    if view["variants"]:
        as_is = _accuracy(view["variants"][0])
        drawn["variants"] = charts.dot_plot(
            [_dots(one, as_is, view["by_variant"]) for one in view["variants"]],
            "Share of headlines said right by each model, for each way of writing them; the table has the numbers",
        )
    if view["naturals"]:
        drawn["slices"] = charts.dot_plot(
            [_dots(one, None, {}) for one in view["naturals"]],
            "Share of headlines said right by each model, for each kind of headline; the table has the numbers",
        )
    return drawn


def _dots(one: Mapping[str, Any], as_is: float | None, by_variant: Mapping[str, Any]) -> Dots:
    judged = by_variant.get(one["slice"].get("variant"))
    others = {name: metrics["binary_accuracy"] for name, metrics in one["contenders"].items()}
    return Dots(
        words.slice_name(one["slice"]),
        {"candidate": _accuracy(one), **others},
        one["metrics"]["binary_accuracy"]["interval"],
        as_is + judged["bound"] if judged and judged["gates"] and as_is is not None else None,
        bool(judged and not judged["passed"]),
    )


def _accuracy(one: Mapping[str, Any]) -> float | None:
    return one["metrics"]["binary_accuracy"]["value"]


def _confusion(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not found:
        return []
    counts = [int(found["metrics"][name]["value"]) for name in CONFUSION]
    rows = []
    for label, row in enumerate((counts[:2], counts[2:])):
        total = sum(row)
        rows.append({"label": label, "cells": [{"count": one, "share": one / total if total else None} for one in row]})
    return rows


def _figures(verdict: Mapping[str, Any], found: Mapping[str, Any], facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """What stands in large print."""
    figures = []
    if found:
        accuracy = found["metrics"]["binary_accuracy"]
        figures.append(
            {
                "value": words.percent(accuracy["value"]),
                "name": "of unseen headlines right",
                "note": _interval(accuracy),
            }
        )
        if worst := words.worst_variant(verdict):
            name = words.VARIANTS.get(worst[0], worst[0])
            figures.append({"value": words.percent(worst[1]), "name": "in the worst way of writing", "note": name})
        if simple := found["contenders"].get("tfidf_lower", {}).get("binary_accuracy"):
            figures.append(
                {
                    "value": words.percent(simple),
                    "name": "by the simplest model",
                    "note": "linear, on lower-cased words",
                }
            )
    judged = [one for one in verdict.get("thresholds", []) if one["gates"] and one["outcome"] != "not judged"]
    if judged:
        kept = sum(one["passed"] for one in judged)
        figures.append({"value": f"{kept} of {len(judged)}", "name": "rules kept", "note": _not_judged(verdict)})
    for finding in (verdict.get("infra") or {}).get("findings", []):
        if finding["rule"] == "latency" and finding["outcome"] != "not judged":
            figures.append(
                {"value": str(finding["observed"]), "name": "for a headline, p99", "note": finding["detail"]}
            )
    if "seconds" in verdict:
        used = facts.get("cpu_seconds")
        note = f"{_seconds(used)} of CPU time" if used else ""
        figures.append({"value": _seconds(verdict["seconds"]), "name": "for the whole run", "note": note})
    return figures


def _interval(metric: Mapping[str, Any]) -> str:
    if not metric["interval"] or None in metric["interval"]:
        return ""
    low, high = (f"{100 * end:.2f}" for end in metric["interval"])
    return f"95 % interval {low} to {high}"


def _not_judged(verdict: Mapping[str, Any]) -> str:
    count = sum(one["outcome"] == "not judged" for one in verdict["thresholds"])
    return f"{count} not judged" if count else ""


def _timeline(components: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The components one after the other, with the places of their bars in percent."""
    total = sum(one["seconds"] for one in components.values()) or 1.0
    began, lines = 0.0, []
    for name, one in components.items():
        lines.append({"name": name, **one, "left": 100 * began / total, "width": 100 * one["seconds"] / total})
        began += one["seconds"]
    return lines


def _seconds(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f}\u00a0s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}\u00a0min {rest:02d}\u00a0s"


def _summary(verdict: Mapping[str, Any]) -> dict[str, Any]:
    casing = ((verdict.get("training") or {}).get("settings") or {}).get("casing")
    name = f"{verdict['run_id'][-5:]}" + (f", casing {casing}" if casing else "")
    return {"name": name, "headline": words.headline(verdict), "figures": _figures(verdict, overall(verdict), {})}


def _paired_rules(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[dict[str, Any]]:
    keyed = [
        {(one["rule"], one["split"], *one["slice"].items()): one for one in verdict.get("thresholds", [])}
        for verdict in (first, second)
    ]
    keys = dict.fromkeys([*keyed[0], *keyed[1]])
    return [{"rule": keyed[0].get(key) or keyed[1][key], "pair": [one.get(key) for one in keyed]} for key in keys]


def _paired_slices(
    first: Mapping[str, Any], second: Mapping[str, Any], *, variants: bool
) -> list[tuple[str, tuple[float | None, float | None]]]:
    before, now = (
        {
            (*one["slice"].items(),): _accuracy(one)
            for one in (verdict.get("evaluation") or {}).get("slices", [])
            if one["split"] == "eval" and (not one["slice"] or "variant" in one["slice"]) == variants
        }
        for verdict in (first, second)
    )
    return [(words.slice_name(dict(key)), (before.get(key), now.get(key))) for key in dict.fromkeys([*before, *now])]


def _comparison_story(first: Mapping[str, Any], second: Mapping[str, Any], names: Sequence[str]) -> str:
    """Where the two differ the most, in a sentence."""
    before, now = (words.accuracy_of(one) for one in (first, second))
    pairs = _paired_slices(first, second, variants=True)
    whole = [(name, (old, new)) for name, (old, new) in pairs if old is not None and new is not None]
    if before is None or now is None or not whole:
        return "One of the two has not got as far as an evaluation."
    name, values = max(whole, key=lambda one: abs(one[1][0] - one[1][1]))
    if name == words.VARIANTS["as_is"]:
        return f"They differ by {100 * abs(before - now):.2f} points on headlines as written, and no more else."
    better = 0 if values[0] > values[1] else 1
    return (
        f"On headlines as written they are {100 * abs(before - now):.2f} points apart. The difference is in "
        f"how they are written: with \u201c{name}\u201d {'AB'[better]} gets {words.percent(values[better])} right, "
        f"{'BA'[better]} {words.percent(values[1 - better])}."
    )


def _front_matter(verdict: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    metrics = [
        {"type": name, "value": round(found["metrics"][key]["value"], 6), "name": words.METRICS[key]}
        for name, key in (
            ("accuracy", "binary_accuracy"),
            ("roc_auc", "auc"),
            ("precision", "precision"),
            ("recall", "recall"),
            ("brier_score", "brier"),
        )
        if found and found["metrics"].get(key, {}).get("value") is not None
    ]
    data = verdict.get("data") or {}
    return {
        "language": "en",
        "license": "apache-2.0",
        "library_name": "tf-keras",
        "pipeline_tag": "text-classification",
        "tags": ["clickbait", "tfx", "tensorflow"],
        "metrics": [one["type"] for one in metrics],
        "model-index": [
            {
                "name": f"clickbait {verdict['run_id']}",
                "results": [
                    {
                        "task": {"type": "text-classification", "name": "clickbait detection"},
                        "dataset": {
                            "name": str(data.get("origin", "unknown")),
                            "type": "csv",
                            "split": "eval",
                            "revision": str(data.get("sha256", "")),
                        },
                        "metrics": metrics,
                    }
                ],
            }
        ]
        if metrics
        else [],
    }
