"""The report of an ingest: every row is counted once, by file, by rule and by split."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue

REPORT_FILE = "report.json"
SHOWN_FAULTS = 20
SHOWN_PAIRS = 5
_ROWS = ("read", "accepted", "duplicates", "in_eval", "rejected", "rejected_lines", "left_out")

Pair = tuple[int, int, int, int]
"""File and line of a row of train, and of a row of eval."""


class Tally:
    """Counts of one part of an ingest, which add up to the report.

    Attributes:
      files: by number of the file, Counter of `read`, `accepted`, `duplicates`, `in_eval`: rows of train whose title
        is in eval, too, among the duplicates, `rejected`, `rejected_lines`: the lines that the rejected rows span,
        `left_out`: rows that `data.limit_rows` leaves out, among the accepted; `answered`: rows whose title has an
        answer in `data.label_fixes`, `relabelled`: those whose label it changes.
      rules: rejected rows by rule.
      splits: by split, Counter of `rows` and `clickbait`.
      in_eval: the first rows of train whose title is in eval, too.
    """

    def __init__(self) -> None:
        self.files: dict[int, Counter[str]] = {}
        self.rules: Counter[str] = Counter()
        self.splits: dict[str, Counter[str]] = {}
        self.in_eval: list[Pair] = []

    def count(self, file: int, outcome: str, number: int = 1) -> None:
        """Counts rows of a file."""
        self.files.setdefault(file, Counter())[outcome] += number

    def count_split(self, split: str, label: int) -> None:
        """Counts a row that is written."""
        counts = self.splits.setdefault(split, Counter())
        counts["rows"] += 1
        counts["clickbait"] += label

    def to_json(self) -> str:
        """Returns the counts as JSON."""
        return json.dumps(vars(self))


def sum_tallies(parts: Iterable[str]) -> Tally:
    """Adds up what `Tally.to_json` wrote."""
    total = Tally()
    for part in map(json.loads, parts):
        total.rules.update(part["rules"])
        for file, counts in part["files"].items():
            total.files.setdefault(int(file), Counter()).update(counts)
        for split, counts in part["splits"].items():
            total.splits.setdefault(split, Counter()).update(counts)
        total.in_eval = first_pairs([*total.in_eval, *map(tuple, part["in_eval"])])
    return total


def first_pairs(pairs: Iterable[Pair]) -> list[Pair]:
    """Returns the pairs that are shown: the first by file and line."""
    return heapq.nsmallest(SHOWN_PAIRS, pairs)


def show_pair(pair: Pair, paths: Sequence[str]) -> str:
    """Returns a pair for people."""
    file, line, eval_file, eval_line = pair
    return f"{paths[file]}:{line} and {paths[eval_file]}:{eval_line}"


def make_report(
    total: Tally,
    paths: Sequence[str],
    splits: Sequence[str],
    faults: Sequence[Mapping[str, str]],
    split: Mapping[str, JsonValue],
    label_fixes: Mapping[str, JsonValue] | None = None,
) -> dict[str, JsonValue]:
    """Returns the report of a whole ingest.

    Args:
      total: of all parts.
      paths: the files, by number.
      splits: the splits' names.
      faults: the first rejected rows.
      split: how the rows were split: `by`, see `DataConfig.split_by`, and of groups their number `groups`, and
        `units`: how many groups of equal size would differ by chance as much as these.
      label_fixes: from `LabelFixes.report`; None where there are none.
    """
    rows: Counter[str] = Counter()
    for counts in total.files.values():
        rows.update(counts)
    return {
        "rows": {name: rows[name] for name in _ROWS},
        "rejected_by_rule": dict(sorted(total.rules.items())),
        "splits": {
            split: {name: total.splits.get(split, Counter())[name] for name in ("rows", "clickbait")}
            for split in splits
        },
        "files": [
            {"path": path, **{name: total.files.get(number, Counter())[name] for name in _ROWS}}
            for number, path in enumerate(paths)
        ],
        "faults": [{**fault} for fault in faults],
        "split": {**split},
        "in_eval": [show_pair(pair, paths) for pair in total.in_eval],
        **({"label_fixes": {**label_fixes}} if label_fixes else {}),
    }
