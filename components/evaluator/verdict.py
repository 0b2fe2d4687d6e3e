"""The evaluation's word: `verdict.json` beside TFMA's files. Needs no TFX."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.evaluator import measures
from components.evaluator.policy import EvaluationConfig, Slice
from components.evaluator.rules import judge
from components.slices import AS_IS
from trainer.features import EVAL_SPLIT

VERDICT_FILE = "verdict.json"


def compose_verdict(slices: Sequence[Slice], contenders: Sequence[str], policy: EvaluationConfig) -> dict[str, Any]:
    """Judges, and lays out what was measured.

    Args:
      slices: what was measured.
      contenders: the names of those that were measured beside the candidate.
      policy: what is asked.
    """
    judged = judge(slices, policy)
    blessed = not any(one.refuses for one in judged)
    overridden = policy.bless_anyway and not blessed
    return {
        "blessed": blessed,
        "thresholds": [one.as_dict() for one in judged],
        "evaluation": {
            **_describe(slices, contenders, policy),
            "override": {"reason": policy.bless_anyway} if overridden else None,
        },
    }


def write_verdict(folder: str, verdict: dict[str, Any]) -> None:
    """Lays it into the folder of a ModelEvaluation."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    Path(folder, VERDICT_FILE).write_text(
        json.dumps(verdict, indent=2, ensure_ascii=False, allow_nan=False), encoding="utf-8"
    )


def read_verdict(folder: str) -> dict[str, Any]:
    """What `write_verdict` wrote: `blessed`, `thresholds` and `evaluation`."""
    return json.loads(Path(folder, VERDICT_FILE).read_text(encoding="utf-8"))


def _describe(slices: Sequence[Slice], contenders: Sequence[str], policy: EvaluationConfig) -> dict[str, Any]:
    described = [
        {
            "split": one.split,
            **one.key,
            "slice": one.key,
            "rows": int(one.metrics[measures.ROWS]),
            "metrics": {
                name: {"value": _finite(value), "interval": _interval(one.metrics, name)}
                for name, value in one.metrics.items()
                if not name.startswith((AS_IS, *contenders)) and not name.endswith(("_low", "_high"))
            },
            "contenders": _contenders(one.metrics, contenders),
        }
        for one in slices
    ]
    overall = next((one.metrics for one in slices if one.split == EVAL_SPLIT and not one.key), {})
    return {
        "contenders": _contenders(overall, contenders),
        "slices": described,
        "operating_threshold": _operating(overall, policy.wanted_precision),
    }


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None


def _contenders(metrics: Mapping[str, float], names: Sequence[str]) -> dict[str, dict[str, float | None]]:
    return {
        name: {
            measures.ACCURACY: _finite(metrics[measures.accuracy_of(name)]),
            measures.AUC: _finite(metrics[measures.auc_of(name)]),
        }
        for name in names
        if measures.accuracy_of(name) in metrics
    }


def _interval(metrics: Mapping[str, float], name: str) -> list[float | None] | None:
    ends = measures.low_end(name), measures.high_end(name)
    return [_finite(metrics[end]) for end in ends] if all(end in metrics for end in ends) else None


def _operating(metrics: Mapping[str, float], wanted: float | None) -> dict[str, float | None] | None:
    if wanted is None:
        return None
    found = [metrics.get(name) for name in measures.OPERATING]
    names = (name.removeprefix("operating_") for name in measures.OPERATING)
    return {"wanted_precision": wanted, **dict(zip(names, found, strict=True))}
