"""The statistics of accepted data, in a folder of numbered entries: drift is measured against them.

Light: the runner asks for the baseline before TensorFlow is imported.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import NamedTuple

_CARD = "card.json"
_KEPT_ENTRIES = 20


class Accepted(NamedTuple):
    """An entry."""

    number: int
    fingerprint: str
    """Of the data and of how it was read."""
    description: str
    """Which data, for a person."""
    rows: int
    """Of the split train."""


def list_accepted(folder: str | Path) -> list[Accepted]:
    """Reads the entries, oldest first; a damaged one is left out."""
    entries = []
    for place in Path(folder).glob("*"):
        if place.name.isdigit():
            with contextlib.suppress(OSError, ValueError, TypeError):  # no card, or a damaged one
                entries.append(Accepted(int(place.name), **json.loads((place / _CARD).read_text(encoding="utf-8"))))
    return sorted(entries)


def split_file(folder: str | Path, number: int, split: str) -> Path:
    """Returns the path of a split's statistics in an entry, laid out as StatisticsGen's."""
    return Path(folder) / str(number) / f"Split-{split}" / "FeatureStats.pb"


def write_accepted(folder: str | Path, statistics: str | Path, fingerprint: str, description: str, rows: int) -> int:
    """Keeps a copy of StatisticsGen's output, whole or not at all, and forgets all but the newest entries.

    Data that is the newest entry already is not written again.

    Returns:
      The entry's number.
    """
    folder = Path(folder)
    known = list_accepted(folder)
    if known and known[-1].fingerprint == fingerprint:
        return known[-1].number
    number = 1 + max((int(place.name) for place in folder.glob("*") if place.name.isdigit()), default=0)
    partial = folder / f".{number}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(statistics, partial)
    card = {"fingerprint": fingerprint, "description": description, "rows": rows}
    (partial / _CARD).write_text(json.dumps(card) + "\n", encoding="utf-8")
    partial.rename(folder / str(number))
    for old in known[: len(known) + 1 - _KEPT_ENTRIES]:
        shutil.rmtree(folder / str(old.number))
    return number
