"""A finished run to make pages of: figures of a real one, made-up headlines, one of which is a script."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

_FINISHED = Path(__file__).parents[1] / "pipeline" / "report" / "finished.json"
SCRIPT = "<script>alert('a headline')</script>"


def a_run() -> tuple[dict[str, Any], dict[str, Any]]:
    """Its verdict and its facts, to be changed as one likes."""
    run = json.loads(_FINISHED.read_text(encoding="utf-8"))
    return run["verdict"], run["facts"]


def a_run_that_goes_by_capitals() -> tuple[dict[str, Any], dict[str, Any]]:
    """The same, but for the lower-cased copies."""
    verdict, facts = copy.deepcopy(a_run())
    verdict |= {"run_id": "capitals", "status": "not blessed", "exit_code": 4, "blessed": False, "pushed": None}
    verdict["reason"] = "not kept: variant lower accuracy 0.6132, 37.7 points below as is (at most 2.0)"
    for one in verdict["evaluation"]["slices"]:
        if one["slice"] == {"variant": "lower"}:
            one["metrics"]["binary_accuracy"]["value"] = 0.6132
    for one in verdict["thresholds"]:
        if one["slice"] == {"variant": "lower"}:
            one |= {"observed": -0.377, "outcome": "broken", "passed": False}
    facts["settings"]["training.casing"] = "as_is"
    return verdict, facts


def write_report(folder: Path) -> Path:
    """The page of the run."""
    from pipeline.report.render import render_report

    return _write(folder, render_report(*a_run()))


def write_comparison(folder: Path) -> Path:
    """The page of both."""
    from pipeline.report.render import render_comparison

    return _write(folder, render_comparison(a_run_that_goes_by_capitals(), a_run()))


def _write(folder: Path, page: str) -> Path:
    (folder / "page.html").write_text(page, encoding="utf-8")
    return folder / "page.html"
