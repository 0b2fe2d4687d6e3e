"""Rows that meet in one place: repeats are kept once, a title with both labels is a conflict."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from components.headline_example_gen.rows import Fault

CONFLICT = "conflict"


class Candidate(NamedTuple):
    """A row that keeps the rules, ready to be compared; sorts by its place in a split, then by where it was read."""

    order: int
    """`TitleKey.order`."""
    title: str
    file: int
    """Number of its file."""
    line: int
    label: int
    bucket: int
    """Hash bucket of the title, which says the split."""


class Resolution(NamedTuple):
    """What became of the rows of one title: the kept one, or the faults of all of them."""

    kept: Candidate | None
    repeats: Sequence[Candidate]
    conflicts: Sequence[tuple[int, Fault]]
    """With the number of the file."""


def resolve(candidates: Iterable[Candidate], paths: Sequence[str], labels: Sequence[str]) -> Iterator[Resolution]:
    """Decides title by title, in the order of `Candidate`.

    Args:
      candidates: all rows of some titles, in any order.
      paths: the files, for the messages.
      labels: `Rules.label_names`, so that what is set aside can be fed back.
    """
    for _, group in itertools.groupby(sorted(candidates), operator.itemgetter(0, 1)):
        rows = list(group)
        first, *others = rows
        if all(one.label == first.label for one in others):
            yield Resolution(first, others, ())
        else:
            yield Resolution(None, (), [_conflict(one, rows, paths, labels) for one in rows])


def _conflict(
    one: Candidate, rows: Sequence[Candidate], paths: Sequence[str], labels: Sequence[str]
) -> tuple[int, Fault]:
    other = next(row for row in rows if row.label != one.label)
    here, there = labels[one.label], labels[other.label]
    reason = f"the same title is labelled {here} here and {there} in {paths[other.file]}:{other.line}"
    return one.file, Fault(one.line, CONFLICT, reason, one.title, here)
