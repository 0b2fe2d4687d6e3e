"""The logs of requests, read back."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.message import DecodeError

from serving.protocol.messages import PredictionLog
from serving.protocol.records import RecordError, read_records
from serving.request_log.files import SUFFIX
from serving.request_log.options import RequestLogError


def find_logs(places: Sequence[str | Path]) -> list[Path]:
    """The files that folders, globs and names of files stand for, in the order of their names.

    Raises:
      RequestLogError: a place stands for none.
    """
    found: set[Path] = set()
    for place in map(str, places):
        paths = [Path(place)] if Path(place).exists() else [Path(one) for one in glob.glob(place, recursive=True)]
        files = [file for path in paths for file in (path.glob(f"*{SUFFIX}") if path.is_dir() else [path])]
        if not files:
            problem = f"no *{SUFFIX} in it" if Path(place).is_dir() else "where there is nothing"
            raise RequestLogError(
                f"Logs are a folder, a file or a glob of TFRecords of PredictionLog. Received: {place}, {problem}. "
                "`clickbait serve --request_log_dir=DIR` and `clickbait predict --log-to DIR` write them."
            )
        found.update(files)
    return sorted(found, key=lambda path: (path.name, path))


def read_log(path: Path) -> Iterator[PredictionLog]:
    """The entries of a file.

    Raises:
      RecordError: after the last whole entry there is something else.
      OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        for record in read_records(stream):
            try:
                yield PredictionLog.FromString(record)
            except DecodeError as error:
                raise RecordError("a record is no PredictionLog", torn=False) from error
