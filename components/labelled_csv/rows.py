"""Reading labelled headlines from CSV (RFC 4180): every row is accepted or becomes a fault with its line and rule."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from components.errors import InputError
from components.labelled_csv.rules import SPLIT_NAMES, RowRules
from components.labelled_csv.streams import TfxFile
from components.titles import normalize
from serving.untrusted import (
    MAX_FIELD_CHARACTERS,
    MAX_LINE_CHARACTERS,
    LongLineError,
    bounded_lines,
    plain_cell,
    strict_csv,
    unpacked,
)

if TYPE_CHECKING:
    from _csv import Reader

_REPLACEMENT = "\ufffd"
_ILLEGIBLE = re.compile("[\0\ud800-\udfff]")  # NUL, and what the decoder makes of a byte that is not UTF-8
_SNIFFED_BYTES = 1 << 16
_MAX_ILLEGIBLE_SHARE = 0.2  # a text with some bad rows stays far below it; UTF-16 has half its bytes NUL
_UNREADABLE = (OSError, EOFError, zlib.error, UnicodeDecodeError)
_FORMATS = {
    b"PK\x03\x04": "a ZIP archive or a spreadsheet",
    b"PAR1": "Parquet",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"%PDF": "PDF",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
}
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}

REJECT_NOTES = ("file", "line", "rule", "reason")
"""The columns of a fixed `rejects.csv`, in which an apostrophe precedes what a spreadsheet would run."""

ANSWER = "answer"
REVIEW_NOTES = ("score", "suspect", "contradictions", ANSWER)
"""The columns of a file of `clickbait review`, in which an apostrophe precedes what a spreadsheet would run, too.

