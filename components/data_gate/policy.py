"""What the gate judges by, and what it finds."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal, Protocol

from pydantic import Field
from pydantic.dataclasses import dataclass

from components.recorded import KEEPS_UNKNOWN, Recorded
from trainer.section import Section

FAIL, WARN, OFF = "fail", "warn", "off"
PASSED, NOT_JUDGED = "kept", "not judged"  # as verdicts hold them

Action = Literal["fail", "warn", "off"]
"""What happens when a rule is broken: it stops the run, is said, or is not looked at."""


class Policy(Protocol):
    """What statistics are compared by; has a field for each rule, of type `Action`."""

    @property
    def min_compared_rows(self) -> int:
        """Least rows on each side."""

    @property
    def mask_examples(self) -> bool:
        """Whether findings show words as xxx and 000."""


class GateConfig(Section):
    """What data must keep to be trained on; each rule stops the run (`fail`), is said (`warn`), or is `off`."""

    rejects: Action = Field("fail", description="At most max_rejected_share of the rows are set aside.")
    schema_errors: Action = Field("fail", description="ExampleValidator finds no anomaly that it calls an error.")
    schema_warnings: Action = Field("warn", description="ExampleValidator finds no anomaly that it calls a warning.")
    rows: Action = Field("fail", description="Each split has min_split_rows.")
    classes: Action = Field("fail", description="Each split has both classes, the smaller min_minority_share.")
    split: Action = Field("fail", description="The splits have the shares asked for, within split_tolerance.")
    leakage: Action = Field("fail", description="No title is in both splits.")
    drift: Action = Field("fail", description="The train split is like the last accepted one (bounds: the schema).")
    skew: Action = Field("fail", description="The evaluation split is like the train split (bounds: the schema).")
    max_rejected_share: float = Field(0.01, ge=0, le=1, description="Of all rows, as a share from 0 to 1.")
    min_split_rows: int = Field(50, ge=1, description="Least rows of each split.")
    min_minority_share: float = Field(
        0.05, ge=0, le=0.5, description="Least share of the smaller class in each split, from 0 to 0.5."
    )
    split_tolerance: float = Field(
        0.02,
        ge=0,
        le=1,
        description="How far train's share may be from train_buckets / (train_buckets + eval_buckets), beyond what "
        "chance does to so few rows, as a share from 0 to 1.",
    )
    min_compared_rows: int = Field(
        300, ge=1, description="Least rows on each side to judge drift or skew by; fewer differ by chance."
    )
    mask_examples: bool = Field(
        False, description="Show the examples of findings as xxx and 000; rejects.csv always has the text."
    )


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Finding(Recorded):
    """One rule, judged in one place."""

    rule: str
    """Its key in the policy."""
    where: str
    """Split, feature or both."""
    bound: str
    """What was asked, for a person."""
    observed: str | int | float
    kept: bool | None
    """None: not judged."""
    detail: str = ""
    """What was compared, and what a broken rule means."""
    examples: list[str] = dataclasses.field(default_factory=list)
    """Masked on request."""
    outcome: str = ""
    """`kept`, `warn`, `fail`, `off` or `not judged`; set by `apply_policy`."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class GateVerdict(Recorded):
    """Whether data may be trained on, and what was found in it."""

    accepted: bool
    findings: list[Finding]


def apply_policy(findings: list[Finding], policy: Policy) -> list[Finding]:
    """Says of each finding what follows from it."""
    applied = []
    for one in findings:
        action = getattr(policy, one.rule)
        outcome = OFF if action == OFF else {None: NOT_JUDGED, True: PASSED, False: action}[one.kept]
        applied.append(dataclasses.replace(one, outcome=outcome))
    return applied


def shown(text: str, policy: Policy) -> str:
    """A text of the data as findings may show it."""
    return mask(text) if policy.mask_examples else text


def mask(text: str) -> str:
    """A text's shape without its words: letters become x or X, digits 0."""
    return re.sub(r"\d", "0", "".join(("X" if one.isupper() else "x") if one.isalpha() else one for one in text))
