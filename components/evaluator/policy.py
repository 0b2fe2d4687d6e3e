"""What a model must reach to be blessed, and what is found."""

from __future__ import annotations

import dataclasses
from typing import Any

from components.variant_example_gen.slices import LENGTH, LENGTHS, SAYS_YOU, STARTS_WITH_DIGIT

KEPT, BROKEN, NOT_JUDGED = "kept", "broken", "not judged"
LEAST, MOST = ">=", "<="

#: Bounds that a run may be told when it starts, as runtime parameters.
BOUNDS = ("min_eval_accuracy", "min_eval_auc", "max_accuracy_drop", "min_train_accuracy")

#: A natural slice: a feature of the variants' examples and its values.
NATURAL_SLICES = {STARTS_WITH_DIGIT: ("yes", "no"), SAYS_YOU: ("yes", "no"), LENGTH: LENGTHS}


@dataclasses.dataclass(frozen=True)
class EvaluationPolicy:
    """The configuration's section `evaluation`; see there."""

    min_eval_accuracy: float
    min_train_accuracy: float
    min_eval_auc: float
    max_accuracy_drop: float
    min_eval_precision: float | None
    min_eval_recall: float | None
    max_eval_ece: float | None
    max_eval_brier: float | None
    max_variant_drop: dict[str, float]
    gated_variants: list[str]
    min_slice_accuracy: dict[str, float]
    gate_baseline: bool
    min_slice_rows: int
    wanted_precision: float | None
    bless_anyway: str | None

    def allowed_drop(self, variant: str) -> float:
        """How far a variant's accuracy may lie below that of the rows as they are."""
        return self.max_variant_drop.get(variant, self.max_variant_drop["default"])


@dataclasses.dataclass(frozen=True)
class Slice:
    """What was measured on some rows."""

    split: str
    key: dict[str, str]
    """Empty: the rows as they are; else one feature, e.g. `{"variant": "lower"}`."""
    metrics: dict[str, float]
    """By the names of `measures`."""


@dataclasses.dataclass(frozen=True)
class Judgement:
    """One rule on one slice."""

    rule: str
    split: str
    slice: dict[str, str]
    """As `Slice.key`."""
    metric: str
    against: str
    """`bound`, or what the value is a difference to."""
    bound: float
    direction: str
    observed: float | None
    interval: list[float] | None
    """Both ends, 95 %."""
    rows: int
    outcome: str
    gates: bool
    """Whether a model that breaks it is not blessed."""
    detail: str = ""

    @property
    def passed(self) -> bool:
        """A rule that is not judged is not broken."""
        return self.outcome != BROKEN

    @property
    def refuses(self) -> bool:
        """Whether the model is not blessed for it."""
        return self.gates and not self.passed

    def as_dict(self) -> dict[str, Any]:
        """For `verdict.json`."""
        return {**dataclasses.asdict(self), "passed": self.passed}
