"""The options of a request log: its folder, its sampling rate, and how long files are kept."""

from __future__ import annotations

import dataclasses
from pathlib import Path


class RequestLogError(Exception):
    """Requests cannot be logged, or a log of them cannot be read."""

    exit_code = 2


@dataclasses.dataclass(frozen=True)
class LogOptions:
    """The options of a request log.

    Raises:
      RequestLogError: a value is out of bounds.
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
    """Files beyond these limits are deleted when another file is begun, the oldest first."""
    max_waiting_bytes: int = 16 << 20
    """Of requests that wait to be written; requests beyond this limit are not logged."""

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise RequestLogError(
                f"The share of requests that are logged must be above 0 and at most 1. Received: {self.rate}."
            )
        if self.max_log_bytes < self.max_file_bytes:
            raise RequestLogError(
                f"A log must have room for at least one file. Received: {self.max_log_bytes:,} bytes in all, "
                f"{self.max_file_bytes:,} a file."
            )
        if not self.prefix or "/" in self.prefix:
            raise RequestLogError(
                f"The prefix of log files must be a file name. Received: {self.prefix!r}. Give one without a slash."
            )
