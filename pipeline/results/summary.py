"""A verdict in the terminal: what was run, what it reached, where it went, and what to type next."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.data_gate.policy import GateVerdict
from components.evaluator.results import (
    BOUND,
    NOT_JUDGED,
    Judgement,
    MeasuredSlice,
    OperatingThreshold,
    SliceColumn,
)
from components.local_infra_validator.policy import InfraVerdict
from components.slices import CHALLENGE, OTHER_VALUES
from pipeline.results.run_folders import LOG_FILE, REJECTS_FILE, REPORT_FILE
from pipeline.results.verdict import VERDICT_FILE, Ingest, Verdict
from pipeline.results.words import NARROW_CONTENDERS, NARROW_SLICES, OUTCOMES, elsewhere
from pipeline.terminal import shorten
from serving.untrusted import visible
from trainer.features import EVAL_SPLIT, TRAIN_SPLIT

_COLOURS = {
    "pushed": "green",
    "unchanged": "green",
    "done": "green",
    "refused": "red",
    "not blessed": "red",
    "infra not blessed": "red",
    "failed": "red",
}
_INFRA = {"starts": "", "latency": "p99 ", "memory": "peak "}
_SERVERS = {
    "path": "tensorflow_model_server",
    "docker": "the official image",
    "local": "the local server, not tensorflow_model_server",
}
_METRICS = {
    "binary_accuracy": "accuracy",
    "auc": "AUC",
    "ece": "ECE",
    "brier": "Brier score",
    "non_finite": "not finite",
}
_AGAINST = {
    "last blessed model": "last blessed",
    "tfidf_lower": "linear, lower",
    "tfidf_cased": "linear",
    "level of chance": "chance",
}
_OWN = "--preset own"
_SHOWN_VALUES = 8  # of a column
_OUTCOME_MARKS = {
    "kept": "[green]passed[/]",
    "broken": "[bold red]failed[/]",
    "not judged": "not judged",
    "shown": "[yellow]failed, not gating[/]",
}


def print_head(console: Console, verdict: Verdict, folder: Path) -> None:
    """Prints the data, the encoder and the run's id, before the run begins."""
    if verdict.data:
        _line(console, "data", verdict.data.description)
    if encoder := verdict.encoder:
        trained = "fine-tuned" if encoder.fine_tuned else "frozen"
        _line(console, "encoder", f"{encoder.source}, {trained} · preset {verdict.preset}")
    _line(console, "run", f"{verdict.run_id} · log {shorten(folder / LOG_FILE)}")


def print_challenges(console: Console, description: str) -> None:
    """Prints the texts from elsewhere that a run measures its model on, where there are any."""
    if description:
        _line(console, "sets", description)


def print_summary(console: Console, verdict: Verdict, folder: Path) -> None:
    """Prints the result of a run."""
    console.print()
    if verdict.ingest:
        _line(console, "read", _ingested(verdict.ingest, folder))
    if verdict.rows:
        counts = [f"{split} {count.rows:,}" for split, count in verdict.rows.items()]
        rows = sum(count.rows for count in verdict.rows.values())
        positive = sum(count.clickbait for count in verdict.rows.values())
        _line(console, "rows", " · ".join([*counts, *([f"{positive / rows:.1%} positive"] if rows else [])]))
    if verdict.gate:
        _print_gate(console, verdict.gate)
    if verdict.thresholds:
        _print_evaluation(console, verdict)
    if verdict.infra:
        _print_infra(console, verdict.infra)
    colour = _COLOURS.get(verdict.status, "yellow")
    console.print(f"[bold {colour}]{verdict.status}[/]: {escape(verdict.reason)}", soft_wrap=True)
    if pushed := verdict.pushed:
        served = f" · served at {pushed.confirmed_by}" if pushed.confirmed_by else ""
        _line(console, "version", shorten(pushed.path) + served)
    if bulk := verdict.bulk:
        _line(console, "scored", f"{bulk.rows:,} texts of {shorten(bulk.file)} · {shorten(bulk.path)}")
    if verdict.challenges:
        seen = "; see report" if (folder / REPORT_FILE).is_file() else ""
        console.print(escape(f"{elsewhere(verdict.challenges)}{seen}"), soft_wrap=True)
    if (folder / REPORT_FILE).is_file():
        _line(console, "report", shorten(folder / REPORT_FILE))
    if tracked := verdict.tracked:
        missing = f"not {'whole ' if tracked.run else ''}in {tracked.uri}: {tracked.problem}"
        _line(console, "tracked", missing if tracked.problem else f"{tracked.uri} · run {tracked.run}")
    _line(console, "verdict", f"{shorten(folder / VERDICT_FILE)} · {verdict.seconds or 0:.0f} s")
    if verdict.cause:
        _line(console, "cause", f"{verdict.cause.name}: {verdict.cause.detail}")
    following = next_command(verdict, folder)
    if following:
        _line(console, "next", following)
    if verdict.by_article and verdict.status == "not blessed" and _OWN not in (following or ""):
        _line(console, "hint", f"these thresholds are the article's, for its own data; {_OWN} has relative ones")


