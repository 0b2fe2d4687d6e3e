"""Joins calls of a few texts that wait for a core into one computation, which costs little more than one of them.

A call computes at once while a core is free, so one client waits for nobody. Needs no TensorFlow.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from serving.server.errors import deadline_exceeded

MAX_ROWS_OF_CALL = 64
"""A call of more is no quicker when it is joined."""
_MAX_ROWS = 512

Compute = Callable[[Sequence[bytes], int], list[np.ndarray]]
"""Computes outputs, a row a text, within so many milliseconds; 0 for any time. What it raises, `run` raises."""


@dataclasses.dataclass(eq=False)
class _Call:
    texts: Sequence[bytes]
    deadline: float | None
    woken: threading.Event = dataclasses.field(default_factory=threading.Event)
    batch: list[_Call] | None = None
    """The calls that this one computes, itself in front; None while another one does."""
    outputs: list[np.ndarray] | None = None
    error: Exception | None = None


class JoinedCalls:
    """The calls of one signature of a model whose rows do not depend on one another. Threads share it.

    Args:
      compute: as above.
      at_once: how many computations run beside each other.
    """

    def __init__(self, compute: Compute, at_once: int):
        self._compute = compute
        self._free = at_once
        self._waiting: collections.deque[_Call] = collections.deque()
        self._lock = threading.Lock()

    def run(self, texts: Sequence[bytes], timeout_ms: int = 0) -> list[np.ndarray]:
        """Computes the outputs of the texts, alone or with those of other calls.

        Raises:
          ServingError: DEADLINE_EXCEEDED, while they waited.
        """
        call = _Call(texts, time.monotonic() + timeout_ms / 1000 if timeout_ms else None)
        with self._lock:
            if self._free:
                self._free -= 1
                call.batch = [call]
            else:
                self._waiting.append(call)
        if call.batch is None:
            call.woken.wait()
        if call.batch is not None:
            try:
                self._answer(call.batch)
            finally:
                self._pass_on()
        if call.error is not None:
            raise call.error
        assert call.outputs is not None
        return call.outputs

    def _answer(self, batch: list[_Call]) -> None:
        try:
            now = time.monotonic()
            for call in batch:
                if call.deadline is not None and call.deadline <= now:
                    call.error = deadline_exceeded()
            live = [call for call in batch if call.error is None]
            if live and not self._compute_together(live, now):
                for call in live:
                    self._compute_together([call], now)
        finally:
            for call in batch[1:]:
                call.woken.set()

    def _compute_together(self, calls: list[_Call], now: float) -> bool:
        """Returns whether it is known what becomes of each call: of several that fail, one alone may be to blame."""
        deadlines = [call.deadline for call in calls if call.deadline is not None]
        seconds = max(deadlines) - now if len(deadlines) == len(calls) else 0.0
        try:
            outputs = self._compute([text for call in calls for text in call.texts], math.ceil(seconds * 1000))
        except Exception as error:
            if len(calls) > 1:
                return False
            calls[0].error = error
            return True
        start = 0
        for call in calls:
            end = start + len(call.texts)
            call.outputs = [output[start:end] for output in outputs]
            start = end
        return True

    def _pass_on(self) -> None:
        """Gives the core that is free now to the calls that waited longest, or to nobody."""
        with self._lock:
            batch, rows = [], 0
            while self._waiting and rows + len(self._waiting[0].texts) <= _MAX_ROWS:
                batch.append(self._waiting.popleft())
                rows += len(batch[-1].texts)
            if not batch:
                self._free += 1
                return
        batch[0].batch = batch
        batch[0].woken.set()
