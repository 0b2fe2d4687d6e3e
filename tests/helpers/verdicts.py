"""Verdicts as runs leave them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.results.run_folders import write_verdict


def a_verdict(**changes: Any) -> dict[str, Any]:
    """The verdict of a blessed and pushed run, with `changes`."""
    verdict = {
        "schema_version": 1,
        "run_id": "20260101-000000-aaaa",
        "status": "pushed",
        "exit_code": 0,
        "blessed": True,
        "reason": "all thresholds are kept",
        "preset": "default",
        "seconds": 61.0,
        "data": {"origin": "given", "description": "headlines.csv · by --data", "files": ["headlines.csv"]},
        "encoder": {"source": "embedded", "fine_tuned": True},
        "rows": {"train": {"rows": 70, "clickbait": 35}, "eval": {"rows": 30, "clickbait": 15}},
        "thresholds": [
            {
                "rule": "accuracy",
                "split": "eval",
                "slice": {},
                "metric": "binary_accuracy",
                "against": "bound",
                "bound": 0.9846,
                "direction": ">=",
                "observed": 0.99,
                "interval": [0.9878, 0.9918],
                "rows": 9600,
                "outcome": "kept",
                "gates": True,
                "passed": True,
                "detail": "",
            }
        ],
        "components": {"Trainer": {"status": "done", "seconds": 10.0}},
        "pushed": {"version": 7, "path": "/models/clickbait/7", "new": True},
    }
    return {**verdict, **changes}


def write_run(output: Path, verdict: dict[str, Any]) -> Path:
    """Lays a run folder with this verdict into `output`, and returns the folder."""
    folder = output / "runs" / verdict["run_id"]
    folder.mkdir(parents=True)
    write_verdict(folder, verdict)
    return folder