def next_command(verdict: Verdict, folder: Path) -> str | None:
    """Returns the command to type after such a run; None where there is none."""
    if verdict.pushed:
        serving = verdict.pushed.path.rpartition("/")[0]  # no Path: it may be a URL
        return f"clickbait serve --model_name={serving.rpartition('/')[2]} --model_base_path={_quoted(serving)}"
    if verdict.cause:
        return verdict.cause.step
    if verdict.status == "refused" and verdict.ingest and verdict.ingest.rejected:
        return f"fix the rows that {shorten(folder / REJECTS_FILE)} lists in the data, and run again"
    if verdict.status == "infra not blessed" and verdict.infra:
        return f"less {_quoted(verdict.infra.log)}; a rerun validates again"
    if verdict.status == "rolled back":
        return f"clickbait versions{_output_option(folder)}"
    if verdict.status == "failed":
        return f"less {_quoted(folder / LOG_FILE)}" if verdict.exit_code == 1 else None
    return None


def run_table(verdicts: Iterable[Verdict]) -> Table:
    """Returns a table with one line per run, oldest first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("run", "status", "data", "eval", "train", "version", "seconds"):
        table.add_column(title, justify="right" if title in ("eval", "train", "seconds") else "left", no_wrap=True)
    for verdict in verdicts:
        reached = [verdict.accuracy_on(split) for split in (EVAL_SPLIT, TRAIN_SPLIT)]
        table.add_row(
            verdict.run_id,
            f"[{_COLOURS.get(verdict.status, 'yellow')}]{verdict.status}[/]",
            verdict.data.origin if verdict.data else "",
            *("" if accuracy is None else f"{accuracy:.4f}" for accuracy in reached),
            str(verdict.pushed.version) if verdict.pushed else "",
            f"{verdict.seconds:.0f}" if verdict.seconds is not None else "",
        )
    return table


def _quoted(path: str | Path) -> str:
    """Returns a short path, quoted for a shell."""
    return shlex.quote(shorten(path))


def _ingested(ingest: Ingest, folder: Path) -> str:
    counts = [f"{ingest.read:,} rows", f"{ingest.accepted:,} accepted"]
    if ingest.duplicates:
        in_eval = f" ({ingest.in_eval:,} of train, whose title is in eval, too)" if ingest.in_eval else ""
        counts.append(f"{ingest.duplicates:,} repeated{in_eval}")
    if ingest.rejected:
        by_rule = ", ".join(f"{count:,} {rule}" for rule, count in ingest.rejected_by_rule.items())
        counts.append(f"{ingest.rejected:,} rejected ({by_rule}), see {shorten(folder / REJECTS_FILE)}")
    if fixes := ingest.label_fixes:
        absent = f", {fixes.absent:,} not in the data" if fixes.absent else ""
        counts.append(f"{fixes.relabelled:,} relabelled by {fixes.answers:,} answers{absent}")
    if ingest.left_out:
        counts.append(f"{ingest.left_out:,} left out by --limit")
    return " · ".join(counts)


def _print_gate(console: Console, gate: GateVerdict) -> None:
    """Prints the outcome, and the rules that only warn; those that refused the data are the run's reason."""
    outcomes = Counter(finding.outcome for finding in gate.findings)
    counts = [f"{outcomes[outcome]} {word}" for outcome, word in OUTCOMES.items() if outcomes[outcome]]
    _line(console, "gate", " · ".join(["accepted" if gate.accepted else "refused", *counts]))
    for finding in gate.findings:
        detail = f" ({finding.detail})" if finding.detail else ""
        if finding.outcome == "not judged":
            _line(console, "", f"{finding.rule} is not judged: {finding.observed}{detail}")
        if finding.outcome == "warn":
            _line(
                console,
                "warning",
                f"{finding.rule}, {finding.where}: expected {finding.bound}, observed {finding.observed}{detail}",
            )
            for example in finding.examples:
                _line(console, "", example)


