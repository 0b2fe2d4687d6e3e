"""How many calls a bulk run may have in flight to a server that refuses some, and when it sends the next."""

from __future__ import annotations

import time
from collections.abc import Callable

from serving.client.options import ClientOptions

_DECREASE = 0.7
_INCREASE = 0.25
_BUDGET = 10.0
_EARNED = 0.5


class Pace:
    """Additive increase, multiplicative decrease, back-off with full jitter, and a budget of retries.

    - A refusal lowers the calls in flight to 0.7 of what they were, at most once for the calls that were in flight
      together; `calls_in_flight` answers raise them by a quarter of a call.
    - After a refusal nothing is sent for a pause that grows with each further one, or until a call is answered: that
      call's place is free.
    - Each refusal takes one of a budget of ten, and each answer gives half of one back. While there is none left, one
      call at a time is sent.

    Args:
      options: of the client.
      clock: seconds, that never go back.
    """

    def __init__(self, options: ClientOptions, clock: Callable[[], float] = time.monotonic):
        self._options = options
        self._clock = clock
        self._limit = float(options.calls_in_flight)
        self._budget = _BUDGET
        self._failures = 0
        self._lowered_at = self._resumes_at = -1.0
        self._moved_at = clock()

    @property
    def allowed(self) -> int:
        """The calls that may be in flight."""
        return int(self._limit) if self._budget >= 1 else 1

    @property
    def pause_s(self) -> float:
        """Seconds until the next call may be sent, 0 where it may be now."""
        return max(0.0, self._resumes_at - self._clock())

    @property
    def stalled(self) -> bool:
        """Whether no call has been answered for `stall_timeout_s`."""
        return self._clock() >= self._moved_at + self._options.stall_timeout_s

    def restart(self) -> None:
        """Counts the time without an answer from now on: the run itself had nothing to send, or no time."""
        self._moved_at = self._clock()

    def answered(self) -> None:
        """Records an answer."""
        self.restart()
        self._failures, self._resumes_at = 0, -1.0
        self._budget = min(_BUDGET, self._budget + _EARNED)
        self._limit = min(float(self._options.calls_in_flight), self._limit + _INCREASE / self._limit)

    def refused(self, sent_at: float, *, overloaded: bool) -> None:
        """Records a call that is to be sent again.

        Args:
          sent_at: when it was sent.
          overloaded: whether the server has too much to do, rather than is gone.
        """
        self._budget = max(0.0, self._budget - 1)
        if sent_at < self._lowered_at:
            return  # in flight with one that was refused before
        now = self._clock()
        self._lowered_at = now
        self._failures += 1
        if overloaded:
            self._limit = max(1.0, self._limit * _DECREASE)
        stalls_at = self._moved_at + self._options.stall_timeout_s
        self._resumes_at = min(now + self._options.retry.draw_pause_s(self._failures), max(now, stalls_at))
