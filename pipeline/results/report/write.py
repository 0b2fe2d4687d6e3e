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

from pipeline.results.run_folders import CONFIG_FILE
from serving.whole_file import write_whole

if TYPE_CHECKING:
    from pipeline.results.lineage import Outputs
    from pipeline.results.report.facts import Facts
    from pipeline.results.verdict import Verdict

REPORT_FILE = "report.html"
MODEL_CARD_FILE = "model_card.md"


def leave_report(
    folder: Path,
    verdict: Verdict,
    read_outputs: Callable[[], Outputs],
    earlier: Sequence[Verdict],
    console: Console,
) -> None:
    """Writes what a run leaves for people. A run is what it is without: a failure is said, and logged.

    Args:
      folder: of the run; holds its configuration.
      verdict: of the run.
      read_outputs: returns the run's outputs, see `pipeline.results.lineage`.
      earlier: the verdicts of the runs before it, oldest first.
      console: of the terminal.
    """
    try:
        from pipeline.results.report.facts import collect_facts, cpu_seconds, write_facts

        config = (folder / CONFIG_FILE).read_text(encoding="utf-8")
        facts = replace(collect_facts(verdict, read_outputs(), config, earlier), cpu_seconds=cpu_seconds())
        write_facts(folder, facts)
        write_pages(folder, verdict, facts)
    except Exception as error:
        os.write(2, traceback.format_exc().encode())  # into the log, whatever sys.stderr is
        console.print(f"[yellow]no report[/]: {escape(f'{type(error).__name__}: {error}')}", soft_wrap=True)


def write_pages(folder: Path, verdict: Verdict, facts: Facts) -> None:
    """Writes `report.html`, and `model_card.md` where a model was trained."""
    from pipeline.results.report.render import render_model_card, render_report

    write_whole(folder / REPORT_FILE, render_report(verdict, facts))
    if verdict.training:
        write_whole(folder / MODEL_CARD_FILE, render_model_card(verdict, facts))
