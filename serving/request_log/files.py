"""The files of one process's log: opened, rotated, and deleted when they are too old or too many."""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import re
import secrets
import time
from pathlib import Path

from serving.protocol.records import frame
from serving.request_log.options import LogOptions, RequestLogError

log = logging.getLogger("clickbait.request_log")

SUFFIX = ".tfrecord"
_PAUSE_S = 10.0
_DAY_S = 86_400


def make_folder(options: LogOptions) -> None:
    """Makes the folder, for its owner alone, and checks that files can be made in it.

    Raises:
      RequestLogError: they cannot.
    """
    folder = options.folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RequestLogError(
            f"The folder of the request log must be a folder. Received: {folder}: {error.strerror}. Give another."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RequestLogError(f"The folder of the request log must be writable. Received: {folder}. Give another.")


class LogFiles:
    """Writes records for one thread. A file is this object's alone, whatever other processes write beside it.

    Args:
      options: of the log.
    """

    def __init__(self, options: LogOptions):
        self._options = options
        self._descriptor: int | None = None
        self._path: Path | None = None
        self._size = 0
        self._begun_at = 0.0
        self._next_try = 0.0
        self._in_trouble = False

    def write(self, content: bytes) -> bool:
        """Writes a record to the operating system; returns False where that fails.

        After an error nothing is tried for some seconds: a full disk is reported once, not for each request.
        """
        if time.monotonic() < self._next_try:
            return False
        try:
            self._write(frame(content))
        except (OSError, RequestLogError) as error:
            self._note(error)
            return False
        if self._in_trouble:
            log.warning("logging requests again, to %s", self._path)
            self._in_trouble = False
        return True

    def close(self) -> None:
        """Closes the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, record: bytes) -> None:
        is_old = time.monotonic() - self._begun_at > self._options.max_file_seconds
        descriptor = self._descriptor
        if descriptor is None or is_old or self._size + len(record) > self._options.max_file_bytes:
            self.close()
            descriptor = self._begin()
        left = memoryview(record)
        while left:
            left = left[os.write(descriptor, left) :]
        self._size += len(record)

    def _begin(self) -> int:
        make_folder(self._options)
        self._delete_old()
        now = datetime.datetime.now(datetime.UTC)
        name = f"{self._options.prefix}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}{SUFFIX}"
        path = self._options.folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._descriptor, self._path, self._size, self._begun_at = descriptor, path, 0, time.monotonic()
        return descriptor

    def _note(self, error: Exception) -> None:
        if not self._in_trouble:
            log.warning(
                "requests cannot be logged to %s: %s; they are answered all the same, and logging is tried again",
                self._options.folder,
                error,
            )
        self._in_trouble, self._next_try = True, time.monotonic() + _PAUSE_S
        if self._descriptor is None:
            return
        # The file had better end after a whole record, but a torn one harms no reader: another file is begun.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, self._size)
        with contextlib.suppress(OSError):
            self.close()
        self._descriptor = None
        if self._path and not self._size:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _delete_old(self) -> None:
        """Makes room for one more file of full size."""
        options = self._options
        name = re.compile(rf"{re.escape(options.prefix)}-\d{{8}}-\d{{6}}-[0-9a-f]{{8}}{re.escape(SUFFIX)}")
        kept_bytes = kept_files = 0
        for path in sorted(options.folder.iterdir(), reverse=True):
            if not name.fullmatch(path.name):
                continue
            with contextlib.suppress(FileNotFoundError):  # another process was quicker
                status = path.stat()
                kept_bytes, kept_files = kept_bytes + status.st_size, kept_files + 1
                if (
                    kept_bytes > options.max_log_bytes - options.max_file_bytes
                    or kept_files >= options.max_files
                    or time.time() - status.st_mtime > options.keep_days * _DAY_S
                ):
                    path.unlink()
