"""The blocking client."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

import tenacity

from serving.classes import class_of
from serving.client.address import failure_where_one_listens
from serving.client.answers import Metadata, VersionStatus, read_metadata, read_scores, read_status
from serving.client.batches import Batch, Scores, plan_batches
from serving.client.calls import (
    LOOKUP_TIMEOUT_S,
    READY_POLL_S,
    Query,
    lookup_call,
    metadata_call,
    poll_timeout_s,
    read_lookup,
    status_call,
)
from serving.client.errors import Failure, ServingError
from serving.client.failures import error_for, is_short_of_threads, lookup_for, waiting_helps
from serving.client.in_flight import InFlight
from serving.client.logs import open_log
from serving.client.options import ClientOptions, check_wait, merge_options
from serving.client.retries import repeats, retry_terms
from serving.client.transport import Transport, open_transport
from serving.protocol.messages import PredictResponse
from serving.protocol.methods import PREDICT, Request, Response
from serving.request_log import writer


class Client:
    """A client of a TF Serving model server.

        with Client("localhost:8500", version=3) as client:
            client.predict(["21 Pictures That Will Make You Feel Old"])

    Connects at the first call. Threads may share one.

    Args:
      target: as `ClientOptions.target`.
      options: of the client; `target` and `changes` override it.
      changes: fields of `ClientOptions`.

    Raises:
      ServingError: an option is out of bounds, or the folder of the log cannot be written.
    """

    def __init__(self, target: str = "", *, options: ClientOptions | None = None, **changes: object) -> None:
        self.options = merge_options(target, options, changes)
        self._log = open_log(self.options)
        self._transport: Transport = open_transport(self.options)
        self._is_answered = False

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection and the log."""
        self._transport.close()
        if self._log:
            self._log.close()

    def predict(self, texts: Sequence[str]) -> list[float]:
        """Returns the probability of clickbait for each text, in their order.

        Raises:
          ServingError: a call failed, or a text is not a str.
        """
        if len(texts) > self.options.rows_per_call:
            return next(self._predict_chunks([texts], patient=False))
        scores = Scores(len(texts))
        for batch in plan_batches(texts, self.options):  # of which there is one, or none
            self._fill(scores, batch, self._call(Query(PREDICT, batch.request)))
        return scores.values

    def classify(self, texts: Sequence[str]) -> list[str]:
        """Returns `clickbait`, `news` or, for a score in the band `ClientOptions.unsure`, `unsure` for each text.

        A score that is no number is `?`.

        Raises:
          ServingError: as `predict`.
        """
        return [class_of(score, self.options.unsure) for score in self.predict(texts)]

    def predict_chunks(
        self, chunks: Iterable[Sequence[str]], *, on_shortage: Callable[[], object] | None = None
    ) -> Generator[list[float], None, None]:
        """Yields the probabilities of each chunk of texts, a list a chunk; reads ahead while calls are in flight.

        Calls that a server refuses for want of threads are sent again, fewer at once; and so is what a server that has
        answered this client before leaves without an answer. It ends when nothing is answered for `stall_timeout_s`.

        Args:
          chunks: of texts.
          on_shortage: called once, where the server is short of threads.

        Raises:
          ServingError: as `predict`.
        """
        return self._predict_chunks(chunks, patient=True, on_shortage=on_shortage)

    def status(self) -> list[VersionStatus]:
        """Returns the model's versions on the server, the newest first; only the one that the options name, if any.

        Raises:
          ServingError: the call failed; `NOT_FOUND` where there is no such model or version.
        """
        return read_status(self._call(status_call(self.options)))

    def metadata(self) -> Metadata:
        """Returns the version that answers, and its signatures.

        Raises:
          ServingError: the call failed.
        """
        return read_metadata(self._call(metadata_call(self.options)))

    def pin_version(self, wait_s: float = 0.0) -> int:
        """Returns the version that answers now, and has it alone answer from now on.

        Args:
          wait_s: seconds to wait for a server that is starting.

        Raises:
          ServingError: the call failed.
        """
        version = (self.wait_until_ready(wait_s) if wait_s else self.metadata()).version
        self.options = dataclasses.replace(self.options, version=version, label="")
        return version

    def wait_until_ready(self, seconds: float) -> Metadata:
        """Waits until the model is available, and returns its metadata.

        A server's status can be fine with nothing to serve; its metadata is there when a version is.

        Raises:
          ServingError: it is not available within that time, waiting cannot help, or `seconds` is out of bounds.
        """
        check_wait(seconds)
        deadline = time.monotonic() + seconds
        while True:
            try:
                return read_metadata(self._send(metadata_call(self.options), poll_timeout_s(deadline)))
            except Failure as failure:
                if not waiting_helps(failure) or time.monotonic() + READY_POLL_S >= deadline:
                    raise self._explained(failure) from None
            time.sleep(READY_POLL_S)

    def _predict_chunks(
        self, chunks: Iterable[Sequence[str]], *, patient: bool, on_shortage: Callable[[], object] | None = None
    ) -> Generator[list[float], None, None]:
        waiting: deque[Scores] = deque()
        calls = InFlight(self._transport, self.options, self._plan(chunks, waiting), patient=patient)
        try:
            while flight := calls.next_ended():
                try:
                    response = flight.result()
                except Failure as failure:
                    if not self._passes(failure, patient=patient):
                        raise self._explained(failure) from None
                    if is_short_of_threads(failure) and on_shortage:
                        on_shortage()
                        on_shortage = None
                    if not calls.send_again(flight, failure):
                        raise self._stalled(failure) if patient else self._explained(failure) from None
                else:
                    self._is_answered = True
                    calls.pace.answered()
                    self._fill(flight.scores, flight.batch, response)
                    for values in _completed(waiting):
                        yield values
                        calls.pace.restart()  # what the caller does with them is no stall
            yield from _completed(waiting)
        finally:
            calls.cancel()

    def _plan(self, chunks: Iterable[Sequence[str]], waiting: deque[Scores]) -> Iterator[tuple[Scores, Batch]]:
        """Yields the batches of all chunks; adds the scores of each chunk to `waiting`."""
        for texts in chunks:
            scores = Scores(len(texts))
            waiting.append(scores)
            for batch in plan_batches(texts, self.options):
                yield scores, batch

    def _passes(self, failure: Failure, *, patient: bool) -> bool:
        """Returns whether the same call may succeed later."""
        if is_short_of_threads(failure):
            return patient or self.options.retry.attempts > 1
        if not patient or not self._is_answered or not waiting_helps(failure):
            return False
        return failure.code != "NOT_FOUND" or self._is_loading()

    def _is_loading(self) -> bool:
        """Returns whether the server is about to load the version, as one does that was just started."""
        try:
            return any(status.state in ("START", "LOADING") for status in self.status())
        except ServingError as error:
            return error.code != "NOT_FOUND"

    def _stalled(self, failure: Failure) -> ServingError:
        error = self._explained(failure)
        return ServingError(
            f"A call must be answered within {self.options.stall_timeout_s:g} s. Received: no answer. {error.finding}",
            error.way,
            exit_code=error.exit_code,
            code=error.code,
        )

    def _fill(self, scores: Scores, batch: Batch, response: PredictResponse) -> None:
        scores.fill(batch.indices, read_scores(response, len(batch.indices), self.options))
        if self._log:
            self._log.offer(writer.PREDICT, lambda: (batch.request, response))

    def _call(self, query: Query[Request, Response]) -> Response:
        try:
            return self._send(query, self.options.timeout_s)
        except Failure as failure:
            raise self._explained(failure) from None

    def _send(self, query: Query[Request, Response], timeout_s: float) -> Response:
        """Sends a call, within that time as often as the server is short of threads."""
        deadline = time.monotonic() + timeout_s
        try:
            response = self._transport.call(*query, timeout_s)
        except Failure as failure:
            retry = self.options.retry
            if not repeats(failure, retry):
                raise
            time.sleep(retry.draw_pause_s(1))
            retrying = tenacity.Retrying(**retry_terms(retry, deadline - time.monotonic()))
            response = retrying(lambda: self._transport.call(*query, deadline - time.monotonic()))
        self._is_answered = True
        return response

    def _explained(self, failure: Failure) -> ServingError:
        failure = failure_where_one_listens(failure, self.options) or failure
        lookup, answer = lookup_for(failure), None
        if lookup:
            with contextlib.suppress(Failure):
                answer = read_lookup(self._send(lookup_call(lookup, self.options), LOOKUP_TIMEOUT_S))
        return error_for(failure, self.options, answer)


def _completed(waiting: deque[Scores]) -> Iterator[list[float]]:
    while waiting and waiting[0].complete:
        yield waiting.popleft().values