def _print_infra(console: Console, infra: InfraVerdict) -> None:
    """Prints the server and its figures; a failed rule is the run's reason."""
    measured = [
        f"{_INFRA[finding.rule]}{finding.observed}"
        for finding in infra.findings
        if finding.rule in _INFRA and finding.outcome != "not judged"
    ]
    outcome = "passed" if infra.blessed else "failed"
    _line(console, "infra", " · ".join([f"{outcome} on {_SERVERS[infra.server.kind]}", *measured]))
    for finding in infra.findings:
        if finding.outcome == "not judged":
            _line(console, "", f"{finding.rule} is not judged: {finding.detail}")


def _output_option(folder: Path) -> str:
    """Returns the option for a run's output; empty where that is the default."""
    output = folder.absolute().parent.parent
    return "" if output == Path.cwd() / "output" else f" --output {_quoted(output)}"


def _print_evaluation(console: Console, verdict: Verdict) -> None:
    """Prints the rules for the rows as they are, the variants beside the simple models, and the natural slices."""
    by_variant = {
        judged.variant: judged for judged in verdict.thresholds if judged.rule == "variant_drop" and judged.variant
    }
    console.print(_rules([judged for judged in verdict.thresholds if not _is_silent(judged)]))
    evaluation = verdict.evaluation
    if evaluation is None:
        return
    console.print()
    console.print(_variants(verdict.evaluated, by_variant))
    not_judged = {judged.detail: _rule_name(judged) for judged in verdict.thresholds if judged.outcome == NOT_JUDGED}
    for why, name in not_judged.items():
        _line(console, "", f"{name} is not judged: {why}")
    slices = [part for part in verdict.evaluated if part.slice and part.variant is None]
    if natural := [part for part in slices if part.column is None]:
        _line(console, "slices", " · ".join(map(_natural, natural)))
    for column in evaluation.slice_columns:
        _line(console, "", _by_column(column, [part for part in slices if part.column == column.column]))
    if operating := evaluation.operating_threshold:
        _line(console, "wanted", _operating(operating))
    if verdict.behaviours:
        groups = (f"{result.group} {result.passed}/{result.cases}" for result in verdict.behaviours)
        _line(console, "cases", " · ".join(groups))
    if evaluation.override:
        _line(console, "override", f"failed rules are overridden: {evaluation.override.reason}")


def _is_silent(judged: Judgement) -> bool:
    # That scores are numbers goes without saying, as long as they are.
    return judged.rule == "variant_drop" or (judged.rule == "finite" and judged.passed)


