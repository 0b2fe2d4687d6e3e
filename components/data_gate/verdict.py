"""The gate's verdict: an artifact when the data is accepted, an exception with the same findings when it is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tfx.types.artifact import Artifact

from components.data_gate.policy import FAIL, Finding, GateVerdict
from components.errors import DataRefused

VERDICT_FILE = "verdict.json"
_ACCEPTED = "accepted"


class DataVerdict(Artifact):
    """`verdict.json` with the findings, and the property `accepted`, which is 1."""

    TYPE_NAME = "clickbait.DataVerdict"  # Kubeflow Pipelines wants a dot


def write_verdict(verdict: DataVerdict, findings: Sequence[Finding]) -> None:
    """Writes the findings into the artifact of accepted data."""
    Path(verdict.uri).mkdir(parents=True, exist_ok=True)
    content = GateVerdict(True, list(findings)).as_dict()
    Path(verdict.uri, VERDICT_FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")
    verdict.set_int_custom_property(_ACCEPTED, 1)


def read_verdict(uri: str) -> GateVerdict:
    """Reads the verdict on accepted data."""
    return GateVerdict.from_dict(json.loads(Path(uri, VERDICT_FILE).read_text(encoding="utf-8")))


def require_accepted(uri: str) -> None:
    """Raises unless a verdict says that the data is accepted.

    Raises:
      DataRefused: it is not.
    """
    path = Path(uri, VERDICT_FILE)
    if not path.is_file() or json.loads(path.read_text(encoding="utf-8")).get(_ACCEPTED) is not True:
        raise DataRefused(
            f"Training and evaluation must use data that DataGate accepted. Received: {uri}, which is no such verdict. "
            "Run again from DataGate on."
        )


def refuse(findings: Sequence[Finding]) -> NoReturn:
    """Raises with every failed rule, one line each with its examples below.

    Raises:
      DataRefused: always; its `findings` are those given, as JSON has them.
    """
    failed = [finding for finding in findings if finding.outcome == FAIL]
    lines = ["The data must pass the gate's rules. Received:"]
    for finding in failed:
        detail = f" ({finding.detail})" if finding.detail else ""
        lines.append(
            f"  {finding.rule}, {finding.where}: expected {finding.bound}, observed {finding.observed}{detail}"
        )
        lines += [f"    {example}" for example in finding.examples]
    rules = list(dict.fromkeys(finding.rule for finding in failed))
    settings = " ".join(f"--set gate.{rule}=warn" for rule in rules)
    lines.append(f"Fix the data and run again, or turn the rule into a warning with {settings}.")
    raise DataRefused("\n".join(lines), [finding.as_dict() for finding in findings])
