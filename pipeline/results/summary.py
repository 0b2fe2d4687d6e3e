"""A verdict in the terminal: what was run, what it reached, where it went, and what to type next."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.results.report.write import REPORT_FILE
from pipeline.results.run_folders import LOG_FILE, REJECTS_FILE, VERDICT_FILE, Verdict

_COLOURS = {
    "pushed": "green",
    "unchanged": "green",
    "done": "green",
    "refused": "red",
    "not blessed": "red",
    "infra not blessed": "red",
    "failed": "red",
}
_OUTCOMES = {"kept": "kept", "warn": "broken, let pass", "fail": "broken", "not judged": "not judged", "off": "off"}
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
_AGAINST = {"last blessed model": "last blessed", "tfidf_lower": "linear, lower"}
_CONTENDERS = {"tfidf_cased": "linear", "tfidf_lower": "linear,\nlower", "last_blessed": "last\nblessed"}
_SLICES = {
    ("starts_with_digit", "yes"): "digit first",
    ("starts_with_digit", "no"): "no digit first",
    ("says_you", "yes"): "you",
    ("says_you", "no"): "no you",
}
_OUTCOME_MARKS = {
    "kept": "[green]kept[/]",
    "broken": "[bold red]not kept[/]",
    "not judged": "not judged",
    "shown": "[yellow]shown only[/]",
}


def print_head(console: Console, verdict: dict[str, Any], folder: Path) -> None:
    """What a run is made of, before it begins; the first line says which data."""
    encoder = verdict["encoder"]
    trained = "fine-tuned" if encoder["fine_tuned"] else "frozen"
    _line(console, "data", verdict["data"]["description"])
    _line(console, "encoder", f"{encoder['source']}, {trained} · preset {verdict['preset']}")
    _line(console, "run", f"{verdict['run_id']} · log {shorten(folder / LOG_FILE)}")


def print_summary(console: Console, verdict: dict[str, Any], folder: Path) -> None:
    """What a run came to."""
    console.print()
    if verdict.get("ingest"):
        _line(console, "read", _ingested(verdict["ingest"], folder))
    if verdict.get("rows"):
        counts = [f"{split} {count['rows']:,}" for split, count in verdict["rows"].items()]
        rows, positive = (sum(count[key] for count in verdict["rows"].values()) for key in ("rows", "clickbait"))
        _line(console, "rows", " · ".join([*counts, *([f"{positive / rows:.1%} positive"] if rows else [])]))
    if verdict.get("gate"):
        _print_gate(console, verdict["gate"])
    if verdict.get("thresholds"):
        _print_evaluation(console, verdict)
    if verdict.get("infra"):
        _print_infra(console, verdict["infra"])
    status = verdict["status"]
    colour = _COLOURS.get(status, "yellow")
    console.print(f"[bold {colour}]{status}[/]: {escape(str(verdict.get('reason', '')))}", soft_wrap=True)
    if verdict.get("pushed"):
        target = verdict["pushed"].get("confirmed_by")
        _line(console, "version", shorten(verdict["pushed"]["path"]) + (f" · served at {target}" if target else ""))
    if bulk := verdict.get("bulk"):
        _line(console, "scored", f"{bulk['rows']:,} texts of {shorten(bulk['file'])} · {shorten(bulk['path'])}")
    if (folder / REPORT_FILE).is_file():
        _line(console, "report", shorten(folder / REPORT_FILE))
    _line(console, "verdict", f"{shorten(folder / VERDICT_FILE)} · {verdict.get('seconds', 0):.0f} s")
    if following := next_command(verdict, folder):
        _line(console, "next", following)


def next_command(verdict: dict[str, Any], folder: Path) -> str | None:
    """What a person would type after such a run."""
    if verdict.get("pushed"):
        serving = verdict["pushed"]["path"].rpartition("/")[0]  # no Path: it may be a URL
        return f"clickbait serve --model_name={serving.rpartition('/')[2]} --model_base_path={_quoted(serving)}"
    if verdict["status"] == "refused" and verdict.get("ingest", {}).get("rejected"):
        return f"mend the rows that {shorten(folder / REJECTS_FILE)} names in the data, and run again"
    if verdict["status"] == "not blessed":
        if {"lower", "upper", "title"} & {one["slice"].get("variant") for one in _refusing(verdict)}:
            return "clickbait run --set training.casing=lower, or augment: the model goes by capitals"
        return "clickbait run --set training.epochs=N, or more rows with --data; finished components are reused"
    if verdict["status"] == "infra not blessed":
        return f"less {_quoted(verdict['infra']['log'])}; a rerun validates again"
    if verdict["status"] == "rolled back":
        return f"clickbait versions{_output_option(folder)}"
    if verdict["status"] == "failed":
        return f"less {_quoted(folder / LOG_FILE)}" if verdict.get("exit_code") == 1 else None
    return None


def _refusing(verdict: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in verdict.get("thresholds", []) if one["gates"] and not one["passed"]]


def run_table(verdicts: Iterable[Verdict]) -> Table:
    """A line a run, oldest first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("run", "status", "data", "eval", "train", "version", "seconds"):
        table.add_column(title, justify="right" if title in ("eval", "train", "seconds") else "left", no_wrap=True)
    for one in verdicts:
        reached = {
            judged["split"]: f"{judged['observed']:.4f}"
            for judged in one.get("thresholds", [])
            if judged["metric"] == "binary_accuracy" and judged["against"] == "bound" and not judged["slice"]
        }
        table.add_row(
            one["run_id"],
            f"[{_COLOURS.get(one['status'], 'yellow')}]{one['status']}[/]",
            one.get("data", {}).get("origin", ""),
            reached.get("eval", ""),
            reached.get("train", ""),
            str((one.get("pushed") or {}).get("version", "")),
            f"{one['seconds']:.0f}" if "seconds" in one else "",
        )
    return table