A row's answer stands for its label, where there is one.
"""


class Row(NamedTuple):
    """A row that passes the rules."""

    line: int
    """The line where it begins, from 1."""
    title: str
    label: int
    """1 for the positive class, else 0."""
    split: str | None = None
    """Where `data.split_column` says so."""
    group: str = ""
    """Of `data.group_column`, as it was read; blank where the row has none."""
    slices: tuple[str, ...] = ()
    """Of each of `data.slice_columns`, as it was read."""


class Fault(NamedTuple):
    """A row that fails a rule, with all that is needed to fix it."""

    line: int
    rule: str
    """One word for counting, e.g. `blank_title`."""
    reason: str
    """For people."""
    title: str
    """The text where it is known, else the whole row; unreadable bytes are U+FFFD.

    No longer than a field may be, so that it can be read back.
    """
    label: str
    """The label as it was read."""
    lines: int = 1
    """How many lines the row spans."""
    split: str = ""
    """As it was read, where there is `data.split_column`."""
    group: str = ""
    """As it was read, where there is `data.group_column`."""
    slices: tuple[str, ...] = ()
    """As `Row.slices`; empty where the row has not as many fields as the header."""


def read_header(path: str, settings: RowRules) -> list[str]:
    """Checks that a file is a CSV with the columns that are read, and returns all its columns.

    Raises:
      InputError: the file cannot be opened, is empty or no text, or its header is not what was expected.
    """
    try:
        with _open_text(path) as stream:
            return _header(path, strict_csv(_Lines(path, stream)), settings)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def read_rows(path: str, settings: RowRules) -> Iterator[Row | Fault]:
    """Streams a file's rows, in order; blank lines are no rows.

    Raises:
      InputError: as `read_header`, or the file stops being a CSV on the way.
    """
    try:
        with _open_text(path) as stream:
            lines = _Lines(path, stream)
            reader = strict_csv(lines)
            header = _header(path, reader, settings)
            check = _row_check(header, settings)
            while True:
                line = reader.line_num + 1
                lines.pending.clear()
                try:
                    fields = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield _malformed(path, line, lines, error)
                    continue
                if fields:
                    row = check(line, fields)
                    yield row if len(lines.pending) == 1 else _over_lines(row, len(lines.pending), settings)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def _row_check(header: list[str], settings: RowRules) -> Callable[[int, list[str]], Row | Fault]:
    width, text_column, label_column = len(header), settings.text_column, settings.label_column
    text_at, label_at = header.index(text_column), header.index(label_column)
    split_column, group_column = settings.split_column, settings.group_column
    split_at = header.index(split_column) if split_column else None
    group_at = header.index(group_column) if group_column else None
    slices_at = [header.index(column) for column in settings.slice_columns or ()]
    labels, limit = settings.labels, settings.max_title_characters
    expected = " or ".join(labels)
    is_review = {*REVIEW_NOTES} <= {*header}
    escaped = is_review or {*REJECT_NOTES} <= {*header}
    answer_at = header.index(ANSWER) if is_review else label_at

    def check(line: int, fields: list[str]) -> Row | Fault:
        count = len(fields)
        text, label = (fields[text_at], fields[label_at]) if count == width else (_as_csv(fields), "")
        split = fields[split_at] if split_at is not None and count == width else ""
        group = fields[group_at] if group_at is not None and count == width else ""
        slices = tuple(fields[at] for at in slices_at) if slices_at and count == width else ()
        if count == width and fields[answer_at].strip():
            label = fields[answer_at]
        if escaped:
            text, label, split, group, *cells = map(plain_cell, (text, label, split, group, *slices))
            slices = tuple(cells)

        def fault(rule: str, reason: str) -> Fault:
            return Fault(
                line=line,
                rule=rule,
                reason=reason,
                title=_legible(text),
                label=_legible(label),
                split=_legible(split),
                group=_legible(group),
                slices=tuple(map(_legible, slices)),
            )

        whole = "".join(fields)
        plain = whole.isascii() and "\0" not in whole
        if not plain:
            for field, column in zip(fields, header, strict=False):
                if illegible := _illegible(field):
                    rule, what = illegible
                    return fault(rule, f"the {_short(_legible(column))} {what}")
        if count != width:
            return fault("field_count", f"expected {width} fields, found {count}")
        if not text.strip() or (not plain and not normalize(text)):
            return fault("blank_title", f"the {text_column} is blank")
        if len(text) > limit:
            return fault("long_title", f"the {text_column} has {len(text):,} characters, expected at most {limit:,}")
        if not plain and _REPLACEMENT in text:
            at = text.index(_REPLACEMENT) + 1
            return fault("not_utf8", f"the {text_column} has lost a character: U+FFFD at character {at}")
        known = labels.get(label.strip().lower())
        if known is None:
            if not label.strip():
                return fault("blank_label", f"the {label_column} is blank, expected {expected}")
            return fault("unknown_label", f"the {label_column} is {_short(label)!r}, expected {expected}")
        if split_column is None:
            return Row(line, text, known, group=group, slices=slices)
        if name := SPLIT_NAMES.get(normalize(split)):
            return Row(line, text, known, name, group, slices)
        if not split.strip():
            return fault("blank_split", f"the {split_column} is blank, expected train or eval")
        return fault("unknown_split", f"the {split_column} is {_short(split)!r}, expected train or eval")

    return check


def _over_lines(row: Row | Fault, lines: int, settings: RowRules) -> Row | Fault:
    if isinstance(row, Fault):
        return row._replace(lines=lines)
    if lines <= settings.max_row_lines:
        return row
    most = settings.max_row_lines
    reason = f"the row spans {lines:,} lines, expected at most {most}; look for a quote that is closed late"
    return Fault(row.line, "long_row", reason, row.title, "", lines, row.split or "", row.group, row.slices)


def _illegible(field: str) -> tuple[str, str] | None:
    """Returns the rule that a field's characters fail, and how; None where they pass."""
    found = _ILLEGIBLE.search(field)
    if found is None:
        return None
    at = found.start() + 1
    if found[0] == "\0":
        return "nul", f"has a NUL byte at character {at}"
    return "not_utf8", f"is not UTF-8: byte 0x{ord(found[0]) & 0xFF:02x} at character {at}"


def _malformed(path: str, line: int, lines: _Lines, error: csv.Error) -> Fault:
    """Returns the fault of a row that the csv module cannot read; raises for a quote that stays open."""
    read = len(lines.pending)
    too_long = "field limit" in str(error)
    if lines.ended or (too_long and read > 1):
        raise InputError(
            f"{path}:{line}: a quoted field must be closed. Received: a row whose quote is still open "
            f"{'at the end of the file' if lines.ended else f'{read:,} lines on'}. Close it, or double the quotes "
            "inside the field."
        )
    text = _legible("".join(lines.pending).rstrip("\r\n"))
    if too_long:
        return Fault(line, "long_field", f"a field has more than {MAX_FIELD_CHARACTERS:,} characters", text, "")
    end = f", line {line + read - 1}" if read > 1 else ""
    return Fault(line, "quoting", f"text after a closing quote{end}; quotes inside a field are doubled", text, "", read)


