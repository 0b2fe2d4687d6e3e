"""Rows that meet in one place: repeats are kept once, a title with both labels is a conflict.

No title stays in both splits: of rows that are one title to a reader those of train give way, for an evaluation split
that somebody gave stays comparable with what others measure on it.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from components.headline_example_gen.settings import DataConfig
from components.labelled_csv.rows import Fault, Row
from components.titles import normalize, title_key
from trainer.features import EVAL_SPLIT, TRAIN_SPLIT

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
    split: str
    group: str = ""
    """As it was read."""
    slices: tuple[str, ...] = ()
    """As `Row.slices`."""


class Resolution(NamedTuple):
    """The outcome for the rows of one title: the kept row, or the faults of all of them."""

    kept: Candidate | None
    repeats: Sequence[Candidate]
    conflicts: Sequence[tuple[int, Fault]]
    """With the number of the file."""
    in_eval: Sequence[tuple[Candidate, Candidate]] = ()
    """Rows of train, each with a row of eval that is the same title to a reader, for which it is left out."""


def make_candidate(row: Row, file: int, settings: DataConfig, *, is_eval_data: bool = False) -> Candidate:
    """Returns a row with its split.

    Args:
      row: of the file.
      file: its number.
      settings: what decides the split: the file, a column, or the hash of the group or of the title.
      is_eval_data: whether the file is of `data.eval_data`.
    """
    key = title_key(row.title)
    if settings.eval_data:
        split = EVAL_SPLIT if is_eval_data else TRAIN_SPLIT
    elif row.split:
        split = row.split
    else:
        hashed = title_key(row.group) if is_group(row.group) else key
        bucket = hashed.split % (settings.train_buckets + settings.eval_buckets)
        split = TRAIN_SPLIT if bucket < settings.train_buckets else EVAL_SPLIT
    return Candidate(key.order, row.title, file, row.line, row.label, split, row.group, row.slices)


def is_group(text: str) -> bool:
    """Returns whether a group's name shows anything; rows without a group have nothing to stay together with."""
    return bool(text) and bool(normalize(text))


def resolve(candidates: Iterable[Candidate], paths: Sequence[str], labels: Sequence[str]) -> Iterator[Resolution]:
    """Decides title by title, in the order of `Candidate`.

    Args:
      candidates: all rows of some titles, in any order.
      paths: the files, for the messages.
      labels: `DataConfig.label_names`, so that rejected rows can be read again.
    """
    for _, equal in itertools.groupby(sorted(candidates), operator.itemgetter(0)):
        titles = (list(rows) for _, rows in itertools.groupby(equal, operator.itemgetter(1)))
        resolutions = [_resolve_title(rows, paths, labels) for rows in titles]
        if len(resolutions) > 1:
            resolutions = _without_eval(resolutions)
        yield from resolutions


def _resolve_title(rows: list[Candidate], paths: Sequence[str], labels: Sequence[str]) -> Resolution:
    """Decides for rows of one and the same text."""
    first, *others = rows
    if any(row.label != first.label for row in others):
        return Resolution(None, (), [_conflict(row, rows, paths, labels) for row in rows])
    held_out = [row for row in rows if row.split == EVAL_SPLIT] if others else []
    if not held_out or len(held_out) == len(rows):
        return Resolution(first, others, ())
    kept, *repeats = held_out
    return Resolution(kept, repeats, (), [(row, kept) for row in rows if row.split != EVAL_SPLIT])


def _without_eval(resolutions: list[Resolution]) -> list[Resolution]:
    """Leaves out the rows of train among titles that are one to a reader, where one of them is in eval."""
    kept = [resolution.kept for resolution in resolutions if resolution.kept]
    held_out = next((row for row in kept if row.split == EVAL_SPLIT), None)
    if held_out is None:
        return resolutions
    return [
        Resolution(None, (), (), [(row, held_out) for row in (resolution.kept, *resolution.repeats)])
        if resolution.kept and resolution.kept.split != EVAL_SPLIT
        else resolution
        for resolution in resolutions
    ]


def _conflict(
    row: Candidate, rows: Sequence[Candidate], paths: Sequence[str], labels: Sequence[str]
) -> tuple[int, Fault]:
    other = next(candidate for candidate in rows if candidate.label != row.label)
    here, there = labels[row.label], labels[other.label]
    reason = f"the same title is labelled {here} here and {there} in {paths[other.file]}:{other.line}"
    return row.file, Fault(
        row.line, CONFLICT, reason, row.title, here, split=row.split, group=row.group, slices=row.slices
    )
