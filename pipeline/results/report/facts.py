"""`facts.json`: the facts of a report that are not in the verdict. After the run no artifact is read again."""

from __future__ import annotations

import json
from dataclasses import field
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from components.recorded import KEEPS_UNKNOWN, Recorded
from pipeline.results.report.changes import Change
from pipeline.results.report.curves import Bin, Curve, Curves
from pipeline.results.run_folders import OutputError
from pipeline.results.verdict import Settings
from serving.whole_file import write_whole

FACTS_FILE = "facts.json"
LIKELY_LABEL_ERRORS = 30
"""At most."""
CHALLENGE_ERRORS = 20
"""At most, of each challenge."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Code(Recorded):
    """The package's version, and the commit where it runs from a checkout."""

    package: str
    commit: str | None


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class MadeArtifact(Recorded):
    """An artifact in ML Metadata."""

    node: str
    output: str
    uri: str
    id: int
    type: str


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Lineage(Recorded):
    """The inputs of a model that are not in the verdict."""

    code: Code | None
    config_sha256: str | None
    artifacts: list[MadeArtifact]


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Previous(Recorded):
    """The last blessed run, and what has changed since."""

    run_id: str
    changes: list[Change]


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Lengths(Recorded):
    """Of titles, in characters."""

    mean: float
    median: float
    min: float
    max: float
    histogram: list[tuple[float, float, float]]
    """From, to, and the share of the titles."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class SplitStatistics(Recorded):
    """Of a split's rows; what there are no statistics of is None."""

    rows: int
    labels: dict[str, float] | None = None
    """The share of each."""
    casings: dict[str, float] | None = None
    title_characters: Lengths | None = None


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class LabelError(Recorded):
    """A row on which all models are sure that the label is the other one."""

    title: str
    label: int
    scores: dict[str, float]
    """By model."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Word(Recorded):
    """The probability of a title less that of the title without the word; None where that is no number."""

    word: str
    effect: float | None


@dataclass(frozen=True, config=KEEPS_UNKNOWN, kw_only=True)
class ExplainedError(Recorded):
    """See `components.model_scorer.explanations`."""

    row: int | None = None
    title: str
    label: int | None = None
    probability: float | None = None
    others: dict[str, float | None] | None = None
    words: list[Word]
    words_left: int


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class ChallengeFacts(Recorded):
    """The scores of a challenge's texts as they are; their metrics are in the verdict."""

    name: str
    roc: dict[str, Curve]
    """As `Curves.roc`."""
    reliability: list[Bin] | None
    """As `Curves.reliability`."""
    errors: list[ExplainedError]
    """The most confident ones, without the effects of words; long texts are cut."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Facts(Recorded):
    """`facts.json`; what there was no artifact of is None."""

    settings: Settings = field(default_factory=dict)
    """By their dotted names."""
    cpu_seconds: float | None = field(default_factory=type(None))
    """Of the whole run."""
    lineage: Lineage = field(default_factory=lambda: Lineage(None, None, []))
    previous: Previous | None = field(default_factory=type(None))
    model_bytes: int | None = None
    """Of the exported SavedModel."""
    statistics: dict[str, SplitStatistics] | None = None
    """By split."""
    curves: Curves | None = None
    label_errors: list[LabelError] | None = None
    errors: list[ExplainedError] | None = None
    """The most confident ones."""
    challenges: list[ChallengeFacts] | None = None
    compared: Annotated[bool, Field(exclude=True)] = True
    """Whether the earlier runs were at hand; is not in the file."""


def write_facts(folder: Path, facts: Facts) -> None:
    """Writes the facts into the run folder, whole or not at all."""
    write_whole(folder / FACTS_FILE, json.dumps(facts.as_dict(), ensure_ascii=False) + "\n")


def read_facts(folder: Path) -> Facts:
    """Reads a run's facts; there are none where an older version made it, or it was interrupted.

    Raises:
      OutputError: the file holds something else.
    """
    file = folder / FACTS_FILE
    if not file.is_file():
        return Facts(compared=False)
    try:
        return Facts.from_dict(json.loads(file.read_text(encoding="utf-8")))
    except ValueError:
        raise OutputError(
            f"The facts of a run must be a JSON object. Received: {file}, which is none. Remove it: the page is then "
            "made from the verdict alone."
        ) from None
