"""Accuracy, AUC elsewhere and time over the runs of an output, as a picture or a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.results.report import charts
from pipeline.results.report.changes import overall
from pipeline.results.report.charts import RunPoint
from pipeline.results.report.elsewhere import measured_areas
from pipeline.results.report.render import render_page
from pipeline.results.verdict import Verdict
from serving.whole_file import write_whole
from trainer.features import EVAL_SPLIT

_RUN_ID = re.compile(r"\d{4}(\d\d)(\d\d)-(\d\d)(\d\d)")


def write_history(verdicts: Sequence[Verdict], target: Path) -> None:
    """Writes the runs as a picture or a page, by the suffix of `target`: `.png` or `.html`.

    Args:
      verdicts: of the runs, oldest first.
      target: the file.

    Raises:
      OSError: it cannot be written.
    """
    points = [_point(verdict) for verdict in verdicts]
    if target.suffix == ".png":
        write_whole(target, charts.runs_image(points))
        return
    rows = [*zip(verdicts, points, strict=True)]
    challenges = list(dict.fromkeys(name for point in points for name in point.areas))
    write_whole(target, render_page("runs.html.j2", rows=rows, challenges=challenges, chart=charts.runs(points)))


def _point(verdict: Verdict) -> RunPoint:
    measured = overall(verdict)
    return RunPoint(
        _name(verdict.run_id),
        verdict.accuracy_on(EVAL_SPLIT),
        measured.accuracy.interval if measured else None,
        measured_areas(verdict),
        verdict.seconds,
        verdict.status in ("pushed", "unchanged"),
    )


def _name(run_id: str) -> str:
    """Returns the month, day and minute (UTC) that a run's id begins with."""
    began = _RUN_ID.match(run_id)
    return "{}-{} {}:{}".format(*began.groups()) if began else run_id
