"""The calls of a bulk run that are on their way, each sent again as often as it takes."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import queue
import time
from collections.abc import Iterator

from serving.client.batches import Batch, Scores
from serving.client.errors import Failure
from serving.client.failures import is_gone
from serving.client.options import ClientOptions
from serving.client.pace import Pace
from serving.client.transport import Call, Transport
from serving.protocol.messages import PredictResponse
from serving.protocol.methods import PREDICT

_MOST_AHEAD = 16
"""Batches by which a refused one may fall behind the newest, for each call in flight: memory has a bound."""
_GRACE_S = 0.1


@dataclasses.dataclass(eq=False)
class Flight:
    """A batch that is sent until it is answered."""

    number: int
    scores: Scores
    batch: Batch
    deadline: float
    sent_at: float = 0.0
    due: float = 0.0
    call: Call[PredictResponse] | None = None

    def result(self) -> PredictResponse:
        """Returns the response.

        Raises:
          Failure: there is none.
        """
        assert self.call is not None
        return self.call.result()


class InFlight:
    """Sends batches in their order, as many at once as the pace allows.

    Args:
      transport: of the calls.
      options: of the client.
      batches: with the scores that they belong to.
      patient: whether a batch is sent again until nothing is answered for `stall_timeout_s`, rather than until
        `timeout_s` after it was sent first.

    Attributes:
      pace: how many calls are sent, and when.
    """

    def __init__(
        self, transport: Transport, options: ClientOptions, batches: Iterator[tuple[Scores, Batch]], *, patient: bool
    ):
        self.pace = Pace(options)
        self._transport = transport
        self._options = options
        self._batches = batches
        self._patient = patient
        self._taken = 0
        self._is_last_taken = False
        self._flying: list[Flight] = []
        self._refused: list[Flight] = []
        self._ended: queue.SimpleQueue[tuple[Flight, Call[PredictResponse]]] = queue.SimpleQueue()

    def next_ended(self) -> Flight | None:
        """Waits for the next call that ended, well or not, and returns it; None where all have."""
        while True:
            self._send()
            if not self._flying and not self._refused:
                return None
            try:
                flight, call = self._ended.get(timeout=self._wait_s())
            except queue.Empty:
                now = time.monotonic()
                overdue = next((flight for flight in self._flying if flight.due <= now), None)
                if overdue is None:
                    continue
                flight = overdue
            else:
                if flight.call is not call or flight not in self._flying:
                    continue  # was overdue
            self._flying.remove(flight)
            return flight

    def send_again(self, flight: Flight, failure: Failure) -> bool:
        """Puts a call that failed back, to be sent again; returns whether there is time for that."""
        self.pace.refused(flight.sent_at, overloaded=not is_gone(failure))
        if self._patient:
            is_late = self.pace.stalled and not self._flying
        else:
            is_late = time.monotonic() + self.pace.pause_s >= flight.deadline
        if not is_late:
            bisect.insort(self._refused, flight, key=lambda refused: refused.number)
        return not is_late

    def cancel(self) -> None:
        """Cancels all calls."""
        for flight in self._flying:
            if flight.call:
                flight.call.cancel()

    def _send(self) -> None:
        while len(self._flying) < self.pace.allowed and not self.pace.pause_s:
            flight = self._refused.pop(0) if self._refused else self._take()
            if flight is None:
                return
            now = time.monotonic()
            timeout_s = self._options.timeout_s if self._patient else max(0.0, flight.deadline - now)
            flight.sent_at, flight.due = now, now + timeout_s + _GRACE_S
            flight.call = call = self._transport.start(PREDICT, flight.batch.request, timeout_s)
            self._flying.append(flight)
            call.when_done(functools.partial(self._ended.put, (flight, call)))

    def _take(self) -> Flight | None:
        """Returns the next batch; None where there is none, or the oldest that is not answered is too far behind."""
        oldest = min((flight.number for flight in self._flying), default=self._taken)
        if self._is_last_taken or self._taken - oldest >= _MOST_AHEAD * self._options.calls_in_flight:
            return None
        taken = next(self._batches, None)
        if not self._flying:
            self.pace.restart()  # reading the texts is no stall
        if taken is None:
            self._is_last_taken = True
            return None
        self._taken += 1
        return Flight(self._taken, *taken, deadline=time.monotonic() + self._options.timeout_s)

    def _wait_s(self) -> float:
        """Returns the seconds until something is to be done though no call ends."""
        times = [flight.due - time.monotonic() for flight in self._flying]
        if len(self._flying) < self.pace.allowed and self.pace.pause_s:
            times.append(self.pace.pause_s)
        return max(0.0, min(times, default=0.0))
