"""What differs between two runs. Pure: takes their verdicts and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.results.words import METRICS, short_digest

#: Settings that say where things lie, not what is made.
_PLACES = ("output", "cache", "kubeflow.", "beam.", "monitor.", "serving.")
_METRICS = ("binary_accuracy", "auc", "precision", "recall", "ece", "brier")

Change = dict[str, str]


def describe_changes(
    before: Mapping[str, Any],
    settings_before: Mapping[str, Any],
    now: Mapping[str, Any],
    settings_now: Mapping[str, Any],
) -> list[Change]:
    """Each with `what`, `before` and `now`, as texts: the data, the encoder, the settings, and what was reached."""
    pairs = [*_inputs(before, now), *_settings(settings_before, settings_now), *_reached(before, now)]
    return [{"what": what, "before": old, "now": new} for what, old, new in pairs if old != new]


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def overall(verdict: Mapping[str, Any], split: str = "eval") -> dict[str, Any]:
    """What was measured on all rows of a split as they are; empty where nothing was."""
    slices = (verdict.get("evaluation") or {}).get("slices", [])
    return next((one for one in slices if one["split"] == split and not one["slice"]), {})


def _inputs(before: Mapping[str, Any], now: Mapping[str, Any]):
    for what, section, key in (
        ("data", "data", "description"),
        ("data sha256", "data", "sha256"),
        ("schema sha256", "data", "schema_sha256"),
        ("encoder", "encoder", "source"),
        ("encoder digest", "encoder", "digest"),
    ):
        old, new = ((one.get(section) or {}).get(key) for one in (before, now))
        yield what, short_digest(old), short_digest(new)
    for split in ("train", "eval"):
        old, new = ((one.get("rows") or {}).get(split, {}).get("rows") for one in (before, now))
        yield f"{split} rows", *(f"{count:,}" if count is not None else "none" for count in (old, new))


def _settings(before: Mapping[str, Any], now: Mapping[str, Any]):
    if not (before and now):
        return
    for name in dict.fromkeys([*before, *now]):
        if not name.startswith(_PLACES):
            yield name, *(str(one[name]) if name in one else "not set" for one in (before, now))


def _reached(before: Mapping[str, Any], now: Mapping[str, Any]):
    values = [overall(one).get("metrics", {}) for one in (before, now)]
    for name in _METRICS:
        if all(name in one for one in values):
            yield METRICS[name], *(_number(one[name]["value"]) for one in values)


def _number(value: float | None) -> str:
    return "no number" if value is None else f"{value:.4f}"