def shorten(path: str | Path) -> str:
    """A path relative to the working folder where it lies below it; a URL is itself."""
    if "://" in str(path):
        return str(path)
    place = Path(path)
    return str(place.relative_to(Path.cwd())) if place.is_relative_to(Path.cwd()) else str(place)


def _quoted(path: str | Path) -> str:
    """A short path, to be typed."""
    return shlex.quote(shorten(path))


def _ingested(ingest: dict[str, Any], folder: Path) -> str:
    counts = [f"{ingest['read']:,} rows", f"{ingest['accepted']:,} accepted"]
    if ingest["duplicates"]:
        counts.append(f"{ingest['duplicates']:,} repeated")
    if ingest["rejected"]:
        by_rule = ", ".join(f"{count:,} {rule}" for rule, count in ingest["rejected_by_rule"].items())
        counts.append(f"{ingest['rejected']:,} rejected ({by_rule}), see {shorten(folder / REJECTS_FILE)}")
    if ingest["left_out"]:
        counts.append(f"{ingest['left_out']:,} left out by --limit")
    return " · ".join(counts)


def _print_gate(console: Console, gate: dict[str, Any]) -> None:
    """The outcome in a line, and below it what was broken and let pass; what refused the data is the run's reason."""
    outcomes = Counter(finding["outcome"] for finding in gate["findings"])
    counts = [f"{outcomes[outcome]} {word}" for outcome, word in _OUTCOMES.items() if outcomes[outcome]]
    _line(console, "gate", " · ".join(["accepted" if gate["accepted"] else "refused", *counts]))
    for finding in gate["findings"]:
        detail = f" ({finding['detail']})" if finding["detail"] else ""
        if finding["outcome"] == "not judged":
            _line(console, "", f"{finding['rule']} is not judged: {finding['observed']}{detail}")
        if finding["outcome"] == "warn":
            _line(
                console,
                "warning",
                f"{finding['rule']}, {finding['where']}: expected {finding['bound']}, observed {finding['observed']}"
                f"{detail}",
            )
            for example in finding["examples"]:
                _line(console, "", example)


def _print_infra(console: Console, infra: dict[str, Any]) -> None:
    """By which server, and what it did; a rule that is broken is the run's reason."""
    measured = [
        f"{_INFRA[one['rule']]}{one['observed']}"
        for one in infra["findings"]
        if one["rule"] in _INFRA and one["outcome"] != "not judged"
    ]
    outcome = "served" if infra["blessed"] else "not served as it must be"
    _line(console, "infra", " · ".join([f"{outcome} by {_SERVERS[infra['server']['kind']]}", *measured]))
    for one in infra["findings"]:
        if one["outcome"] == "not judged":
            _line(console, "", f"{one['rule']} is not judged: {one['detail']}")


def _output_option(folder: Path) -> str:
    """The option that leads back to a run's output; none where that is the default."""
    output = folder.absolute().parent.parent
    return "" if output == Path.cwd() / "output" else f" --output {_quoted(output)}"


