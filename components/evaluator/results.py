"""The results of an evaluation, as the Evaluator writes and a run's verdict reads them. Light: no numpy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from pydantic import JsonValue, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic.dataclasses import dataclass

from components.challenges import ChallengeRows
from components.recorded import KEEPS_UNKNOWN, Recorded
from components.slices import NATURAL_SLICES, VARIANT

PASSED, FAILED, NOT_JUDGED = "kept", "broken", "not judged"  # as files hold them since schema 1
LEAST, MOST = ">=", "<="
BOUND = "bound"
CONFUSION = ("true_negatives", "false_positives", "false_negatives", "true_positives")


VERDICT_FILE = "verdict.json"
METRIC_NAMES = {
    "binary_accuracy": "accuracy",
    "auc": "AUC",
    "ece": "ECE",
    "brier": "Brier score",
    "non_finite": "scores that are no numbers",
    "passed": "cases that passed",
}
"""The metrics' names in messages."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Judgement(Recorded):
    """One rule on one slice."""

    rule: str
    split: str
    slice: dict[str, str]
    """As `MeasuredSlice.slice`."""
    metric: str
    against: str
    """`bound`, or the name of what the value is a difference to."""
    bound: float
    direction: str
    observed: float | None
    interval: list[float] | None
    """Both ends, 95 %."""
    rows: int | None
    """None in verdicts of schema 1."""
    outcome: str
    gates: bool
    """Whether a model that fails it is not blessed."""
    detail: str
    passed: bool
    """A rule that is not judged counts as passed."""

    @property
    def refuses(self) -> bool:
        """Whether the model is not blessed for it."""
        return self.gates and not self.passed

    @property
    def variant(self) -> str | None:
        """The variant that it judges, if any."""
        return self.slice.get(VARIANT)

    @model_validator(mode="before")
    @classmethod
    def _of_schema_1(cls, values: object) -> object:
        """Reads schema 1, where each rule was for all rows as they are, and gated."""
        if not isinstance(values, Mapping) or "rule" in values or "passed" not in values:
            return values
        general = "auc" if values.get("metric") == "auc" else "accuracy"
        return {
            "rule": general if values.get("against") == BOUND else "last_blessed",
            "slice": {},
            "direction": LEAST,
            "interval": None,
            "rows": None,
            "outcome": PASSED if values["passed"] else FAILED,
            "gates": True,
            "detail": "",
            **values,
        }


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Metric(Recorded):
    """A value, None where it is no number, and both ends of its 95 % interval, where it has one."""

    value: float | None
    interval: list[float | None] | None


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Contender(Recorded):
    """The metrics of a model that the candidate is compared with."""

    binary_accuracy: float | None
    auc: float | None


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class MeasuredSlice(Recorded):
    """The metrics of a slice."""

    split: str
    slice: dict[str, str]
    """Empty: the rows as they are; else one feature, e.g. `{"variant": "lower"}`. The file has it as keys, too."""
    rows: int
    metrics: dict[str, Metric]
    """By the names of `measures`."""
    contenders: dict[str, Contender]

    @property
    def accuracy(self) -> Metric:
        """The candidate's."""
        return self.metrics["binary_accuracy"]

    @property
    def confusion(self) -> list[list[int]]:
        """The counts of rows by label, and in each by predicted label; news first."""
        counts = [int(self.metrics[name].value or 0) for name in CONFUSION]
        return [counts[:2], counts[2:]]

    @property
    def variant(self) -> str | None:
        """The variant, if it is one."""
        return self.slice.get(VARIANT)

    @property
    def column(self) -> str | None:
        """The column of `data.slice_columns` that it is a value of, if any."""
        return next((name for name in self.slice if name not in (VARIANT, *NATURAL_SLICES)), None)

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, JsonValue]:
        return {"split": self.split, **self.slice, **super()._written(handler)}


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class OperatingThreshold(Recorded):
    """The least score from which on the precision is the wanted one; None where there is none."""

    wanted_precision: float
    threshold: float | None
    precision: float | None
    recall: float | None


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Override(Recorded):
    """Why a model is pushed although it fails rules."""

    reason: str


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class SliceColumn(Recorded):
    """A column of `data.slice_columns` on the evaluation rows."""

    column: str
    values: int
    """How many it has, the missing one included."""
    together: int
    """How many of them are in the slice `(other)`."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Evaluation(Recorded):
    """All metrics of an evaluation."""

    contenders: dict[str, Contender]
    """On the evaluation rows as they are."""
    slices: list[MeasuredSlice]
    operating_threshold: OperatingThreshold | None = field(default_factory=type(None))
    override: Override | None = field(default_factory=type(None))
    slice_columns: Sequence[SliceColumn] = ()

    def overall(self, split: str) -> MeasuredSlice | None:
        """Returns the slice of all rows of a split as they are; None where there is none."""
        return next((part for part in self.slices if part.split == split and not part.slice), None)


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class BehaviourCase(Recorded):
    """A title or a pair of titles, with the candidate's scores; None for one that is no number."""

    titles: list[str]
    scores: list[float | None]


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class BehaviourResult(Recorded):
    """The cases of a group of `evaluation.behaviours`."""

    group: str
    expected: str
    """`clickbait` or `news`, the class of single titles; `must not fall` or `must not rise`, the scores of pairs."""
    tolerance: float | None
    """Of the scores of a pair."""
    cases: int
    passed: int
    failed: list[BehaviourCase]


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class AtShare(Recorded):
    """Metrics at the threshold that about as many rows reach as are clickbait."""

    threshold: float
    """A score of at least that is clickbait."""
    accuracy: Metric
    precision: Metric
    recall: Metric


