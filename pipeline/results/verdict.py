"""`verdict.json`: the results of a run, as one typed record; read and written here alone. No TensorFlow.

Results that a run did not get to are None, and no keys of the file. Each part that a component writes is that
component's own type. Keys that this version does not know are kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Annotated

from pydantic import Field, JsonValue, SerializerFunctionWrapHandler, model_serializer
from pydantic.dataclasses import dataclass

from components.data_gate.policy import GateVerdict
from components.evaluator.policy import EvaluationConfig
from components.evaluator.results import BehaviourResult, Challenge, Evaluation, Judgement, MeasuredSlice
from components.local_infra_validator.policy import InfraVerdict
from components.recorded import KEEPS_UNKNOWN, Recorded
from data.fetch import CSV_SHA256
from serving.whole_file import write_whole
from trainer.features import EVAL_SPLIT

VERDICT_FILE = "verdict.json"
SCHEMA_VERSION = 2
"""1 had rules for all rows as they are alone, see `Judgement`."""

Settings = Mapping[str, JsonValue]
"""As they were recorded: other versions had others."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Data(Recorded):
    """Where the rows came from. Further keys are the settings of the section `data`, see `setting`."""

    origin: str = ""
    """`given`, `fetched` or `sample`."""
    description: str = ""
    """For people."""
    files: Sequence[str] = ()
    sha256: str | None = None
    """Of the rows, and of the answers where there are any."""
    label_fixes: str | None = None
    """Where the answers came from that stand for labels."""
    label_fixes_sha256: str | None = None
    schema_sha256: str | None = None

    def setting(self, name: str) -> JsonValue:
        """Returns a setting or digest by its name; None where the run had no such setting."""
        value: JsonValue = vars(self).get(name)
        return value


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Encoder(Recorded):
    """The text encoder."""

    source: str
    fine_tuned: bool
    digest: str | None = None
    dimension: int | None = None
    """Of its vectors."""
    parameters: int | None = None
    """How many weights it has."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN, kw_only=True)
class LabelFixes(Recorded):
    """What the answers of `data.label_fixes` did."""

    answers: int
    """Titles that have one."""
    answered: int
    """Rows with such a title."""
    relabelled: int
    """Those of them that had another label."""
    absent: int
    """Titles that no row has."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN, kw_only=True)
class Ingest(Recorded):
    """Counts of rows: read = accepted + duplicates + rejected."""

    read: int
    accepted: int
    duplicates: int
    in_eval: int | None = None
    """Rows of train whose title is in eval, too, among the duplicates."""
    rejected: int
    rejected_lines: int | None = None
    """Which the rejected rows span."""
    left_out: int | None = None
    """By `data.limit_rows`, among the accepted."""
    rejected_by_rule: dict[str, int]
    label_fixes: LabelFixes | None = None


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class SplitRows(Recorded):
    """Counts of a split's rows."""

    rows: int
    clickbait: int


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Trial(Recorded):
    """A recipe that the Tuner tried on a part of the rows."""

    trial_id: str
    score: float
    """The loss."""
    learning_rate: float
    epochs: int
    casing: str
    batch_size: int
    candidate: int
    """Number of the recipe."""
    part: int
    """One of so many parts of the rows."""
    best: bool


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class WarmStart(Recorded):
    """The metrics of the last blessed model's weights on the validated rows, before the first step."""

    val_loss: float
    val_accuracy: float


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class HeldOutTrial(Recorded):
    """A training of the Trainer on the rows that it did not hold out."""

    learning_rate: float | None
    """None: the encoder stayed as it is, under a dense layer that was fitted to its vectors."""
    epochs: int
    encoder_loss: float
    """Binary cross-entropy of the rows held out of all trials, each as it is and lower-cased."""
    loss: float
    """The same with the words, where they take part."""
    blend: Mapping[str, float] | None
    """The weights of the logits of `encoder` and `words`, and the `bias`."""
    seconds: float
    chosen: bool = False


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class HeldOutChoice(Recorded):
    """What the Trainer chose on rows held out of the training split."""

    held_out_rows: int
    words_loss: float | None
    trials: Sequence[HeldOutTrial]

    @property
    def best(self) -> HeldOutTrial:
        """The chosen trial; of older runs, which do not say it, that with the least loss."""
        return min(self.trials, key=lambda trial: (not trial.chosen, trial.loss))


