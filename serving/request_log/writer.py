"""The request log: draws a sample, and writes it in a thread of its own. Never slows or fails a request."""

from __future__ import annotations

import atexit
import logging
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from google.protobuf.message import Message

from serving.protocol.messages import PredictionLog
from serving.request_log.files import LogFiles, make_folder
from serving.request_log.options import LogOptions

log = logging.getLogger("clickbait.request_log")

PREDICT = "predict_log"  # the field of a PredictionLog
_REPORT_EVERY_S = 60.0
_CLOSE_S = 10.0


class RequestLog:
    """Logs a sample of the requests that were answered. Threads may share one.

    No file is made before there is a request to log; the folder is.

    Args:
      options: of the log.

    Attributes:
      dropped: how many of the sample were not written, because too many waited or writing failed.

    Raises:
      RequestLogError: the folder cannot be written.
    """

    def __init__(self, options: LogOptions):
        make_folder(options)
        self._options = options
        self._random = random.Random(options.seed)
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._thread: threading.Thread | None = None
        self._closed = False
        self.dropped = self._reported_dropped = 0

    @property
    def folder(self) -> Path:
        """The folder of the files."""
        return self._options.folder

    def offer(self, kind: str, messages: Callable[[], tuple[Message, Message]]) -> None:
        """Logs a request, if the sample includes it.

        Args:
          kind: the field of a PredictionLog, `PREDICT`.
          messages: makes the request and the response, of any set of TF Serving's messages; called only if logged.
        """
        if self._random.random() >= self._options.rate:
            return
        if os.getpid() != self._pid:
            self._begin()  # the thread, and perhaps the holder of the lock, stayed behind in the parent
        try:
            record = _make_record(kind, *messages(), self._options.rate)
        except Exception:
            with self._changed:
                self.dropped += 1
            log.exception("a request was answered and could not be logged")
            return
        with self._changed:
            if self._closed or self._waiting_bytes + len(record) > self._options.max_waiting_bytes:
                self.dropped += 1
                return
            self._waiting.append(record)
            self._waiting_bytes += len(record)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="request log", daemon=True)
                self._thread.start()
                atexit.register(self.close)
            self._changed.notify()

    def close(self) -> None:
        """Writes the waiting requests, for some seconds at most, and closes the log."""
        if os.getpid() != self._pid:
            return
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is None:
            self._report_dropped()
            return
        atexit.unregister(self.close)
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            log.warning("the request log is closed with %d requests not written", len(self._waiting) + 1)

    def _write(self) -> None:
        files, reported_at = LogFiles(self._options), time.monotonic()
        while (record := self._next()) is not None:
            written = files.write(record)
            with self._changed:
                self._waiting_bytes -= len(record)
                self.dropped += not written
            if time.monotonic() - reported_at > _REPORT_EVERY_S:
                self._report_dropped()
                reported_at = time.monotonic()
        files.close()
        self._report_dropped()

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return self._waiting.popleft() if self._waiting else None

    def _report_dropped(self) -> None:
        if self.dropped > self._reported_dropped:
            log.warning("%d requests of the sample were not logged", self.dropped - self._reported_dropped)
            self._reported_dropped = self.dropped


def _make_record(kind: str, request: Message, response: Message, rate: float) -> bytes:
    entry = PredictionLog()
    log_of_kind = getattr(entry, kind)
    log_of_kind.request.MergeFromString(request.SerializeToString())
    log_of_kind.response.MergeFromString(response.SerializeToString())
    # Over REST a response does not name its model.
    spec = log_of_kind.response.model_spec if log_of_kind.response.model_spec.name else log_of_kind.request.model_spec
    entry.log_metadata.model_spec.CopyFrom(spec)
    entry.log_metadata.sampling_config.sampling_rate = rate
    entry.log_metadata.timestamp_secs = int(time.time())
    return entry.SerializeToString()