def _rules(thresholds: Iterable[Judgement]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("split", "rule", "threshold", "observed", "95 %", ""):
        right = title in ("threshold", "observed")
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for judged in thresholds:
        table.add_row(
            judged.split,
            escape(_rule_name(judged)),
            f"{judged.direction} {_number(judged.bound, judged)}",
            _number(judged.observed, judged),
            _interval(judged),
            _mark(judged),
        )
    return table


def _mark(judged: Judgement) -> str:
    return _OUTCOME_MARKS[judged.outcome if judged.gates or judged.passed else "shown"]


def _rule_name(judged: Judgement) -> str:
    if judged.rule == "variant_drop":
        return "vs as is"
    if challenge := judged.slice.get(CHALLENGE):
        against = "" if judged.against == BOUND else f" vs {_AGAINST.get(judged.against, judged.against)}"
        return f"{challenge} {_METRICS.get(judged.metric, judged.metric)}{against}"
    if judged.against != BOUND:
        metric = "" if judged.metric == "binary_accuracy" else f"{_METRICS.get(judged.metric, judged.metric)} "
        return f"{metric}vs {_AGAINST.get(judged.against, judged.against)}"
    if judged.rule == "behaviours":
        return ", ".join(judged.slice.values())
    natural = [f"{key}={value}" for key, value in judged.slice.items()]
    return natural[0] if natural else _METRICS.get(judged.metric, judged.metric)


def _number(value: float | None, judged: Judgement) -> str:
    if value is None:
        return "" if judged.outcome == NOT_JUDGED else "no number"
    if judged.metric == "non_finite":
        return f"{value:.0f}"
    return f"{value:.4f}" if judged.against == BOUND else f"{value:+.4f}"


def _interval(judged: Judgement) -> str:
    return "–".join(_number(end, judged) for end in judged.interval) if judged.interval else ""


def _variants(evaluated: Sequence[MeasuredSlice], by_variant: Mapping[str, Judgement]) -> Table:
    """Returns a line per variant: the accuracy in percent, its drop in points, and the other models' accuracies."""
    overall = [part for part in evaluated if not part.slice]
    rows = [*overall, *(part for part in evaluated if part.variant is not None)]
    names = list(overall[0].contenders) if overall else []
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in (
        "variant",
        "accuracy %",
        "drop",
        "max drop",
        *(NARROW_CONTENDERS.get(name, name) for name in names),
        "",
    ):
        table.add_column(title, justify="left" if title in ("variant", "") else "right", no_wrap=True)
    for part in rows:
        judged = by_variant.get(part.variant or "")
        table.add_row(
            part.variant or "as_is",
            _percent(part.accuracy.value),
            f"{-100 * judged.observed + 0:.2f}" if judged and judged.observed is not None else "",
            f"{-100 * judged.bound:.2f}" if judged else "",
            *(_percent(part.contenders[name].binary_accuracy) if name in part.contenders else "" for name in names),
            _mark(judged) if judged else "",
        )
    return table


def _natural(part: MeasuredSlice) -> str:
    ((name, value),) = part.slice.items()
    return f"{NARROW_SLICES.get((name, value), visible(value))} {_percent(part.accuracy.value)}"


def _by_column(column: SliceColumn, slices: Sequence[MeasuredSlice]) -> str:
    """Returns the first values' accuracies, and how many others there are and where."""
    more = [f"{len(slices) - _SHOWN_VALUES} more in the report"] if len(slices) > _SHOWN_VALUES else []
    if column.together:
        more.append(f"{OTHER_VALUES} is {column.together:,} of {column.values:,} values")
    shown = [*map(_natural, slices[:_SHOWN_VALUES]), *more]
    return f"{visible(column.column)}: {' · '.join(shown)}"


def _operating(operating: OperatingThreshold) -> str:
    wanted = f"{operating.wanted_precision:.4f}"
    if operating.threshold is None or operating.recall is None:
        return f"precision {wanted} is reached by no threshold"
    return f"precision {wanted} at a threshold of {operating.threshold:.4f}, with a recall of {operating.recall:.4f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def _line(console: Console, name: str, text: str) -> None:
    console.print(f"[bold]{name:<9}[/]{escape(text)}", soft_wrap=True)
