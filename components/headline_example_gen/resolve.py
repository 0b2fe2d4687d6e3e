"""Rows that meet in one place: repeats are kept once, a title with both labels is a conflict."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from components.headline_example_gen.rows import Fault

CONFLICT = "conflict"


class Candidate(NamedTuple):
    """A row that passes the rules, ready to be compared; sorts by its position in a split, then by file and line."""

    order: int
    """`TitleKey.order`."""
    title: str
    file: int
    """Number of its file."""
    line: int
    label: int
    bucket: int
    """Hash bucket of the title, which decides the split."""


class Resolution(NamedTuple):
    """The outcome for the rows of one title: the kept row, or the faults of all of them."""

    kept: Candidate | None
    repeats: Sequence[Candidate]
    conflicts: Sequence[tuple[int, Fault]]
    """With the number of the file."""


def resolve(candidates: Iterable[Candidate], paths: Sequence[str], labels: Sequence[str]) -> Iterator[Resolution]:
    """Decides title by title, in the order of `Candidate`.

    Args:
      candidates: all rows of some titles, in any order.
      paths: the files, for the messages.
      labels: `Rules.label_names`, so that rejected rows can be read again.
    """
    for _, group in itertools.groupby(sorted(candidates), operator.itemgetter(0, 1)):
        rows = list(group)
        first, *others = rows
        if all(row.label == first.label for row in others):
            yield Resolution(first, others, ())
        else:
            yield Resolution(None, (), [_conflict(row, rows, paths, labels) for row in rows])


def _conflict(
    row: Candidate, rows: Sequence[Candidate], paths: Sequence[str], labels: Sequence[str]
) -> tuple[int, Fault]:
    other = next(candidate for candidate in rows if candidate.label != row.label)
    here, there = labels[row.label], labels[other.label]
    reason = f"the same title is labelled {here} here and {there} in {paths[other.file]}:{other.line}"
    return row.file, Fault(row.line, CONFLICT, reason, row.title, here)
