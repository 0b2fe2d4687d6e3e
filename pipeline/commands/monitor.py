"""`clickbait monitor`: compares what is served with what the model was trained on."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.commands.options import MODEL
from pipeline.config.paths import OutputPaths
from pipeline.terminal import captured_output, open_console, shorten
from serving.untrusted import visible

if TYPE_CHECKING:
    from components.data_gate.policy import Finding
    from components.evaluator.results import Metric
    from pipeline.monitoring.label_report import LabelledSlice, LabelReport
    from pipeline.monitoring.monitor import Report

    _ParamType = click.ParamType[float, str | float]
else:
    _ParamType = click.ParamType  # older clicks' is not generic

_UNITS_S = {"m": 60, "h": 3600, "d": 86_400}
_COLOURS = {"fine": "green", "drifted": "red", "below threshold": "red", "not judged": "yellow"}
_OUTCOMES = {
    "kept": "[green]passed[/]",
    "warn": "[yellow]failed, warning only[/]",
    "fail": "[bold red]failed[/]",
}
_NAMES_OF_FAILED = {"labels": "below"}
_SHOWN_TIME = len("2026-01-01T00:00")
_PIPE_WIDTH = 240
_SHOWN_DAYS = 31


class Since(_ParamType):
    """A duration back from now, or a point in time; converts to seconds since 1970."""

    name = "since"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Converts as click asks for it."""
        if isinstance(value, float):
            return value
        if found := re.fullmatch(r"(\d{1,6})([mhd])", value):
            return time.time() - int(found[1]) * _UNITS_S[found[2]]
        try:
            point = datetime.datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"must be a duration such as 30m, 24h or 7d, or an ISO date. Received: {value!r}.", param, ctx)
        return (point if point.tzinfo else point.replace(tzinfo=datetime.UTC)).timestamp()


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option("--output", help="Folder that holds all that runs wrote.  [default: output]")
@MODEL
@click.option("--version", type=int, help="The version to judge.  [default: the newest, which is served]")
@click.option(
    "--since", type=Since(), metavar="TIME", help="Judge what was served since: 30m, 24h, 7d or a date in UTC."
)
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False),
    help="CSV of labels that came late: accuracy, AUC and calibration of what was served.",
)
@click.option("--text-column", help="The column of texts in --labels.  [default: title]")
@click.option("--label-column", help="The column of labels in --labels.  [default: label]")
@click.option("--preset", default="default", show_default=True, help="default, own, article or smoke.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML over the preset.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="E.g. monitor.drift=off.")
@click.option("--json", "as_json", is_flag=True, help="Print monitor.json and nothing else.")
@click.pass_context
def monitor(
    ctx: click.Context,
    logs: tuple[str, ...],
    output: str | None,
    model: str | None,
    version: int | None,
    since: float | None,
    labels: str | None,
    text_column: str | None,
    label_column: str | None,
    preset: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compare what is served with what the model was trained on.

    LOGS are folders, files or globs: TFRecords of PredictionLog, which `serve --request_log_dir=DIR` and
    `predict --log-to DIR` write. They hold users' texts; the report holds single words of them at most.

    With --labels, texts are joined to the logs exactly as they are written. Each counts once for a version, and once
    for each of its days, by its last score.

    Exit codes: 0 it is like the training data, or there is too little to judge; 3 it has drifted, or with --labels is
    below monitor.min_accuracy or monitor.min_auc: train anew; 2 the call is wrong, or there is no log of this model
    that can be read.
    """
    from pipeline.config.pipeline_config import load_config
    from pipeline.monitoring.monitor import judge_logs, open_logs, report_folder, write_report

    flags = {"output": output, "model_name": model, "data.text_column": text_column, "data.label_column": label_column}
    config = load_config(preset, config_file, overrides, flags)
    console = open_console(pipe_width=_PIPE_WIDTH)
    with report_folder(OutputPaths.of(config).monitor) as folder:
        opened = open_logs(config, logs, version=version, since=since or 0.0, labels=labels)
        if not as_json:
            print_logs(console, opened.report)
        with captured_output(folder / "log.txt", verbose=False):
            report = judge_logs(config, opened)
        file = write_report(folder, report)
    if as_json:
        click.echo(visible(file.read_text(encoding="utf-8")), nl=False)
    else:
        print_findings(console, report, file)
    ctx.exit(report.exit_code)


def print_logs(console: Console, report: Report) -> None:
    """Prints the counts of what was read, before it is compared."""
    logs = report.logs
    counts = [f"{logs.files} files", f"{logs.requests:,} requests", f"{logs.rows:,} texts"]
    if logs.compared_rows < logs.rows:
        counts.append(f"{logs.compared_rows:,} of them drawn")
    if logs.first and logs.last:
        first, last = (time[:_SHOWN_TIME].replace("T", " ") for time in (logs.first, logs.last))
        counts.append(f"{first} to {last} UTC")
    _line(console, "logs", " · ".join(counts))
    _line(console, "version", f"{report.version} of {report.model} · made by run {report.run_id}")
    if unsure := report.unsure:
        expected = f"{unsure.expected_share:.1%} of the rows that the band was chosen on"
        band = f"{unsure.begin:.4g} to {unsure.end:.4g}"
        _line(console, "unsure", f"{unsure.share:.1%} of the texts, with scores from {band}; {expected}")
    others = {name: rows for name, rows in logs.rows_by_version.items() if name != str(report.version)}
    if others:
        _line(console, "", f"not judged: {', '.join(f'{rows:,} texts of version {n}' for n, rows in others.items())}")
    if logs.entries_of_other_models:
        _line(console, "", f"left out: {logs.entries_of_other_models:,} entries of other models")
    if logs.entries_without_texts:
        _line(console, "", f"left out: {logs.entries_without_texts:,} entries without a text and a score each")
    for path, fault in logs.faults.items():
        _line(console, "warning", f"{path} is read up to where {fault}")


def print_findings(console: Console, report: Report, file: Path) -> None:
    """Prints the findings, the status and the next command."""
    console.print()
    if report.labels:
        print_labels(console, report.labels)
    if any(finding.outcome in _OUTCOMES for finding in report.findings):
        console.print(finding_table(report.findings))
    for finding in report.findings:
        compared = f"expected {finding.bound}, observed {finding.observed}"
        if finding.outcome == "not judged":
            detail = f" ({finding.detail})" if finding.detail else ""
            _line(console, "", f"{finding.rule} is not judged: {compared}{detail}")
        if finding.outcome in ("fail", "warn"):
            name = _NAMES_OF_FAILED.get(finding.rule, "drifted") if finding.outcome == "fail" else "warning"
            _line(console, name, f"{finding.rule} of {finding.where}: {compared} ({finding.detail})")
            for example in finding.examples:
                _line(console, "", example)
    status = report.status
    console.print(f"[bold {_COLOURS[status]}]{status}[/]: {escape(report.reason)}", soft_wrap=True)
    _line(console, "report", shorten(file))
    if report.exit_code:
        _line(console, "next", "clickbait run --data NEW.csv, with rows like those that are served and their labels")


def print_labels(console: Console, labels: LabelReport) -> None:
    """Prints the counts of late labels, and the metrics by them: of the judged version by day, too."""
    in_log = labels.texts - labels.not_in_log
    _line(
        console, "labels", f"{labels.texts:,} texts of {labels.file} · {in_log:,} in the log, {labels.not_in_log:,} not"
    )
    left_out = {
        **labels.rejected,
        "repeated rows": labels.repeats,
        "rows of texts with both labels": labels.contradictory,
    }
    if counts := [f"{count:,} {name}" for name, count in left_out.items() if count]:
        _line(console, "", f"left out: {', '.join(counts)}")
    days = [part for part in labels.slices if part.day and part.version == labels.version]
    shown = [part for part in labels.slices if not part.day or part in days[-_SHOWN_DAYS:]]
    if not shown:
        return
    console.print(label_table(shown))
    if len(days) > _SHOWN_DAYS:
        _line(console, "", f"the last {_SHOWN_DAYS} of {len(days):,} days are shown")
    if lost := sum(part.non_finite for part in labels.slices if not part.day):
        _line(console, "warning", f"{lost:,} scores are no numbers: they count as wrong, and leave no AUC and no ECE")
    if any(part.clickbait in (0, part.rows) for part in shown):
        _line(console, "", "no AUC where all labels are of one class")


def label_table(slices: Sequence[LabelledSlice]) -> Table:
    """Returns a table of metrics with their 95 % intervals, a line for each slice."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    titles = ("version", "day (UTC)", "texts", "clickbait", "accuracy", "AUC", "ECE", "mean score - share")
    for title in titles:
        table.add_column(title, justify="left" if title in titles[:2] else "right", no_wrap=True)
    for part in slices:
        metrics = [_estimate(metric) for metric in part.metrics.values()]
        table.add_row(part.version, part.day or "all", f"{part.rows:,}", f"{part.clickbait / part.rows:.1%}", *metrics)
    return table


def _estimate(metric: Metric) -> str:
    if metric.value is None or metric.interval is None:
        return "-"
    low, high = metric.interval
    return f"{metric.value:.3f} ({low:.3f} to {high:.3f})"


def finding_table(findings: Sequence[Finding]) -> Table:
    """Returns a table with one line per judged finding."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("rule", "where", "threshold", "observed", ""):
        table.add_column(title, justify="right" if title in ("threshold", "observed") else "left", no_wrap=True)
    for finding in findings:
        if finding.outcome in _OUTCOMES:
            outcome = _OUTCOMES[finding.outcome]
            table.add_row(finding.rule, finding.where, finding.bound, str(finding.observed), outcome)
    return table


def _line(console: Console, name: str, text: str) -> None:
    console.print(f"[bold]{name:<9}[/]{escape(text)}", soft_wrap=True)
