"""Labelled titles as people review them: each exact title once, with what contradicts its label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from components.errors import InputError
from components.headline_example_gen.settings import DataConfig
from components.labelled_csv.rows import Fault, read_rows
from components.titles import normalize

MIN_TITLES = 20
"""Of each class, not counting casing and white space: fewer say nothing of what is usual for it."""
_SHOWN_ROWS = 3


class LabelledTitles(NamedTuple):
    """The rows of some files."""

    titles: Sequence[str]
    """Each once, in the order of the files."""
    labels: np.ndarray
    """Of the titles' first rows, 0 or 1, int64 [titles]; or the answer, where a title has one."""
    contradictions: Sequence[str]
    """Of each title, for people: rows of it, in any casing and white space, with another label; empty without any."""
    read: int
    """Number of rows."""
    repeats: int
    """Rows of a title that an earlier row has."""
    rejected: int


def read_labelled(paths: Sequence[str], settings: DataConfig, answers: Mapping[str, int] = {}) -> LabelledTitles:
    """Reads the rows that a run would accept, and those whose labels contradict each other.

    Args:
      paths: of CSV files.
      settings: the section `data`.
      answers: labels by exact title, which stand for those of the rows.

    Raises:
      InputError: a file cannot be read, or a class has too few titles to judge labels by.
    """
    labels: dict[str, int] = {}
    places: dict[str, dict[int, list[str]]] = defaultdict(lambda: {0: [], 1: []})
    read = rejected = 0
    for path in paths:
        for row in read_rows(path, settings):
            read += 1
            if isinstance(row, Fault):
                rejected += 1
                continue
            label = answers.get(row.title, row.label)
            labels.setdefault(row.title, label)
            places[normalize(row.title)][label].append(f"{path}:{row.line}")
    of_key = {normalize(title): label for title, label in reversed([*labels.items()])}
    counts = np.bincount([*of_key.values()], minlength=2)
    names = settings.label_names
    if counts.min() < MIN_TITLES:
        raise InputError(
            f"The data must have at least {MIN_TITLES} different titles of each class to judge labels by. Received: "
            f"{counts[0]:,} labelled {names[0]} and {counts[1]:,} labelled {names[1]}. Label more."
        )
    return LabelledTitles(
        [*labels],
        np.fromiter(labels.values(), np.int64),
        [_contradiction(places[normalize(title)][1 - label], names[1 - label]) for title, label in labels.items()],
        read,
        read - rejected - len(labels),
        rejected,
    )


def _contradiction(rows: Sequence[str], label: str) -> str:
    more = f" and {len(rows) - _SHOWN_ROWS} more" if len(rows) > _SHOWN_ROWS else ""
    return f"{label} in {', '.join(rows[:_SHOWN_ROWS])}{more}" if rows else ""