def _print_evaluation(console: Console, verdict: dict[str, Any]) -> None:
    """The rules for the rows as they are, then the variants beside the simple models, then the natural slices."""
    judged = verdict["thresholds"]
    by_variant = {one["slice"]["variant"]: one for one in judged if one["rule"] == "variant_drop"}
    # That scores are numbers goes without saying, as long as they are.
    silent = [one for one in judged if one["rule"] == "variant_drop" or one["rule"] == "finite" and one["passed"]]
    console.print(_rules([one for one in judged if one not in silent]))
    evaluation = verdict.get("evaluation")
    if evaluation is None:
        return
    evaluated = [one for one in evaluation["slices"] if one["split"] == "eval"]
    console.print()
    console.print(_variants(evaluated, by_variant))
    not_judged = {one["detail"]: _rule_name(one) for one in judged if one["outcome"] == "not judged"}
    for why, name in not_judged.items():
        _line(console, "", f"{name} is not judged: {why}")
    if natural := [one for one in evaluated if one["slice"] and "variant" not in one["slice"]]:
        _line(console, "slices", " · ".join(map(_natural, natural)))
    if operating := evaluation["operating_threshold"]:
        _line(console, "wanted", _operating(operating))
    if evaluation["override"]:
        _line(console, "override", f"broken rules are overridden: {evaluation['override']['reason']}")


def _rules(judged: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("split", "rule", "bound", "observed", "95 %", ""):
        right = title in ("bound", "observed")
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for one in judged:
        table.add_row(
            one["split"],
            escape(_rule_name(one)),
            f"{one['direction']} {_number(one['bound'], one)}",
            _number(one["observed"], one),
            _interval(one),
            _OUTCOME_MARKS[one["outcome"] if one["gates"] or one["passed"] else "shown"],
        )
    return table


def _rule_name(one: dict[str, Any]) -> str:
    if one["rule"] == "variant_drop":
        return "vs as is"
    if one["against"] != "bound":
        return f"vs {_AGAINST.get(one['against'], one['against'])}"
    natural = [f"{key}={value}" for key, value in one["slice"].items()]
    return natural[0] if natural else _METRICS.get(one["metric"], one["metric"])


def _number(value: float | None, one: dict[str, Any]) -> str:
    if value is None:
        return "" if one["outcome"] == "not judged" else "no number"
    if one["metric"] == "non_finite":
        return f"{value:.0f}"
    return f"{value:.4f}" if one["against"] == "bound" else f"{value:+.4f}"


def _interval(one: dict[str, Any]) -> str:
    return "–".join(_number(end, one) for end in one["interval"]) if one["interval"] else ""


def _variants(evaluated: list[dict[str, Any]], by_variant: dict[str, dict[str, Any]]) -> Table:
    """A line a variant: the candidate's accuracy in percent, the points below as is, and the others' accuracies."""
    overall = [one for one in evaluated if not one["slice"]]
    rows = [*overall, *(one for one in evaluated if "variant" in one["slice"])]
    names = list(overall[0]["contenders"]) if overall else []
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("variant", "right %", "below", "at most", *(_CONTENDERS.get(name, name) for name in names), ""):
        table.add_column(title, justify="left" if title in ("variant", "") else "right", no_wrap=True)
    for one in rows:
        variant = one["slice"].get("variant")
        judged = by_variant.get(variant)
        table.add_row(
            variant or "as_is",
            _percent(one["metrics"]["binary_accuracy"]["value"]),
            f"{-100 * judged['observed'] + 0:.2f}" if judged and judged["observed"] is not None else "",
            f"{-100 * judged['bound']:.2f}" if judged else "",
            *(_percent(one["contenders"].get(name, {}).get("binary_accuracy")) for name in names),
            _OUTCOME_MARKS[judged["outcome"] if judged["gates"] or judged["passed"] else "shown"] if judged else "",
        )
    return table


def _natural(one: dict[str, Any]) -> str:
    ((name, value),) = one["slice"].items()
    return f"{_SLICES.get((name, value), value)} {_percent(one['metrics']['binary_accuracy']['value'])}"


def _operating(found: dict[str, Any]) -> str:
    wanted = f"{found['wanted_precision']:.4f}"
    if found["threshold"] is None:
        return f"precision {wanted}, which no score has"
    return f"precision {wanted} from a score of {found['threshold']:.4f} on, with a recall of {found['recall']:.4f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def _line(console: Console, name: str, text: str) -> None:
    console.print(f"[bold]{name:<9}[/]{escape(text)}", soft_wrap=True)
