"""Finds and reads request logs."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.message import DecodeError

from serving.protocol.messages import PredictionLog
from serving.protocol.records import RecordError, read_records
from serving.request_log.files import SUFFIX
from serving.request_log.options import RequestLogError


def find_logs(patterns: Sequence[str | Path]) -> list[Path]:
    """Returns the files that folders, globs and names of files stand for, sorted by name.

    Raises:
      RequestLogError: a pattern matches no file.
    """
    logs: set[Path] = set()
    for pattern in map(str, patterns):
        paths = (
            [Path(pattern)] if Path(pattern).exists() else [Path(name) for name in glob.glob(pattern, recursive=True)]
        )
        files = [file for path in paths for file in (path.glob(f"*{SUFFIX}") if path.is_dir() else [path])]
        if not files:
            problem = f"no *{SUFFIX} in it" if Path(pattern).is_dir() else "where there is nothing"
            raise RequestLogError(
                f"Logs must be a folder, a file or a glob of TFRecords of PredictionLog. Received: {pattern}, "
                f"{problem}. `clickbait serve --request_log_dir=DIR` and `clickbait predict --log-to DIR` write them."
            )
        logs.update(files)
    return sorted(logs, key=lambda path: (path.name, path))


def read_log(path: Path) -> Iterator[PredictionLog]:
    """Yields the entries of a file.

    Raises:
      RecordError: the bytes after the last whole entry are not an entry.
      OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        for record in read_records(stream):
            try:
                yield PredictionLog.FromString(record)
            except DecodeError as error:
                raise RecordError("a record is no PredictionLog", torn=False) from error
