"""The jobs of components on an engine: named, watched, cancelled when their client is stopped, and their results."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import logging
import os
import re
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import apache_beam as beam
import grpc
from apache_beam.options import pipeline_options
from apache_beam.portability.api import beam_job_api_pb2 as api
from apache_beam.portability.api import beam_job_api_pb2_grpc
from apache_beam.runners.portability import portable_runner
from tfx.dsl.io import fileio

from components.flink_rest import Flink

if TYPE_CHECKING:
    from tfx.dsl.components.base import base_beam_executor

logger = logging.getLogger("components")

_ExecutorClass = TypeVar("_ExecutorClass", bound="type[base_beam_executor.BaseBeamExecutor]")
_Value = TypeVar("_Value")

_POLL_SECONDS = 5
_ANSWER_SECONDS = 10
_CANCEL_SECONDS = 20
_VAGUE = ("unknown error", "client cancelled", "Pipeline failed", "Job failed", "JobExecutionException")


class EngineJob(NamedTuple):
    """A job on an engine."""

    name: str
    id: str


class BeamJobError(Exception):
    """A job failed for a reason that the engine knows, or did not move."""

    exit_code = 1


class SharedDict(dict[str, _Value]):
    """What the threads of a worker share; Beam holds it by a weak reference, which a plain dict has not."""


class WatchOptions(pipeline_options.PipelineOptions):
    """The option of ours beside Beam's."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--stall_minutes", type=float, default=10.0)


def watch_jobs(executor_class: _ExecutorClass) -> _ExecutorClass:
    """Makes an executor run its pipelines as `WatchedPipeline`, and returns its class."""

    def make(self: base_beam_executor.BaseBeamExecutor) -> beam.Pipeline:
        if self._make_beam_pipeline_fn is not None:
            return self._make_beam_pipeline_fn()
        options = pipeline_options.PipelineOptions(self._beam_pipeline_args)
        names = options.view_as(pipeline_options.GoogleCloudOptions)
        if options.view_as(pipeline_options.PortableOptions).job_endpoint and not names.job_name:
            node = self._context.pipeline_node if self._context else None
            component = node.node_info.id if node else type(self).__name__.removesuffix("_Executor")
            names.job_name = job_prefix(_root(self)) + f"{component}-{secrets.token_hex(3)}"
        return WatchedPipeline(options=options)

    executor_class._make_beam_pipeline = make
    return executor_class


def runs_in_memory(pipeline: beam.Pipeline | None) -> bool:
    """Returns whether a pipeline would run in this process alone; so does what has none."""
    if pipeline is None:
        return True
    runner = pipeline.options.view_as(pipeline_options.StandardOptions).runner
    mode = pipeline.options.view_as(pipeline_options.DirectOptions).direct_running_mode
    return runner in (None, "DirectRunner") and mode in (None, "in_memory")


@beam.ptransform_fn
def WriteResults(results: beam.PCollection, path: str) -> beam.PCollection:  # noqa: N802
    """Writes all elements, which JSON must know, into one file: for the driver, which sees no PCollection."""
    return results | "All" >> beam.combiners.ToList() | "Write" >> beam.Map(_write_json, path)


def take_results(path: str) -> list[Any]:
    """Returns what `WriteResults` wrote, in no order, and removes the file."""
    with fileio.open(path, "r") as stream:
        results = json.loads(stream.read())
    fileio.remove(path)
    return results


def _write_json(results: list[Any], path: str) -> None:
    with fileio.open(path, "w") as stream:
        stream.write(json.dumps(results))


def job_prefix(root: str) -> str:
    """Returns how the names of all jobs of an output begin.

    Args:
      root: the folder of the output's artifacts, absolute.
    """
    return f"clickbait-{hashlib.sha256(root.encode()).hexdigest()[:8]}-"


def running_jobs(job_endpoint: str, flink: Flink | None) -> list[EngineJob]:
    """Returns the jobs of this project that an engine runs, as its job server or Flink itself knows them."""
    jobs = {job.name: EngineJob(job.name, job.id) for job in flink.jobs() if job.runs} if flink else {}
    with grpc.insecure_channel(job_endpoint) as channel, contextlib.suppress(grpc.RpcError):
        answer = beam_job_api_pb2_grpc.JobServiceStub(channel).GetJobs(api.GetJobsRequest(), timeout=_ANSWER_SECONDS)
        for info in answer.job_info:
            if info.state in (api.JobState.STARTING, api.JobState.RUNNING):
                # A Struct has no `get`; Prism knows the name from the options alone.
                name = dict(info.pipeline_options).get("beam:option:job_name:v1", info.job_name)
                jobs.setdefault(name, EngineJob(name, info.job_id))
    return [job for job in jobs.values() if job.name.startswith("clickbait-")]


def _root(executor: base_beam_executor.BaseBeamExecutor) -> str:
    # TFX's places for an execution are <root>/<component>/.system/...
    uri = (executor._context.stateful_working_dir if executor._context else None) or ""
    return re.sub(r"/[^/]+/\.system/.*", "", uri)


class WatchedPipeline(beam.Pipeline):
    """A pipeline whose job on an engine is watched until it ends; any other runs as ever."""

    def run(self, test_runner_api: bool | str = "AUTO") -> Any:
        """Returns a `Job` where an engine runs it, else Beam's own result."""
        result = super().run(test_runner_api)
        return Job(result, self.options) if isinstance(result, portable_runner.PipelineResult) else result


