"""CSV and JSON Lines as output: all columns of the input, and the score."""

from __future__ import annotations

import gzip
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence

from serving.classes import Unsure
from serving.client.bulk.rows import PREDICTION, Chunk, Contents, added_columns, predictions
from serving.untrusted import inert_cell
from trainer.features import PROBABILITY

_TO_QUOTE = re.compile('[",\r\n]')


class _TextSink:
    def __init__(self, path: str, contents: Contents, unsure: Unsure | None, *, compressed: bool):
        self._columns = list(contents.columns)
        self._unsure = unsure
        stream = gzip.GzipFile(path, "wb", 6) if compressed else io.BufferedWriter(io.FileIO(path, "wb"))
        self._stream = io.TextIOWrapper(stream, encoding="utf-8", newline="")

    def _classes(self, scores: Sequence[float]) -> list[dict[str, str | None]]:
        """Returns for each row the columns after the score."""
        if self._unsure is None:
            return [{}] * len(scores)
        return [{PREDICTION: name} for name in predictions(scores, self._unsure)]

    def close(self) -> None:
        """As `Sink.close`."""
        self._stream.close()


class CsvSink(_TextSink):
    """RFC 4180 with a header; other values than text as JSON, and formulas of spreadsheets after an apostrophe."""

    def __init__(self, path: str, contents: Contents, unsure: Unsure | None, *, compressed: bool):
        super().__init__(path, contents, unsure, compressed=compressed)
        self._stream.write(_csv_line([*self._columns, *added_columns(unsure)]))

    def write(self, chunk: Chunk, scores: Sequence[float]) -> None:
        """As `Sink.write`."""
        rows = zip(rows_of(chunk, self._columns), scores, self._classes(scores), strict=True)
        self._stream.writelines(
            _csv_line([*map(_csv_value, row), format_score(score), *map(_csv_value, classes.values())])
            for row, score, classes in rows
        )


class JsonlSink(_TextSink):
    """A JSON object a line."""

    def write(self, chunk: Chunk, scores: Sequence[float]) -> None:
        """As `Sink.write`."""
        rows: Iterable[Mapping[str, object]] = chunk.objects or (
            dict(zip(self._columns, row, strict=True)) for row in rows_of(chunk, self._columns)
        )
        for row, score, classes in zip(rows, scores, self._classes(scores), strict=True):
            text = format_score(score)
            self._stream.write(f"{_json({**row, PROBABILITY: float(text) if text else None, **classes})}\n")


def rows_of(chunk: Chunk, columns: Sequence[str]) -> Sequence[Sequence[object]]:
    """Returns the rows of a chunk, each with a value for each column, None where a row has none."""
    if chunk.batch is not None:
        return list(zip(*(column.to_pylist() for column in chunk.batch.columns), strict=True))
    if chunk.objects is not None:
        return [[row.get(name) for name in columns] for row in chunk.objects]
    return chunk.rows or []


def format_score(score: float) -> str:
    """Returns nine digits, which tell any float32 from its neighbours; empty for NaN and infinity."""
    return f"{score:.9g}" if math.isfinite(score) else ""


def _json(row: Mapping[str, object]) -> str:
    try:
        return json.dumps(row, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(row), ensure_ascii=False, default=str, allow_nan=False)


def _finite(value: object) -> object:
    """Replaces the numbers that JSON does not have by None."""
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _csv_line(fields: Sequence[str]) -> str:
    """Returns a line of RFC 4180, ended by a line feed; Python's csv before 3.13 leaves a carriage return unquoted."""
    cells = map(inert_cell, fields)
    quoted = ('"' + cell.replace('"', '""') + '"' if _TO_QUOTE.search(cell) else cell for cell in cells)
    return ",".join(quoted) + "\n"


def _csv_value(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, bool | int | float | dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)
