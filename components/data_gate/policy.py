"""The gate's settings and findings."""

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
"""What a failed rule does: it stops the run, warns, or is not checked."""


class Policy(Protocol):
    """The settings that statistics are compared by; also has a field of type `Action` for each rule."""

    @property
    def min_compared_rows(self) -> int:
        """Least rows on each side."""

    @property
    def mask_examples(self) -> bool:
        """Whether findings show words as xxx and 000."""


class GateConfig(Section):
    """The rules that data must pass to be trained on; a failed rule stops the run (`fail`) or only warns (`warn`)."""

    rejects: Action = Field("fail", description="At most max_rejected_share of the rows are rejected.")
    schema_errors: Action = Field("fail", description="ExampleValidator finds no anomaly that it calls an error.")
    schema_warnings: Action = Field("warn", description="ExampleValidator finds no anomaly that it calls a warning.")
    rows: Action = Field("fail", description="Each split has min_split_rows.")
    classes: Action = Field("fail", description="Each split has both classes, the smaller min_minority_share.")
    split: Action = Field("fail", description="The splits have the configured shares, within split_tolerance.")
    leakage: Action = Field("fail", description="No title is in both splits.")
    label_fixes: Action = Field("warn", description="Each title with an answer in data.label_fixes is in the data.")
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
    """One rule, judged for one split or feature."""

    rule: str
    """Its key in the policy."""
    where: str
    """Split, feature or both."""
    bound: str
    """The threshold, for people."""
    observed: str | int | float
    kept: bool | None
    """None: not judged."""
    detail: str = ""
    """What was compared, and what a failed rule means."""
    examples: list[str] = dataclasses.field(default_factory=list)
    """Masked on request."""
    outcome: str = ""
    """`kept`, `warn`, `fail`, `off` or `not judged`; set by `apply_policy`."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class GateVerdict(Recorded):
    """Whether data may be trained on, with the findings."""

    accepted: bool
    findings: list[Finding]


def apply_policy(findings: list[Finding], policy: Policy) -> list[Finding]:
    """Returns the findings with the outcome that follows from each."""
    applied = []
    for finding in findings:
        action = getattr(policy, finding.rule)
        outcome = OFF if action == OFF else {None: NOT_JUDGED, True: PASSED, False: action}[finding.kept]
        applied.append(dataclasses.replace(finding, outcome=outcome))
    return applied


def shown(text: str, policy: Policy) -> str:
    """Returns a text of the data as findings may show it, masked on request."""
    return mask(text) if policy.mask_examples else text


def mask(text: str) -> str:
    """Returns a text's shape without its words: letters become x or X, digits 0."""
    return re.sub(r"\d", "0", "".join(("X" if sign.isupper() else "x") if sign.isalpha() else sign for sign in text))
