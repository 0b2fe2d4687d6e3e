"""`rejects.csv`: the rejected rows, as a CSV that can be fixed and read again."""

from __future__ import annotations

import csv
import heapq
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from tfx.dsl.io import fileio

from components.headline_example_gen.settings import DataConfig
from components.labelled_csv.rows import REJECT_NOTES, Fault
from components.labelled_csv.streams import open_csv
from serving.untrusted import inert_cell

if TYPE_CHECKING:
    from _csv import Writer

REJECTS_FILE = "rejects.csv"


def header(settings: DataConfig) -> list[str]:
    """Returns the columns that the reader reads, and between them those that explain each row, which it skips."""
    text, label, *others = settings.columns.values()
    names = [text, label]
    for note in REJECT_NOTES:
        while note in (*names, *others):
            note = f"rejected_{note}"
        names.append(note)
    return names + others


class PartWriter:
    """Writes faults, which come in the order of their lines, into one part.

    Args:
      path: of the part; it appears whole or not at all, so that Beam may try twice.
    """

    def __init__(self, path: str):
        self._path = path
        self._stream: BinaryIO | None = None

    def write(self, file: int, fault: Fault) -> None:
        """Adds a fault of the file of that number."""
        if self._stream is None:
            self._stream = fileio.open(f"{self._path}.partial", "wb")
            self._writer = _writer(self._stream)
        *fields, slices = fault
        self._writer.writerow((file, *fields, *slices))

    def close(self) -> None:
        """Renames the finished part to its path; without a fault there is none."""
        if self._stream is not None:
            self._stream.close()
            fileio.rename(f"{self._path}.partial", self._path, overwrite=True)


def merge_parts(
    file_parts: Sequence[str], shard_parts: Sequence[str], paths: Sequence[str], settings: DataConfig, target: str
) -> None:
    """Merges parts by file and line, row by row.

    Args:
      file_parts: paths of the parts of one file each, in the order of the files; one is open at a time, for there may
        be more of them than a process may open.
      shard_parts: paths of parts that hold rows of any files.
      paths: the data's files, by number.
      settings: for the names of the columns.
      target: path of `rejects.csv`; without parts it holds a header alone.
    """
    _, _, *others = settings.columns.values()
    by_file = itertools.chain.from_iterable(map(_read_part, file_parts))
    with fileio.open(target, "wb") as stream:
        sink = _writer(stream)
        sink.writerow(header(settings))
        for file, fault in heapq.merge(by_file, *map(_read_part, shard_parts), key=lambda row: (row[0], row[1].line)):
            title, label, path, reason = map(inert_cell, (fault.title, fault.label, paths[file], fault.reason))
            cells: dict[str | None, str] = {settings.split_column: fault.split, settings.group_column: fault.group}
            cells |= zip(settings.slice_columns, fault.slices, strict=False)  # a broken row has none
            rest = (inert_cell(cells.get(column, "")) for column in others)
            sink.writerow((title, label, path, fault.line, fault.rule, reason, *rest))


def _read_part(path: str) -> Iterator[tuple[int, Fault]]:
    with open_csv(path) as stream:
        for file, line, rule, reason, title, label, lines, split, group, *slices in csv.reader(stream):
            yield int(file), Fault(int(line), rule, reason, title, label, int(lines), split, group, tuple(slices))


def _writer(stream: BinaryIO) -> Writer:
    # Bytes, because a text stream would translate line breaks inside the titles; all text quoted, for the same reason.
    return csv.writer(_Encoder(stream), quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")


class _Encoder:
    def __init__(self, stream: BinaryIO):
        self._stream = stream

    def write(self, text: str) -> None:
        self._stream.write(text.encode())
