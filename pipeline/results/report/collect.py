"""Collects the facts of a run, for `facts.json`."""

from __future__ import annotations

import hashlib
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from components.data_gate.policy import mask
from pipeline.results.report.changes import describe_changes, flatten
from pipeline.results.report.facts import Code, Facts, Lineage, MadeArtifact, Previous
from pipeline.results.run_folders import CONFIG_FILE
from pipeline.results.verdict import Settings, Verdict

if TYPE_CHECKING:
    from pipeline.results.lineage import Outputs

_PACKAGE = "clickbait-tfx"


def collect_facts(
    verdict: Verdict,
    outputs: Outputs,
    config: str | None = None,
    earlier: Sequence[Verdict] | None = None,
) -> Facts:
    """Collects the facts that configuration, verdicts and artifacts hold, as many as there are.

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
    if not outputs:
        return facts  # without the seconds of importing TFX, where a run ended before it
    from pipeline.results.report import artifacts

    if model := outputs.get("Trainer", {}).get("model"):
        facts = replace(facts, model_bytes=artifacts.model_bytes(model))
    if statistics := outputs.get("StatisticsGen", {}).get("statistics"):
        facts = replace(facts, statistics=artifacts.statistics_facts(statistics))
    if predictions := outputs.get("ModelScorer", {}).get("predictions"):
        curves, label_errors = artifacts.score_facts(predictions, shown)
        challenges = artifacts.challenge_facts(predictions, shown)
        facts = replace(facts, curves=curves, label_errors=label_errors, challenges=challenges)
    if explanations := outputs.get("ModelScorer", {}).get("explanations"):
        facts = replace(facts, errors=artifacts.explanation_facts(explanations, shown))
    return facts


def code_version() -> Code:
    """Returns the package's version and the commit."""
    return Code(f"{_PACKAGE} {metadata.version(_PACKAGE)}", _commit())


def cpu_seconds() -> float:
    """Returns the CPU seconds of this process, and of those that it started and waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return round(sum(usage.ru_utime + usage.ru_stime for usage in used), 1)


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
