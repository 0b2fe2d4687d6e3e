"""CSV, JSON Lines and plain lines as input: UTF-8, plain or gzip, and nothing is guessed."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from serving.client.bulk.rows import Chunk, Contents, no_column, no_text
from serving.client.errors import FileError
from serving.json_value import JsonObject, JsonValue
from serving.untrusted import MAX_LINE_CHARACTERS, LongLineError, bounded_lines, strict_csv, unpacked

if TYPE_CHECKING:
    from _csv import Reader as _Reader

_SURROGATES = re.compile("[\ud800-\udfff]")
_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean"}
_INT64 = range(-(1 << 63), 1 << 63)

_Item = TypeVar("_Item")


class _TextSource:
    """The base of the three formats: opening, decoding, and errors by file and line.

    Args:
      path: of the file.
      text_column: the name of its column of texts.
    """

    newline = "\n"

    def __init__(self, path: str, text_column: str):
        self.path = path
        self.text_column = text_column

    @contextlib.contextmanager
    def _lines(self) -> Iterator[Iterator[str]]:
        try:
            with contextlib.ExitStack() as stack:
                packed = stack.enter_context(self._open())
                stream = stack.enter_context(unpacked(packed))
                text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline=self.newline)
                yield self._whole_lines(stack.enter_context(text))
        except UnicodeDecodeError as error:
            raise FileError(
                f"{self.path} must be UTF-8. Received: byte 0x{error.object[error.start]:02x}, which is not "
                f"({error.reason}). Save it as UTF-8."
            ) from error
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or str(error) or "it ends in the middle"
            raise FileError(f"{self.path} must be readable. Received: {reason}. Give another --input.") from error

    def _open(self) -> io.BufferedReader:
        return Path(self.path).open("rb")

    def _whole_lines(self, stream: io.TextIOBase) -> Iterator[str]:
        try:
            yield from bounded_lines(stream)
        except LongLineError as error:
            raise FileError(
                f"{self.path}:{error.number}: a line must have fewer than {MAX_LINE_CHARACTERS:,} characters. "
                "Received: more. Check that the format is that of the suffix."
            ) from error


class LinesSource(_TextSource):
    """A text a line; an empty line is an empty text, so that lines in and lines out agree.

    Args:
      path: of the file, or the name of the stream.
      text_column: the name of the output's column of texts.
      stream: read, once, instead of a file.
    """

    def __init__(self, path: str, text_column: str, stream: BinaryIO | None = None):
        super().__init__(path, text_column)
        self._stream = stream

    def _open(self) -> io.BufferedReader:
        if self._stream is None:
            return super()._open()
        if isinstance(self._stream, io.BufferedReader):
            return self._stream
        return io.BufferedReader(self._stream)  # type: ignore[arg-type]  # typeshed's BinaryIO lacks readinto

    def scan(self) -> Contents:
        """As `Source.scan`."""
        return Contents(sum(len(chunk.texts) for chunk in self.chunks(1 << 12)), {self.text_column: "string"})

    def chunks(self, size: int) -> Iterator[Chunk]:
        """As `Source.chunks`."""
        with self._lines() as lines:
            for group in _groups((line.rstrip("\r\n") for line in lines), size):
                yield Chunk(group, rows=[(text,) for text in group])


class CsvSource(_TextSource):
    """RFC 4180 with a first line of column names; blank lines are no rows."""

    newline = ""

    def _whole_lines(self, stream: io.TextIOBase) -> Iterator[str]:
        for number, line in enumerate(super()._whole_lines(stream), start=1):
            if at := line.find("\0") + 1:  # the csv module would take it; in training data such a row is rejected
                raise FileError(
                    f"{self.path}:{number}: a CSV must hold text. Received: a NUL byte at character {at} of the line. "
                    "Save it as UTF-8, or remove the byte."
                )
            yield line

    def scan(self) -> Contents:
        """As `Source.scan`."""
        with self._lines() as lines:
            header = self._header(self._reader(lines))
        return Contents(sum(len(chunk.texts) for chunk in self.chunks(1 << 12)), dict.fromkeys(header, "string"))

    def chunks(self, size: int) -> Iterator[Chunk]:
        """As `Source.chunks`."""
        with self._lines() as lines:
            reader = self._reader(lines)
            header = self._header(reader)
            at = header.index(self.text_column)
            for rows in _groups(self._rows(reader, len(header)), size):
                yield Chunk([row[at] for row in rows], rows=rows)

    def _reader(self, lines: Iterator[str]) -> _Reader:
        return strict_csv(lines)

    def _header(self, reader: _Reader) -> list[str]:
        header = next(self._records(reader), (0, []))[1]
        if self.text_column not in header:
            raise no_column(self.path, self.text_column, header)
        for column in header:
            if header.count(column) > 1:
                raise FileError(
                    f"{self.path}: column names must be unique. Received: {column!r} more than once. Rename one."
                )
        return header

    def _rows(self, reader: _Reader, width: int) -> Iterator[list[str]]:
        for line, fields in self._records(reader):
            if len(fields) != width:
                raise FileError(
                    f"{self.path}:{line}: a row must have the header's {width} fields. Received: {len(fields)}. Quote "
                    "fields that hold commas or line breaks."
                )
            yield fields

    def _records(self, reader: _Reader) -> Iterator[tuple[int, list[str]]]:
        """Yields the rows that are not blank, each with the line where it begins."""
        while True:
            line = reader.line_num + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise FileError(
                    f"{self.path}:{line}: a row must be RFC 4180 CSV. Received: one that is not ({error}). Close each "
                    "quote, and double the quotes inside a field."
                ) from error
            if fields:
                yield line, fields


class JsonlSource(_TextSource):
    """A JSON object a line; blank lines are no rows."""

    def scan(self) -> Contents:
        """As `Source.scan`."""
        kinds: dict[str, set[str]] = {}
        rows = 0
        with self._lines() as lines:
            for row in self._objects(lines):
                rows += 1
                for name, value in row.items():
                    kinds.setdefault(name, set()).add(_kind(value))
        columns = kinds or {self.text_column: set()}
        return Contents(rows, {name: _common(of_column) for name, of_column in columns.items()})

    def chunks(self, size: int) -> Iterator[Chunk]:
        """As `Source.chunks`."""
        with self._lines() as lines:
            for objects in _groups(self._objects(lines), size):
                yield Chunk([str(row[self.text_column]) for row in objects], objects=objects)

    def _objects(self, lines: Iterator[str]) -> Iterator[JsonObject]:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise FileError(
                    f"{self.path}:{number}: a line must be a JSON object. Received: {error}. Correct it."
                ) from error
            if not isinstance(row, dict):
                raise FileError(
                    f"{self.path}:{number}: a line must be a JSON object. Received: {line.strip()[:40]}. Correct it."
                )
            if self.text_column not in row:
                raise no_column(f"{self.path}:{number}", self.text_column, list(row))
            if not isinstance(row[self.text_column], str):
                raise no_text(self.path, number, "line", json.dumps(row[self.text_column])[:40])
            if "\\ud" in line.lower() and _SURROGATES.search(json.dumps(row, ensure_ascii=False)):
                raise no_text(self.path, number, "line", "half of a surrogate pair, which no UTF-8 has,")
            yield row


def _kind(value: JsonValue) -> str:
    if value is None:
        return ""
    kind = _KINDS.get(type(value), "json")
    return "json" if kind == "integer" and value not in _INT64 else kind


def _common(found: set[str]) -> str:
    kinds = found - {""}
    if kinds == {"integer", "number"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else ("json" if kinds else "string")


def _groups(items: Iterator[_Item], size: int) -> Iterator[list[_Item]]:
    group: list[_Item] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