class Job:
    """A job that runs, around Beam's own result."""

    def __init__(self, result: portable_runner.PipelineResult, options: pipeline_options.PipelineOptions):
        self._result = result
        self._name = options.view_as(pipeline_options.GoogleCloudOptions).job_name or "job"
        self._stall_seconds = 60 * options.view_as(WatchOptions).stall_minutes
        self._flink = Flink.at(options.view_as(pipeline_options.FlinkRunnerOptions).flink_master)
        # Java's job servers describe their options, and tell no metrics before a job has ended.
        self._tells_metrics = not self._describes_options()
        self._reason = ""
        # Not the thread's own end: a join that is interrupted takes the thread for ended (bpo-45274).
        self._ended = threading.Event()
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._follow, name="beam job", daemon=True)

    def __getattr__(self, name: str) -> object:
        return getattr(self._result, name)

    def wait_until_finish(self, duration: int | None = None) -> object:
        """Waits for the end as Beam's result does, and cancels the job where this process is stopped.

        Raises:
          BeamJobError: nothing moved for `stall_minutes`, or Flink knows why the job failed and Beam does not.
        """
        self._follow_until(time.monotonic() + duration / 1000 if duration else None)
        return self._result._state

    def ends_within(self, seconds: float) -> bool:
        """Returns whether the job ends in time, and cancels it where not. Raises as `wait_until_finish` does."""
        self._follow_until(time.monotonic() + seconds)
        if self._ended.is_set():
            return True
        self._reason = self._waits_for()
        self._cancel()
        return False

    def reason(self) -> str:
        """Returns what a job that does not move waits for, as the end of a sentence; empty where nobody knows."""
        return self._reason

    def _follow_until(self, end: float | None) -> None:
        self._thread.start()
        with _terminable():
            try:
                self._await(end)
            except BaseException:
                if not self._ended.is_set():
                    self._cancel()
                raise
        if self._failed:
            raise self._explained(self._failed[0])

    def _follow(self) -> None:
        try:
            self._result.wait_until_finish()
        except BaseException as error:
            self._failed.append(error)
        finally:
            self._ended.set()

    def _await(self, end: float | None) -> None:
        moved = time.monotonic()
        last: object = None
        while not self._ended.wait(_POLL_SECONDS):
            now = time.monotonic()
            if end is not None and now > end:
                return
            progress = self._progress()
            if progress is None or progress != last:
                moved, last = now, progress
            elif self._stall_seconds and now - moved > self._stall_seconds:
                raise BeamJobError(
                    f"A Beam job must move. Received: {self._name}, nothing for {self._stall_seconds / 60:g} minutes"
                    f"{self._waits_for()}. It was cancelled. `clickbait doctor --beam` tries the engine; the worker "
                    "pool's log says why a worker does not start; a job that is slow but well needs a larger "
                    "beam.stall_minutes (docs/beam.md)."
                )

    def _progress(self) -> object:
        """Returns what changes while a job moves; None where nobody tells."""
        messages = len(self._result._messages)
        if self._flink:
            vertices = self._flink.vertices(self._name)
            return None if vertices is None else (messages, *vertices)
        if not self._tells_metrics:
            return None
        with contextlib.suppress(grpc.RpcError):
            answer = self._result._job_service.GetJobMetrics(
                api.GetJobMetricsRequest(job_id=self._result._job_id), timeout=_ANSWER_SECONDS
            )
            # Times run on in a step that hangs.
            counts = [info for info in answer.metrics.attempted if "time" not in info.urn]
            return (messages, *sorted(info.SerializeToString(deterministic=True) for info in counts))
        return None

    def _describes_options(self) -> bool:
        with contextlib.suppress(grpc.RpcError):
            request = api.DescribePipelineOptionsRequest()
            return bool(self._result._job_service.DescribePipelineOptions(request, timeout=_ANSWER_SECONDS).options)
        return True

    def _waits_for(self) -> str:
        return f"; {reason}" if self._flink and (reason := self._flink.waits_for(self._name)) else ""

    def _explained(self, error: BaseException) -> BaseException:
        if not any(vague in str(error) for vague in _VAGUE):
            return error
        cause = self._flink.exception_of(self._name) if self._flink else None
        if cause is None or any(vague in cause for vague in _VAGUE):
            return error
        failed = BeamJobError(
            f"A Beam job must succeed. Received: {self._name}, {cause}. The engine's and its workers' logs have more. "
            "Then run again: what is finished comes from the cache (docs/beam.md)."
        )
        failed.__cause__ = error
        return failed

    def _cancel(self) -> None:
        logger.warning("cancelling %s (%s)", self._name, self._result._job_id)
        with contextlib.suppress(grpc.RpcError):
            request = api.CancelJobRequest(job_id=self._result._job_id)
            self._result._job_service.Cancel(request, timeout=_ANSWER_SECONDS)
        # Beam's job server for Flink gives up its own part of the job, and leaves Flink's running.
        if self._flink and (job := self._flink.job(self._name)) and job.runs:
            self._flink.cancel(job.id, _CANCEL_SECONDS)
        self._ended.wait(_CANCEL_SECONDS)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Lets a SIGTERM end what is inside as an exception first, and the process then as ever."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except _Terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


class _Terminated(BaseException):
    pass
