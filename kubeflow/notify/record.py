"""The record of the runs that somebody was notified of: a small file, so that none is left out and none comes twice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import filelock
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from serving.whole_file import write_whole

LATE = timedelta(days=1)
"""How much later than others a run's end may become known: as long its id is kept."""


class RecordError(Exception):
    """The file cannot be used."""

    exit_code = 2


class Record(BaseModel):
    """What is in the file.

    Attributes:
      version: of the format.
      scope: the id of the pipeline or the experiment whose runs these are.
      since: runs that ended before are left alone.
      ended: the ends that are done with, by the run's id. A run that is retried ends again, at another time.
      overdue: ids of runs that had not ended in time.
    """

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    scope: str
    since: AwareDatetime
    ended: dict[str, AwareDatetime] = {}
    overdue: list[str] = []

    def forget(self, waiting: list[datetime]) -> None:
        """Drops what no listing comes to any more.

        Args:
          waiting: ends of the runs that nobody was notified of, though somebody should be.
        """
        known = [*self.ended.values(), *waiting]
        if known:
            self.since = max(self.since, min([max(known), *waiting]) - LATE)
        self.ended = {run: end for run, end in self.ended.items() if end >= self.since}

    def save(self, path: Path) -> None:
        """Writes the file, as a whole or not at all.

        Raises:
          RecordError: it cannot be written.
        """
        try:
            write_whole(path, self.model_dump_json(indent=2) + "\n", flush=True)
        except OSError as error:
            raise RecordError(
                f"--state must be writable. Received: {path}: {error.strerror}. Give another file."
            ) from error


def read_record(path: Path, scope: str, since: datetime) -> Record:
    """Returns the record in a file, a new one where there is none.

    Args:
      path: of the file.
      scope: see `Record`.
      since: of a new one.

    Raises:
      RecordError: it is no such file, or that of other runs.
    """
    try:
        record = Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Record(scope=scope, since=since)
    except OSError as error:
        raise RecordError(
            f"--state must be readable. Received: {path}: {error.strerror}. Give another file."
        ) from error
    except ValidationError as error:
        raise RecordError(
            f"--state must be a file that `notify` wrote. Received: {path}, which is another, or of a later version. "
            "Give another; or remove it, and say by --since from when on runs are news."
        ) from error
    if record.scope != scope:
        raise RecordError(
            f"--state must be of the same pipeline or experiment. Received: {path}, which is of {record.scope}, for "
            f"{scope}. Give each a file of its own."
        )
    return record


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the record against a second notifier.

    Raises:
      RecordError: another holds it, or the folder cannot be written.
    """
    lock = filelock.FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise RecordError(
            f"--state must be used by one notifier at a time. Received: {path}, which another is using. Wait for it, "
            "or give another file for other runs."
        ) from error
    except OSError as error:
        raise RecordError(
            f"--state must be in a folder that is there and can be written. Received: {path}: {error.strerror}. Give "
            "another file."
        ) from error
    try:
        yield
    finally:
        lock.release()
