"""The client for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

import grpc
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
from serving.client.channel import failure_of, open_aio_channel
from serving.client.errors import Failure, ServingError
from serving.client.failures import error_for, lookup_for, waiting_helps
from serving.client.logs import open_log
from serving.client.options import ClientOptions, check_wait, merge_options
from serving.client.retries import repeats, retry_terms
from serving.client.transport import open_transport
from serving.protocol.methods import PREDICT, Request, Response
from serving.request_log import writer


class AsyncClient:
    """A client as `Client`, for one event loop: made in it and used in it.

        async with AsyncClient("localhost:8500") as client:
            await client.predict(["21 Pictures That Will Make You Feel Old"])

    `calls_in_flight` is the limit of all its `predict` together.

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
        self._transport = _RestThreads(self.options) if self.options.rest else _AioTransport(self.options)
        self._slots = asyncio.Semaphore(self.options.calls_in_flight)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection and the log."""
        await self._transport.close()
        if self._log:
            await asyncio.to_thread(self._log.close)

    async def predict(self, texts: Sequence[str]) -> list[float]:
        """Returns the probability of clickbait for each text, in their order.

        Raises:
          ServingError: a call failed, or a text is not a str.
        """
        scores, calls = Scores(len(texts)), set()
        try:
            for batch in plan_batches(texts, self.options):
                await self._slots.acquire()
                call = asyncio.create_task(self._score(batch, scores))
                call.add_done_callback(lambda _: self._slots.release())  # even one that is cancelled before it begins
                calls.add(call)
                if failed := next((call for call in calls if call.done() and call.exception()), None):
                    failed.result()
            await asyncio.gather(*calls)
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        return scores.values

    async def classify(self, texts: Sequence[str]) -> list[str]:
        """As `Client.classify`.

        Raises:
          ServingError: as `predict`.
        """
        return [class_of(score, self.options.unsure) for score in await self.predict(texts)]

    async def status(self) -> list[VersionStatus]:
        """Returns the model's versions on the server, the newest first; only the one that the options name, if any.

        Raises:
          ServingError: the call failed; `NOT_FOUND` where there is no such model or version.
        """
        return read_status(await self._call(status_call(self.options)))

    async def metadata(self) -> Metadata:
        """Returns the version that answers, and its signatures.

        Raises:
          ServingError: the call failed.
        """
        return read_metadata(await self._call(metadata_call(self.options)))

    async def wait_until_ready(self, seconds: float) -> Metadata:
        """Waits until the model is available, and returns its metadata.

        Raises:
          ServingError: it is not available within that time, waiting cannot help, or `seconds` is out of bounds.
        """
        check_wait(seconds)
        deadline = time.monotonic() + seconds
        while True:
            try:
                return read_metadata(await self._send(metadata_call(self.options), poll_timeout_s(deadline)))
            except Failure as failure:
                if not waiting_helps(failure) or time.monotonic() + READY_POLL_S >= deadline:
                    raise await self._explained(failure) from None
            await asyncio.sleep(READY_POLL_S)

    async def _score(self, batch: Batch, scores: Scores) -> None:
        response = await self._call(Query(PREDICT, batch.request))
        scores.fill(batch.indices, read_scores(response, len(batch.indices), self.options))
        if self._log:
            self._log.offer(writer.PREDICT, lambda: (batch.request, response))

    async def _call(self, query: Query[Request, Response]) -> Response:
        try:
            return await self._send(query, self.options.timeout_s)
        except Failure as failure:
            raise await self._explained(failure) from None

    async def _send(self, query: Query[Request, Response], timeout_s: float) -> Response:
        """Sends a call, within that time as often as the server is short of threads."""
        deadline = time.monotonic() + timeout_s

        async def send_again() -> Response:
            return await self._transport.call(query, deadline - time.monotonic())

        try:
            return await self._transport.call(query, timeout_s)
        except Failure as failure:
            retry = self.options.retry
            if not repeats(failure, retry):
                raise
            await asyncio.sleep(retry.draw_pause_s(1))
            retrying = tenacity.AsyncRetrying(**retry_terms(retry, deadline - time.monotonic()))
            return await retrying(send_again)

    async def _explained(self, failure: Failure) -> ServingError:
        elsewhere = await asyncio.to_thread(failure_where_one_listens, failure, self.options)
        failure = elsewhere or failure
        lookup, answer = lookup_for(failure), None
        if lookup:
            with contextlib.suppress(Failure):
                response = await self._send(lookup_call(lookup, self.options), LOOKUP_TIMEOUT_S)
                answer = read_lookup(response)
        return error_for(failure, self.options, answer)


class _AioTransport:
    """Calls over a gRPC channel of the event loop."""

    def __init__(self, options: ClientOptions):
        self._options = options
        self._channel = open_aio_channel(options)

    async def call(self, query: Query[Request, Response], timeout_s: float) -> Response:
        method, request = query
        send = self._channel.unary_unary(method.path, method.request.SerializeToString, method.response.FromString)
        try:
            wait = self._options.wait_for_ready or None
            response: Response = await send(request, timeout=timeout_s, wait_for_ready=wait)
        except grpc.RpcError as error:
            raise failure_of(error) from error
        return response

    async def close(self) -> None:
        await self._channel.close()


class _RestThreads:
    """REST calls in threads of their own."""

    def __init__(self, options: ClientOptions):
        self._rest = open_transport(options)

    async def call(self, query: Query[Request, Response], timeout_s: float) -> Response:
        call = self._rest.start(*query, timeout_s)
        return await asyncio.to_thread(call.result)

    async def close(self) -> None:
        self._rest.close()
