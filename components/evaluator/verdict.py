"""The evaluation's word: `verdict.json` beside TFMA's files. Needs no TFX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VERDICT_FILE = "verdict.json"


def write_verdict(folder: str, verdict: dict[str, Any]) -> None:
    """Lays it into the folder of a ModelEvaluation."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    Path(folder, VERDICT_FILE).write_text(
        json.dumps(verdict, indent=2, ensure_ascii=False, allow_nan=False), encoding="utf-8"
    )


def read_verdict(folder: str) -> dict[str, Any]:
    """What `write_verdict` wrote: `blessed`, `thresholds` and `evaluation`."""
    return json.loads(Path(folder, VERDICT_FILE).read_text(encoding="utf-8"))
