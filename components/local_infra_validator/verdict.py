"""What the validation left: `verdict.json` in the blessing's folder, and its findings in a line each."""

from __future__ import annotations

import json
from pathlib import Path

from components.local_infra_validator.policy import Finding, InfraVerdict

VERDICT_FILE = "verdict.json"


def write_verdict(folder: Path, verdict: InfraVerdict) -> None:
    """Writes `verdict.json`."""
    text = json.dumps(verdict.as_dict(), indent=2, ensure_ascii=False)
    (folder / VERDICT_FILE).write_text(text, encoding="utf-8")


def read_verdict(uri: str | Path) -> InfraVerdict:
    """Reads what `write_verdict` wrote."""
    return InfraVerdict.from_dict(json.loads(Path(uri, VERDICT_FILE).read_text(encoding="utf-8")))


def describe(finding: Finding) -> str:
    """A finding in one line."""
    detail = f" ({finding.detail})" if finding.detail else ""
    return f"{finding.rule}, {finding.where}: expected {finding.bound}, observed {finding.observed}{detail}"
