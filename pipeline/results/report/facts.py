"""The facts of a run that its verdict does not hold, for `facts.json`: after the run no artifact is read again."""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from components.data_gate.policy import mask
from pipeline.results.report import artifacts
from pipeline.results.report.changes import describe_changes, flatten
from pipeline.results.run_folders import CONFIG_FILE, OutputError
from serving.whole_file import write_whole

if TYPE_CHECKING:
    from pipeline.results.lineage import Outputs

FACTS_FILE = "facts.json"

Facts = dict[str, Any]

_PACKAGE = "clickbait-tfx"


def collect_facts(
    verdict: Mapping[str, Any],
    outputs: Outputs,
    config: str | None = None,
    earlier: Sequence[Mapping[str, Any]] | None = None,
) -> Facts:
    """What the artifacts tell, as much as there is.

    Args:
      verdict: of the run, see `pipeline.running.outcome`.
      outputs: of the run, see `pipeline.results.lineage`.
      config: the run's configuration, YAML.
      earlier: the verdicts of the runs before it, oldest first, see `pipeline.results.run_folders`; none where they
        are not at hand.
    """
    shown = mask if verdict.get("gate_policy", {}).get("mask_examples") else str
    settings = flatten(yaml.safe_load(config)) if config else {}
    facts: Facts = {
        "settings": settings,
        "cpu_seconds": None,
        "lineage": {
            "code": code_version(),
            "config_sha256": f"sha256:{hashlib.sha256(config.encode()).hexdigest()}" if config else None,
            "artifacts": [
                {"node": node, "output": key, "uri": artifact.uri, "id": artifact.id, "type": artifact.type}
                for node, by_key in outputs.items()
                for key, artifact in by_key.items()
                if artifact.id
            ],
        },
    }
    if earlier is not None:
        facts["previous"] = _previous(verdict, settings, earlier)
    if model := outputs.get("Trainer", {}).get("model"):
        facts["model_bytes"] = artifacts.model_bytes(model)
    if statistics := outputs.get("StatisticsGen", {}).get("statistics"):
        facts["statistics"] = artifacts.statistics_facts(statistics)
    if predictions := outputs.get("ModelScorer", {}).get("predictions"):
        facts |= artifacts.score_facts(predictions, shown)
    if explanations := outputs.get("ModelScorer", {}).get("explanations"):
        facts["errors"] = artifacts.explanation_facts(explanations, shown)
    return facts


def code_version() -> dict[str, str | None]:
    """The package's version, and the commit where it runs from a checkout."""
    return {"package": f"{_PACKAGE} {metadata.version(_PACKAGE)}", "commit": _commit()}


def cpu_seconds() -> float:
    """What this process and those that it started and waited for have computed so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return round(sum(one.ru_utime + one.ru_stime for one in used), 1)


def write_facts(folder: Path, facts: Facts) -> None:
    """Lays them into the run folder, whole or not at all."""
    write_whole(folder / FACTS_FILE, json.dumps(facts, ensure_ascii=False) + "\n")


def read_facts(folder: Path) -> Facts:
    """Those of a run; none of one that was made before there were any, or has been interrupted.

    Raises:
      OutputError: the file holds something else.
    """
    file = folder / FACTS_FILE
    if not file.is_file():
        return {}
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise OutputError(
            f"The facts of a run are an object in JSON. Received: {file}, which is none. Take it away: the page is "
            "then made of the verdict alone."
        )
    return facts


def _previous(
    verdict: Mapping[str, Any], settings: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    for one in reversed(earlier):
        if one.get("blessed") and one.get("pushed"):
            file = Path(one["folder"], CONFIG_FILE)
            before = flatten(yaml.safe_load(file.read_text(encoding="utf-8"))) if file.is_file() else {}
            return {"run_id": one["run_id"], "changes": describe_changes(one, before, verdict, settings)}
    return None


def _commit() -> str | None:
    root = Path(__file__).parents[3]
    if not (root / ".git").exists() or not shutil.which("git"):
        return None
    found = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True
    )
    return found.stdout.strip() or None
