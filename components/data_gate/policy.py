"""What the gate judges by, and what it finds."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

FAIL, WARN, OFF = "fail", "warn", "off"
KEPT, NOT_JUDGED = "kept", "not judged"


@dataclasses.dataclass(frozen=True)
class Policy:
    """What statistics are compared by. A rule's field says what happens when it is broken: `fail`, `warn` or `off`."""

    drift: str
    skew: str
    min_compared_rows: int
    mask_examples: bool

    def action(self, rule: str) -> str:
        """`fail`, `warn` or `off`."""
        return getattr(self, rule)

    def shown(self, text: str) -> str:
        """A text of the data as findings may show it."""
        return mask(text) if self.mask_examples else text


@dataclasses.dataclass(frozen=True)
class GatePolicy(Policy):
    """The configuration's section `gate`, with the split that is aimed at."""

    rejects: str
    schema_errors: str
    schema_warnings: str
    rows: str
    classes: str
    split: str
    leakage: str
    max_rejected_share: float
    min_split_rows: int
    min_minority_share: float
    split_tolerance: float
    train_share: float
    """Share of the rows that the split train should have."""


@dataclasses.dataclass
class Finding:
    """One rule, judged in one place."""

    rule: str
    """Its key in the policy."""
    where: str
    """Split, feature or both."""
    bound: str
    """What was asked, for a person."""
    observed: Any
    kept: bool | None
    """None: not judged."""
    detail: str = ""
    """What was compared, and what a broken rule means."""
    examples: list[str] = dataclasses.field(default_factory=list)
    """Masked on request."""
    outcome: str = ""
    """`kept`, `warn`, `fail`, `off` or `not judged`; set by `apply_policy`."""


def apply_policy(findings: list[Finding], policy: Policy) -> list[Finding]:
    """Says of each finding what follows from it."""
    applied = []
    for one in findings:
        action = policy.action(one.rule)
        outcome = OFF if action == OFF else {None: NOT_JUDGED, True: KEPT, False: action}[one.kept]
        applied.append(dataclasses.replace(one, outcome=outcome))
    return applied


def mask(text: str) -> str:
    """A text's shape without its words: letters become x or X, digits 0."""
    return re.sub(r"\d", "0", "".join(("X" if one.isupper() else "x") if one.isalpha() else one for one in text))