@dataclass(frozen=True, config=KEEPS_UNKNOWN, kw_only=True)
class Training(Recorded):
    """The Trainer's history."""

    settings: Settings
    """By which the model was trained."""
    asked: Settings | None = None
    """Of the configuration; a search may have found others."""
    warm_start: WarmStart | None = field(default_factory=type(None))
    choice: HeldOutChoice | None = None
    train_rows: int
    steps: int
    trainable_parameters: int
    fit_seconds: float
    epochs: Mapping[str, Sequence[float]] | None = None
    """The metrics by their names, a value after each epoch."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Pushed(Recorded):
    """The version that is this model."""

    version: int
    path: str
    """Folder or URL."""
    new: bool
    """Whether it was pushed by this run."""
    confirmed_by: str | None = field(default_factory=type(None))
    """The server that confirmed that it serves it."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Bulk(Recorded):
    """Texts that were scored."""

    file: str
    rows: int
    path: str
    """Folder of the scores."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Timing(Recorded):
    """How a component ended, and how long it took."""

    status: str
    seconds: float


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Cause(Recorded):
    """Why data was refused or a model is not blessed, and what to do."""

    name: str
    """Such as `overfitted`; those of `pipeline.results.diagnosis`."""
    detail: str
    """The figures that it goes by, for people."""
    step: str
    """The one that fits, for people; begins with a command where there is one."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Tracked(Recorded):
    """The run in a tracker."""

    uri: str
    """Of MLflow's store or server."""
    run: str | None
    """MLflow's id of it; None where it could not be opened."""
    problem: str = ""
    """Why it is not logged, or not whole; for people."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN, kw_only=True)
class Verdict(Recorded):
    """The results of a run."""

    schema_version: int | None = None
    run_id: str
    started_at: str | None = None
    """ISO 8601, UTC."""
    status: str
    """`running`, `done`, `pushed`, `unchanged`, `rolled back`, `not blessed`, `infra not blessed`, `refused`,
    `interrupted` or `failed`; `damaged` where the file cannot be read."""
    preset: str | None = None
    data: Data | None = None
    gate_policy: Settings | None = None
    evaluation_policy: Settings | None = None
    tuner_policy: Settings | None = None
    infra_policy: Settings | None = None
    encoder: Encoder | None = None
    rehearsal: Settings | None = None
    """How it was rehearsed; None: it was no rehearsal."""
    ingest: Ingest | None = None
    rows: Mapping[str, SplitRows] | None = None
    """By split."""
    gate: GateVerdict | None = None
    tuning: Sequence[Trial] = ()
    training: Training | None = None
    exit_code: int | None = None
    reason: str = ""
    """Of the status, for people."""
    cause: Cause | None = None
    """Of data that was refused and of a model that is not blessed."""
    baseline_version: str | None = None
    """The last blessed model's, which this one was compared with."""
    thresholds: Sequence[Judgement] = ()
    """Every rule for the model."""
    evaluation: Evaluation | None = None
    behaviours: Sequence[BehaviourResult] = ()
    """The cases of `evaluation.behaviours` that passed and failed, by group."""
    challenges: Sequence[Challenge] = ()
    """What the models are worth on texts from elsewhere."""
    infra: InfraVerdict | None = None
    blessed: bool | None = None
    pushed: Pushed | None = None
    """The file has null where a model was judged and is in no version."""
    bulk: Bulk | None = None
    tracked: Tracked | None = None
    """Of a run with `tracking.mlflow_uri`."""
    components: Mapping[str, Timing] | None = None
    """In the order in which they ran."""
    seconds: float | None = None
    folder: Annotated[str, Field(exclude=True)] = ""
    """The run's; is not in the file."""

    @property
    def failed_rules(self) -> list[Judgement]:
        """The rules for which the model is not blessed."""
        return [judged for judged in self.thresholds if judged.refuses]

    @property
    def of_other_data(self) -> bool:
        """Whether the data is not Stop Clickbait, which the article's thresholds are for, nor the sample like it."""
        data = self.data or Data()
        return data.origin not in ("fetched", "sample") and data.sha256 != f"sha256:{CSV_SHA256}"

    @property
    def by_article(self) -> bool:
        """Whether other data was judged by the article's thresholds, because no others were given."""
        policy, article = self.evaluation_policy or {}, EvaluationConfig()
        names = ("min_eval_accuracy", "min_train_accuracy", "min_eval_auc")
        given = any(policy.get(name) != getattr(article, name) for name in names)
        return self.preset == "default" and self.of_other_data and not given

    def accuracy_on(self, split: str) -> float | None:
        """Returns the accuracy on all rows of a split as they are; of verdicts of schema 1, too."""
        if self.evaluation and (part := self.evaluation.overall(split)):
            return part.accuracy.value
        rules = (judged for judged in self.thresholds if (judged.split, judged.rule) == (split, "accuracy"))
        return next((judged.observed for judged in rules), None)

    @property
    def evaluated(self) -> list[MeasuredSlice]:
        """The slices of the evaluation rows."""
        slices = self.evaluation.slices if self.evaluation else []
        return [part for part in slices if part.split == EVAL_SPLIT]

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, JsonValue]:
        written = super()._written(handler)
        if self.blessed is None or self.pushed is not None:
            return written
        names = [*written]
        place = names.index("blessed") + 1
        head, rest = names[:place], names[place:]
        return {**{name: written[name] for name in head}, "pushed": None, **{name: written[name] for name in rest}}


def write_verdict(folder: Path, verdict: Verdict) -> None:
    """Writes `verdict.json`, whole or not at all."""
    write_whole(folder / VERDICT_FILE, json.dumps(verdict.as_dict(), indent=2, ensure_ascii=False) + "\n")


def read_verdict(folder: Path) -> Verdict:
    """Reads `verdict.json`; a run that left none is `interrupted`, one whose file is no verdict `damaged`."""
    file = folder / VERDICT_FILE
    try:
        verdict = Verdict.from_json(file.read_bytes())
    except FileNotFoundError:
        verdict = Verdict(run_id="", status="interrupted", reason="the run left no verdict")
    except (OSError, ValueError):
        verdict = Verdict(run_id="", status="damaged", reason=f"{file} is no verdict")
    # A folder that was renamed is another run. `dataclasses.replace` would leave out keys that are unknown.
    object.__setattr__(verdict, "run_id", folder.name)
    object.__setattr__(verdict, "folder", str(folder))
    return verdict
