"""What the validation left: `verdict.json` in the blessing's folder, and its findings in a line each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VERDICT_FILE = "verdict.json"


def write_verdict(folder: Path, verdict: dict[str, Any]) -> None:
    """Writes it."""
    (folder / VERDICT_FILE).write_text(json.dumps(verdict, indent=2, ensure_ascii=False), encoding="utf-8")


def read_verdict(uri: str | Path) -> dict[str, Any]:
    """Reads it."""
    return json.loads(Path(uri, VERDICT_FILE).read_text(encoding="utf-8"))


def describe(finding: dict[str, Any]) -> str:
    """A finding of a verdict in one line."""
    detail = f" ({finding['detail']})" if finding["detail"] else ""
    where = f"{finding['rule']}, {finding['where']}"
    return f"{where}: expected {finding['bound']}, observed {finding['observed']}{detail}"