def _header(path: str, reader: Reader, settings: RowRules) -> list[str]:
    *columns, last = map(repr, settings.columns.values())
    rule = f"the first line must have the columns {', '.join(columns)} and {last}"
    header: list[str] = []
    try:
        while not header:
            place = f"{path}:{reader.line_num + 1}"
            header = next(reader)
    except StopIteration:
        raise InputError(f"{path}: {rule}. Received: an empty file. Give another file.") from None
    except csv.Error as error:
        raise InputError(f"{place}: {rule}. Received: a line that is no CSV ({error}). Fix it.") from error
    found = ", ".join(_short(_legible(column)) for column in header[:20]) + (", ..." if len(header) > 20 else "")
    if any(_illegible(column) for column in header):
        raise InputError(f"{place}: {rule}, in UTF-8. Received: {found}. Save it as CSV (UTF-8).")
    for option, column in settings.columns.items():
        if column not in header:
            other = next((name for mark, name in _SEPARATORS.items() if len(header) == 1 and mark in header[0]), None)
            way_out = (
                f"Separate the columns with commas, not {other}."
                if other
                else (f"Name the right column with {option}, or add the line of column names.")
            )
            raise InputError(f"{place}: {rule}. Received: {found}. {way_out}")
    for column in header:
        if column and header.count(column) > 1:
            raise InputError(
                f"{place}: each column must have a name of its own. Received: {_short(column)!r} more than once in "
                f"{found}. Rename or remove one."
            )
    if settings.text_column == settings.label_column:
        raise InputError(
            f"The text and the label must be two columns. Received: {settings.text_column!r} for both. Give "
            f"{' and '.join([*settings.columns][:2])}."
        )
    others: dict[str, str] = {}
    for option, column in settings.columns.items():
        if column in others:
            raise InputError(
                f"{option} must name a column of its own. Received: {column!r}, which {others[column]} names, too. "
                "Give another, or leave it out."
            )
        others[column] = option
    return header


class _Lines:
    """A text stream's lines for the csv module, with those of the row that is being read kept aside."""

    def __init__(self, path: str, stream: io.TextIOBase):
        self.pending: list[str] = []
        self.ended = False
        self._path = path
        self._lines = bounded_lines(stream)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        try:
            line = next(self._lines)
        except StopIteration:
            self.ended = True
            raise
        except LongLineError as error:
            raise InputError(
                f"{self._path}:{error.number}: a line must have at most {MAX_LINE_CHARACTERS:,} characters. "
                "Received: a longer one. Save it as CSV, a line for each row."
            ) from error
        self.pending.append(line)
        return line


@contextlib.contextmanager
def _open_text(path: str) -> Iterator[io.TextIOBase]:
    """Opens a file's text, decompressed when it is gzip, whatever its name.

    Raises:
      InputError: it is no text.
    """
    if _ILLEGIBLE.search(path):
        raise InputError(f"{_legible(path)}: a file's name must be UTF-8. Received: other bytes. Rename it.")
    with contextlib.ExitStack() as stack:
        packed = stack.enter_context(io.BufferedReader(_open_binary(path), _SNIFFED_BYTES))
        stream = stack.enter_context(unpacked(packed))
        if stream is packed and path.endswith(".gz") and packed.peek(1):
            raise InputError(
                f"{path}: a file named .gz must be compressed with gzip. Received: something else. Rename it."
            )
        head = stream.peek(_SNIFFED_BYTES)[:_SNIFFED_BYTES]
        kind = next((kind for magic, kind in _FORMATS.items() if head.startswith(magic)), None)
        if kind is None and head and _illegible_share(head) > _MAX_ILLEGIBLE_SHARE:
            kind = "UTF-16 or binary" if b"\0" in head else "binary, or text in another encoding"
        if kind:
            raise InputError(
                f"{path}: the file must be a CSV in UTF-8, plain or gzip. Received: {kind}. Save it as CSV (UTF-8)."
            )
        yield stack.enter_context(io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline=""))


def _open_binary(path: str) -> io.RawIOBase:
    if "://" in path:
        return TfxFile(path)
    return Path(path).open("rb", buffering=0)


def _illegible_share(head: bytes) -> float:
    """Returns the share of characters that no text has: NUL, other control characters, bytes that are not UTF-8."""
    text = head.decode("utf-8", "surrogateescape")
    return sum(
        1 for sign in text if (sign < " " and sign not in "\t\n\r\f\v\x1b") or "\udc80" <= sign <= "\udcff"
    ) / len(text)


def _unreadable(path: str, error: Exception) -> InputError:
    found = getattr(error, "strerror", None) or str(error) or "it ends in the middle"
    return InputError(f"{path}: the file must be a readable CSV in UTF-8, plain or gzip. Received: {found}.")


def _as_csv(fields: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(fields)  # so that fields with either of these are quoted
    return line.getvalue()[:-2]


def _legible(text: str) -> str:
    return _ILLEGIBLE.sub(_REPLACEMENT, text[:MAX_FIELD_CHARACTERS])


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