@dataclass(frozen=True, config=KEEPS_UNKNOWN, kw_only=True)
class ChallengeFigures(Recorded):
    """Metrics of a challenge's rows, by model: `model`, `last_blessed`, `linear_lower`, as far as there are scores.

    A value is None where a score is no number, and where the rows allow no such metric.
    """

    auc: dict[str, Metric]
    """None where all rows are of one class."""
    accuracy: dict[str, Metric]
    """At a threshold of 0.5."""
    accuracy_at_share: dict[str, AtShare | None]
    """None where all rows are of one class."""
    ece: dict[str, Metric]
    """Without interval."""
    brier: dict[str, Metric]
    non_finite: dict[str, int]
    """How many scores are no numbers."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN, kw_only=True)
class LowerFigures(ChallengeFigures):
    """The metrics of a challenge's texts in lower case."""

    rows: int | None = None
    """How many of the challenge's texts were scored so; None in verdicts that do not say it."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN, kw_only=True)
class ChallengeSlice(ChallengeFigures):
    """The metrics of a challenge's rows, as they are, with one value of a column."""

    column: str
    value: str
    rows: int
    clickbait_share: float
    together: int | None = None
    """How many values the slice `(other)` has; None for another slice."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN, kw_only=True)
class Challenge(ChallengeFigures, ChallengeRows):
    """The metrics of labelled texts from elsewhere, as they are."""

    clickbait_share: float | None
    """None without rows."""
    lower: LowerFigures
    """The same of the texts in lower case."""
    findings: list[str]
    """What the figures cannot show, such as `all rows are clickbait: there is no AUC`; for people."""
    slices: Sequence[ChallengeSlice] = ()
    """By column, in each the most frequent value first."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class EvaluationVerdict(Recorded):
    """The Evaluator's `verdict.json`."""

    blessed: bool
    thresholds: list[Judgement]
    evaluation: Evaluation
    behaviours: Sequence[BehaviourResult] = ()
    """By group; empty without cases."""
    challenges: Sequence[Challenge] = ()


def write_verdict(folder: str | Path, verdict: EvaluationVerdict) -> None:
    """Writes `verdict.json` into the folder of a ModelEvaluation."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    text = json.dumps(verdict.as_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    Path(folder, VERDICT_FILE).write_text(text, encoding="utf-8")


def read_verdict(folder: str | Path) -> EvaluationVerdict:
    """Reads what `write_verdict` wrote."""
    return EvaluationVerdict.from_dict(json.loads(Path(folder, VERDICT_FILE).read_text(encoding="utf-8")))
