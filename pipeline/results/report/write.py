"""The report and the model card of a run, into its folder."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from pipeline.results.report.collect import collect_facts, cpu_seconds
from pipeline.results.report.facts import Facts, read_facts, write_facts
from pipeline.results.report.render import render_comparison, render_model_card, render_report
from pipeline.results.run_folders import CONFIG_FILE, MODEL_CARD_FILE, REPORT_FILE
from pipeline.results.verdict import Verdict
from serving.whole_file import write_whole

if TYPE_CHECKING:
    from pipeline.results.lineage import Outputs

_COMPARISON_FILE = "comparison.html"


def leave_report(
    folder: Path,
    verdict: Verdict,
    read_outputs: Callable[[], Outputs],
    earlier: Sequence[Verdict],
    console: Console,
) -> None:
    """Writes a run's report and model card; a failure is printed and logged, and does not change the run's result.

    Args:
      folder: of the run; holds its configuration.
      verdict: of the run.
      read_outputs: returns the run's outputs, see `pipeline.results.lineage`.
      earlier: the verdicts of the runs before it, oldest first.
      console: of the terminal.
    """
    try:
        config = (folder / CONFIG_FILE).read_text(encoding="utf-8")
        facts = replace(collect_facts(verdict, read_outputs(), config, earlier), cpu_seconds=cpu_seconds())
        write_facts(folder, facts)
        write_pages(folder, verdict, facts)
    except Exception as error:
        os.write(2, traceback.format_exc().encode())  # into the log, whatever sys.stderr is
        console.print(f"[yellow]no report[/]: {escape(f'{type(error).__name__}: {error}')}", soft_wrap=True)


def write_report(verdict: Verdict, target: Path | None) -> Path:
    """Writes the page of a run, to `target` or with the model card into its folder, and returns its path.

    Raises:
      OSError: it cannot be written.
      OutputError: the run's facts cannot be read.
    """
    folder = Path(verdict.folder)
    facts = read_facts(folder)
    if target is None:
        write_pages(folder, verdict, facts)
        return folder / REPORT_FILE
    write_whole(target, render_report(verdict, facts))
    return target


def write_comparison(first: Verdict, second: Verdict, target: Path | None) -> Path:
    """Writes the page of two runs, to `target` or into the second's folder, and returns its path.

    Raises:
      OSError: it cannot be written.
      OutputError: a run's facts cannot be read.
    """
    before, now = ((verdict, read_facts(Path(verdict.folder))) for verdict in (first, second))
    target = target or Path(second.folder, _COMPARISON_FILE)
    write_whole(target, render_comparison(before, now))
    return target


def write_pages(folder: Path, verdict: Verdict, facts: Facts) -> None:
    """Writes `report.html`, and `model_card.md` where a model was trained."""
    write_whole(folder / REPORT_FILE, render_report(verdict, facts))
    if verdict.training:
        write_whole(folder / MODEL_CARD_FILE, render_model_card(verdict, facts))
