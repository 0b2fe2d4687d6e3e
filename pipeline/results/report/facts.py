"""The facts of a run that its verdict does not hold, for `facts.json`: after the run no artifact is read again."""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import yaml
from pydantic import Field
from pydantic.dataclasses import dataclass

from components.data_gate.policy import mask
from components.recorded import KEEPS_UNKNOWN, Recorded
from pipeline.results.report import artifacts
from pipeline.results.report.artifacts import ExplainedError, LabelError, SplitStatistics
from pipeline.results.report.changes import Change, describe_changes, flatten
from pipeline.results.report.curves import Curves
from pipeline.results.run_folders import CONFIG_FILE, OutputError
from pipeline.results.verdict import Settings, Verdict
from serving.whole_file import write_whole

if TYPE_CHECKING:
    from pipeline.results.lineage import Outputs

FACTS_FILE = "facts.json"

_PACKAGE = "clickbait-tfx"


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
    """What a model is made of, beside what the verdict says."""

    code: Code | None
    config_sha256: str | None
    artifacts: list[MadeArtifact]


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Previous(Recorded):
    """The last blessed run, and what has changed since."""

    run_id: str
    changes: list[Change]


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
    compared: Annotated[bool, Field(exclude=True)] = True
    """Whether the earlier runs were at hand; is not in the file."""


def collect_facts(
    verdict: Verdict,
    outputs: Outputs,
    config: str | None = None,
    earlier: Sequence[Verdict] | None = None,
) -> Facts:
    """What the artifacts tell, as much as there is.

    Args:
      verdict: of the run, see `pipeline.running.outcome`.
      outputs: of the run, see `pipeline.results.lineage`.
      config: the run's configuration, YAML.
      earlier: the verdicts of the runs before it, oldest first, see `pipeline.results.run_folders`; none where they
        are not at hand.
    """
    shown = mask if (verdict.gate_policy or {}).get("mask_examples") else str
    settings = flatten(yaml.safe_load(config)) if config else {}
    made = [
        MadeArtifact(node, key, artifact.uri, artifact.id, artifact.type)
        for node, by_key in outputs.items()
        for key, artifact in by_key.items()
        if artifact.id
    ]
    digest = f"sha256:{hashlib.sha256(config.encode()).hexdigest()}" if config else None
    facts = Facts(
        settings,
        lineage=Lineage(code_version(), digest, made),
        previous=_previous(verdict, settings, earlier or ()),
        compared=earlier is not None,
    )
    if model := outputs.get("Trainer", {}).get("model"):
        facts = replace(facts, model_bytes=artifacts.model_bytes(model))
    if statistics := outputs.get("StatisticsGen", {}).get("statistics"):
        facts = replace(facts, statistics=artifacts.statistics_facts(statistics))
    if predictions := outputs.get("ModelScorer", {}).get("predictions"):
        curves, label_errors = artifacts.score_facts(predictions, shown)
        facts = replace(facts, curves=curves, label_errors=label_errors)
    if explanations := outputs.get("ModelScorer", {}).get("explanations"):
        facts = replace(facts, errors=artifacts.explanation_facts(explanations, shown))
    return facts


def code_version() -> Code:
    """Reads them."""
    return Code(f"{_PACKAGE} {metadata.version(_PACKAGE)}", _commit())


def cpu_seconds() -> float:
    """What this process and those that it started and waited for have computed so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return round(sum(one.ru_utime + one.ru_stime for one in used), 1)


def write_facts(folder: Path, facts: Facts) -> None:
    """Lays them into the run folder, whole or not at all."""
    write_whole(folder / FACTS_FILE, json.dumps(facts.as_dict(), ensure_ascii=False) + "\n")


def read_facts(folder: Path) -> Facts:
    """Those of a run; none of one that was made before there were any, or has been interrupted.

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
            f"The facts of a run are an object in JSON. Received: {file}, which is none. Take it away: the page is "
            "then made of the verdict alone."
        ) from None


def _previous(verdict: Verdict, settings: Settings, earlier: Sequence[Verdict]) -> Previous | None:
    for run in reversed(earlier):
        if run.blessed and run.pushed:
            file = Path(run.folder, CONFIG_FILE)
            before = flatten(yaml.safe_load(file.read_text(encoding="utf-8"))) if file.is_file() else {}
            return Previous(run.run_id, describe_changes(run, before, verdict, settings))
    return None


def _commit() -> str | None:
    root = Path(__file__).parents[3]
    if not (root / ".git").exists() or not shutil.which("git"):
        return None
    found = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True
    )
    return found.stdout.strip() or None
