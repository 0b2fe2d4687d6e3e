"""Verdicts as runs leave them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components.evaluator.results import Challenge
from components.local_infra_validator.policy import Finding as InfraFinding
from components.local_infra_validator.policy import InfraVerdict
from pipeline.results.verdict import Verdict, write_verdict


def a_verdict(**changes: Any) -> Verdict:
    """The verdict of a blessed and pushed run, with `changes`, as JSON has them or typed."""
    verdict = {
        "schema_version": 1,
        "run_id": "20260101-000000-aaaa",
        "status": "pushed",
        "exit_code": 0,
        "blessed": True,
        "reason": "all rules passed",
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
    return Verdict.from_dict({**verdict, **changes})


def an_infra_verdict(**changes: Any) -> InfraVerdict:
    """Returns the infra verdict of a model that passes on the local server, with `changes`."""
    server = {"kind": "local", "command": []}
    finding = InfraFinding("memory", "server", "peak at most 4 GB", "0.99 GB", True)
    verdict = {
        "blessed": True,
        "digest": "sha256:" + "12" * 32,
        "server": server,
        "log": "output/tfx/infra/server.log",
        "golden_titles": 100,
        "findings": [finding],
    }
    return InfraVerdict.from_dict({**verdict, **changes})


def write_run(output: Path, verdict: Verdict) -> Path:
    """Lays a run folder with this verdict into `output`, and returns the folder."""
    folder = output / "runs" / verdict.run_id
    folder.mkdir(parents=True)
    write_verdict(folder, verdict)
    return folder


def a_challenge(name: str, auc: float | None = 0.75, **changes: Any) -> Challenge:
    """Returns the metrics of a challenge with this area under the ROC curve, with `changes`."""
    figures = {
        "auc": {"model": {"value": auc, "interval": auc and [auc - 0.01, auc + 0.01]}},
        "accuracy": {"model": {"value": 0.7, "interval": [0.69, 0.71]}},
        "accuracy_at_share": {"model": None},
        "ece": {"model": {"value": 0.2, "interval": None}},
        "brier": {"model": {"value": 0.2, "interval": [0.19, 0.21]}},
        "non_finite": {"model": 0},
    }
    left_out = {"rejected": 0, "rejected_by_rule": {}, "repeats": 0, "trained_on": 0, "trained_on_exactly": 0}
    challenge = {
        "name": name,
        "path": f"{name}.csv",
        "sha256": f"sha256:{name}",
        "read": 500,
        **left_out,
        "rows": 500,
        "clickbait": 250,
        "clickbait_share": 0.5,
        "findings": [],
        **figures,
        "lower": figures,
    }
    return Challenge.from_dict({**challenge, **changes})
