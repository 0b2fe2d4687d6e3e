"""Where requests are logged, how many of them, and how long they are kept."""

from __future__ import annotations

import dataclasses
from pathlib import Path


class RequestLogError(Exception):
    """Requests cannot be logged, or their log cannot be read, as asked."""

    exit_code = 2


@dataclasses.dataclass(frozen=True)
class LogOptions:
    """What a log is told.

    Raises:
      RequestLogError: a value is out of its bounds.
    """

    folder: Path
    """Made when missing, for its owner alone."""
    rate: float = 1.0
    """Share of the requests that are logged, each drawn by itself."""
    prefix: str = "requests"
    """Of the files' names; several logs may share a folder."""
    seed: int | None = None
    """Of the drawing; None: another at each start."""
    max_file_bytes: int = 64 << 20
    max_file_seconds: float = 3600.0
    """A file that has that size or age is followed by another."""
    max_log_bytes: int = 1 << 30
    max_files: int = 1000
    keep_days: float = 30.0
    """What is beyond these is deleted when another file is begun, the oldest first."""
    max_waiting_bytes: int = 16 << 20
    """Of requests that wait to be written; what comes while so many wait is not logged."""

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise RequestLogError(
                f"The share of requests that are logged is above 0 and at most 1. Received: {self.rate}."
            )
        if self.max_log_bytes < self.max_file_bytes:
            raise RequestLogError(
                f"A log holds at least one file. Received: {self.max_log_bytes:,} bytes in all, "
                f"{self.max_file_bytes:,} a file."
            )
        if not self.prefix or "/" in self.prefix:
            raise RequestLogError(f"The names of log files begin with a prefix. Received: {self.prefix!r}.")
