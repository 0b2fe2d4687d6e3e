"""The groups of `data.group_column`: that each lies in one split, and how evenly the rows are spread over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from components.errors import DataRefused
from components.headline_example_gen.report import Pair, first_pairs, show_pair
from components.headline_example_gen.resolve import Candidate, is_group
from components.headline_example_gen.settings import DataConfig
from components.titles import title_key
from trainer.features import EVAL_SPLIT, TRAIN_SPLIT


class GroupRows(NamedTuple):
    """Some rows of one group in one split."""

    key: int
    """Equal for names that are one to a reader; 0 for rows without a group."""
    split: str
    file: int
    """Number of the first row's file."""
    line: int
    """Of the first row."""
    name: str
    """As the first row has it; empty for rows without a group."""
    rows: int


class GroupCounts(NamedTuple):
    """Counts of groups; those of parts that share no group add up."""

    groups: int = 0
    rows: int = 0
    """With and without a group."""
    squares: int = 0
    """The sum of the squares of the groups' rows; each row without a group counts as a group."""
    in_both: int = 0
    """How many groups are in both splits."""
    shown: Mapping[str, Pair] = {}
    """The first of these by name, with a row of each split."""

    @property
    def units(self) -> float:
        """Number of groups of equal size whose split by hash would differ by chance as much as that of these."""
        return self.rows**2 / self.squares if self.squares else 0.0


class GroupCounter:
    """Counts rows by group and split, as they come."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, str], GroupRows] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Candidate) -> None:
        """Counts a row; of one file in the order of its lines."""
        name = row.group if is_group(row.group) else ""
        key, split = (title_key(name).order, row.split) if name else (0, "")
        known = self._rows.get((key, split)) or GroupRows(key, split, row.file, row.line, name, 0)
        self._rows[key, split] = known._replace(rows=known.rows + 1)

    def take(self) -> Iterator[GroupRows]:
        """Yields what was counted, and begins anew."""
        yield from self._rows.values()
        self._rows.clear()


def count_groups(parts: Iterable[GroupRows]) -> GroupCounts:
    """Counts groups of which all rows are there."""
    ungrouped, sizes = 0, dict[int, int]()
    first: dict[int, dict[str, GroupRows]] = {}
    for part in parts:
        if not part.name:
            ungrouped += part.rows
            continue
        sizes[part.key] = sizes.get(part.key, 0) + part.rows
        splits = first.setdefault(part.key, {})
        splits[part.split] = min(part, splits.get(part.split, part))
    in_both = {}
    for splits in first.values():
        if len(splits) > 1:
            train, held_out = splits[TRAIN_SPLIT], splits[EVAL_SPLIT]
            in_both[train.name] = (train.file, train.line, held_out.file, held_out.line)
    rows = ungrouped + sum(sizes.values())
    squares = ungrouped + sum(size**2 for size in sizes.values())
    return GroupCounts(len(sizes), rows, squares, len(in_both), _first(in_both))


def add_up(counts: Iterable[GroupCounts]) -> GroupCounts:
    """Adds up counts of parts that share no group."""
    every = [GroupCounts(), *counts]
    groups, rows, squares, in_both, shown = zip(*every, strict=True)
    return GroupCounts(
        sum(groups),
        sum(rows),
        sum(squares),
        sum(in_both),
        _first({name: pair for part in shown for name, pair in part.items()}),
    )


def require_one_split(counts: GroupCounts, settings: DataConfig, paths: Sequence[str]) -> None:
    """Refuses data of which a group is in both splits.

    Raises:
      DataRefused: names the first groups, and a row of each in either split.
    """
    if not counts.in_both:
        return
    shown = "; ".join(f"{name[:40]!r} in {show_pair(pair, paths)}" for name, pair in counts.shown.items())
    more = "; ..." if counts.in_both > len(counts.shown) else ""
    raise DataRefused(
        f"The rows of a group must be in one split. Received: {counts.in_both:,} of {counts.groups:,} groups of the "
        f"column {settings.group_column!r} in train and in eval by {settings.split_by}: {shown}{more}. Move their rows "
        "into one split, or leave out data.group_column."
    )


def _first(pairs: Mapping[str, Pair]) -> dict[str, Pair]:
    shown = first_pairs(pairs.values())
    return {name: pair for name, pair in sorted(pairs.items(), key=lambda item: item[1]) if pair in shown}
