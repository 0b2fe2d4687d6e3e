"""What served texts and scores are judged by. Light: logs that are too few are told without TensorFlow."""

from __future__ import annotations

import dataclasses

from components.data_gate.policy import Finding, Policy, apply_policy
from trainer import features


@dataclasses.dataclass(frozen=True)
class MonitorPolicy(Policy):
    """The configuration's section `monitor`."""

    scores: str
    max_score_divergence: float
    max_compared_rows: int


def too_few(rows: int, policy: MonitorPolicy) -> list[Finding]:
    """The findings where so few rows were served that chance decides; none where there are rows enough."""
    if rows >= policy.min_compared_rows:
        return []
    bound = f">= {policy.min_compared_rows:,} rows"
    places = {"skew": "all features", "drift": "all features", "scores": features.PROBABILITY}
    findings = [Finding(rule, where, bound, f"{rows:,} rows", kept=None) for rule, where in places.items()]
    return apply_policy(findings, policy)
