"""The differences between two runs. Pure: takes their verdicts and settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import JsonValue
from pydantic.dataclasses import dataclass

from components.evaluator.results import Challenge, ChallengeFigures, MeasuredSlice, Metric
from components.recorded import KEEPS_UNKNOWN, Recorded
from pipeline.results.verdict import Data, Settings, Verdict
from pipeline.results.words import METRICS, short_digest, slice_name
from trainer.features import EVAL_SPLIT

MODEL = "model"
"""The name of the run's own model among those of `ChallengeFigures`."""

#: Settings of where results are written, which do not change them.
_PATHS = ("output", "cache", "kubeflow.", "beam.", "monitor.", "tracking.", "serving.")
CHALLENGE_METRICS = {"auc": METRICS["auc"], "accuracy": "accuracy", "ece": METRICS["ece"]}
"""The figures of challenges that are compared, by the names of `ChallengeFigures`."""
COMPARED_METRICS = ("binary_accuracy", "auc", "precision", "recall", "ece", "brier")


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Change(Recorded):
    """A difference, as texts."""

    what: str
    before: str
    now: str


def describe_changes(before: Verdict, settings_before: Settings, now: Verdict, settings_now: Settings) -> list[Change]:
    """Compares the data, the encoder, the settings and the metrics."""
    pairs = [
        *_inputs(before, now),
        *_settings(settings_before, settings_now),
        *_reached(before, now),
        *_elsewhere(before, now),
    ]
    return [Change(what, old, new) for what, old, new in pairs if old != new]


def flatten(settings: Settings, prefix: str = "") -> dict[str, JsonValue]:
    """Returns nested settings by their dotted names."""
    flat: dict[str, JsonValue] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def overall(verdict: Verdict, split: str = EVAL_SPLIT) -> MeasuredSlice | None:
    """Returns the metrics of all rows of a split as they are; None where there are none."""
    return verdict.evaluation.overall(split) if verdict.evaluation else None


def pair_challenges(before: Verdict, now: Verdict) -> dict[str, tuple[Challenge | None, Challenge | None]]:
    """Returns both runs' metrics of each challenge by its name; None where a run was not measured on it."""
    old, new = ({challenge.name: challenge for challenge in verdict.challenges} for verdict in (before, now))
    return {name: (old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new])}


def challenge_metric(challenge: ChallengeFigures, name: str) -> float | None:
    """Returns the model's figure of `CHALLENGE_METRICS`."""
    by_model: Mapping[str, Metric] = getattr(challenge, name)
    return by_model[MODEL].value if MODEL in by_model else None


def _inputs(before: Verdict, now: Verdict) -> Iterator[tuple[str, ...]]:
    data = [verdict.data or Data() for verdict in (before, now)]
    yield "data", *(short_digest(source.description or None) for source in data)
    yield "data sha256", *(short_digest(source.sha256) for source in data)
    yield "schema sha256", *(short_digest(source.schema_sha256) for source in data)
    yield "encoder", *(short_digest(verdict.encoder and verdict.encoder.source) for verdict in (before, now))
    yield "encoder digest", *(short_digest(verdict.encoder and verdict.encoder.digest) for verdict in (before, now))
    for split in ("train", "eval"):
        old, new = (verdict.rows.get(split) if verdict.rows else None for verdict in (before, now))
        yield f"{split} rows", f"{old.rows:,}" if old else "none", f"{new.rows:,}" if new else "none"


def _settings(before: Settings, now: Settings) -> Iterator[tuple[str, ...]]:
    if not (before and now):
        return
    for name in dict.fromkeys([*before, *now]):
        if not name.startswith(_PATHS):
            old, new = (str(settings[name]) if name in settings else "not set" for settings in (before, now))
            yield name, old, new


def _reached(before: Verdict, now: Verdict) -> Iterator[tuple[str, ...]]:
    old, new = overall(before), overall(now)
    if old is None or new is None:
        return
    for name in COMPARED_METRICS:
        if name in old.metrics and name in new.metrics:
            yield METRICS[name], _number(old.metrics[name].value), _number(new.metrics[name].value)


def _elsewhere(before: Verdict, now: Verdict) -> Iterator[tuple[str, ...]]:
    for name, (old, new) in pair_challenges(before, now).items():
        if old is None or new is None:
            yield name, *(f"{challenge.rows:,} rows" if challenge else "not measured" for challenge in (old, new))
            continue
        yield f"{name} sha256", short_digest(old.sha256), short_digest(new.sha256)
        yield f"{name} rows", f"{old.rows:,}", f"{new.rows:,}"
        for key, title in CHALLENGE_METRICS.items():
            yield f"{title} on {name}", *(_number(challenge_metric(challenge, key)) for challenge in (old, new))
        earlier = {(part.column, part.value): part for part in old.slices}
        for part in new.slices:
            if before_it := earlier.get((part.column, part.value)):
                what = f"{METRICS['auc']} on {name}, {slice_name({part.column: part.value})}"
                yield what, *(_number(challenge_metric(figures, "auc")) for figures in (before_it, part))


def _number(value: float | None) -> str:
    return "no number" if value is None else f"{value:.4f}"
