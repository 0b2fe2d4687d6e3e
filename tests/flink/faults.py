"""Faults, provoked on a real Flink: what the person sees, and after how many seconds."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from components.beam_jobs import running_jobs
from pipeline.config.beam import beam_flags
from pipeline.config.pipeline_config import load_config
from tests.flink.cluster import Cluster, running_cluster
from tests.flink.downloads import Jars
from tests.helpers.beam_engine import free_port, stop

ROOT = Path(__file__).parents[2]
_SECONDS = 400
# A job of a step that holds a worker until it is stopped, beside one that takes a moment.
_CLIENT = """
import sys, time
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from components.beam_jobs import WatchedPipeline
from components.errors import describe_failure
def step(number, seconds):
    import time
    time.sleep(seconds)
    if seconds == 0:
        raise ValueError("a row is bad")
began = time.monotonic()
try:
    with WatchedPipeline(options=PipelineOptions(sys.argv[2:])) as pipeline:
        _ = pipeline | beam.Create([1]) | beam.Reshuffle() | beam.Map(step, float(sys.argv[1]))
except Exception as error:
    code, message = describe_failure(error)
    print(f"after {time.monotonic() - began:.0f} s, exit code {code}: {message}")
"""


def provoke_all(jars: Jars, folder: Path) -> int:
    """Provokes each fault, prints what is seen, and returns 0 where each ended in time."""
    hung = 0

    def report(name: str, ended: str | None) -> None:
        nonlocal hung
        hung += ended is None
        print(f"{name}\n  {ended or f'no end in {_SECONDS} s'}", flush=True)

    with running_cluster(jars, folder / "well") as cluster:
        report("doctor, all well", doctor(cluster, folder))
        report("doctor, wrong address", doctor(cluster, folder, f"beam.job_endpoint=localhost:{free_port()}"))
        report("doctor, wrong pool", doctor(cluster, folder, f"beam.environment_config=localhost:{free_port()}"))
        report("a step raises", client(cluster, 0))
        for name, number in (("SIGTERM", signal.SIGTERM), ("Ctrl-C", signal.SIGINT)):
            report(f"{name} to the client", stopped(cluster, number))
        report("the client is killed, and another run", killed(cluster, folder))
        report("a worker is killed", client(cluster, 600, during=lambda: stop(cluster.processes["worker_pool_1"])))
    with running_cluster(jars, folder / "lost") as cluster:

        def lose() -> None:
            for number in (1, 2):
                stop(cluster.processes[f"task_manager_{number}"])

        report("the task managers are lost in a job", client(cluster, 600, during=lose))
        report("no slots", client(cluster, 600))
        report("doctor, no slots", doctor(cluster, folder))
    # Its pools start their workers by a `python` that has nothing of ours.
    bare = folder / "bare"
    bare.mkdir()
    (bare / "python").symlink_to(Path(sys._base_executable))
    environ = {"PATH": f"{bare}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ""}
    buffers = {"taskmanager.network.sort-shuffle.min-buffers": "512"}
    with running_cluster(jars, folder / "none", worker_environ=environ, settings=buffers) as cluster:
        report("no apache_beam in the pool, stall_minutes=0.5", client(cluster, 600, "beam.stall_minutes=0.5"))
        report("doctor, no apache_beam in the pool, Flink's own buffers", doctor(cluster, folder))
    return 1 if hung else 0


def doctor(cluster: Cluster, folder: Path, *overrides: str) -> str | None:
    """Returns what `clickbait doctor --beam` prints."""
    call = [sys.executable, "-m", "pipeline", "doctor", "--beam", f"--output={folder / 'output'}"]
    call += [f"--set={override}" for override in (*cluster.overrides, *overrides)]
    began = time.monotonic()
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=_SECONDS)
        seconds = time.monotonic() - began
        return f"after {seconds:.0f} s, exit code {done.returncode}:\n{done.stdout.rstrip()}{done.stderr[-300:]}"
    return None


def client(cluster: Cluster, seconds: float, *overrides: str, during: Callable[[], None] | None = None) -> str | None:
    """Returns what the client of a job prints.

    Args:
      cluster: to run on.
      seconds: that its step takes; 0 raises.
      overrides: of the configuration.
      during: called when the job runs; the seconds that are printed begin with the job.
    """
    with started(cluster, seconds, *overrides) as process:
        came = 0.0
        if during:
            await_job(cluster)
            time.sleep(30)  # the step has begun
            during()
            came = time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            printed = process.communicate(timeout=_SECONDS)[0].strip().splitlines()
            since = f"{time.monotonic() - came:.0f} s after that; " if came else ""
            return f"{since}{printed[-1] if printed else 'nothing'}"
    return None


def stopped(cluster: Cluster, number: int) -> str | None:
    """Returns what is left of a job whose client gets a signal."""
    with started(cluster, 600) as process:
        name = await_job(cluster)
        time.sleep(5)
        began = time.monotonic()
        process.send_signal(number)
        process.wait(_SECONDS)
        job = cluster.flink.job(name)
        return f"after {time.monotonic() - began:.0f} s, exit code {process.returncode}: {name} is {job and job.state}"


def killed(cluster: Cluster, folder: Path) -> str | None:
    """Returns what the next run says of a job whose client was killed."""
    from pipeline.engine import describe_job_left, jobs_left

    config = load_config(overrides=[*cluster.overrides, f"output={folder / 'output'}"], environ={})
    from components.beam_jobs import job_prefix
    from pipeline.config.paths import OutputPaths

    name = job_prefix(str(OutputPaths.of(config).pipeline_root)) + "StatisticsGen-1"
    with started(cluster, 600, name=name) as process:
        await_job(cluster)
        process.kill()
        began = time.monotonic()
        lines = [describe_job_left(config, job) for job in jobs_left(config)]
        seconds = time.monotonic() - began
        for job in running_jobs(cluster.job_endpoint, cluster.flink):
            cluster.flink.cancel(job.id, _SECONDS)
        return f"after {seconds:.1f} s: {' '.join(lines)}" if lines else "nothing"


@contextlib.contextmanager
def started(
    cluster: Cluster, seconds: float, *overrides: str, name: str = "clickbait-fault"
) -> Iterator[subprocess.Popen[str]]:
    """Starts the client of a job, and ends it at last."""
    beam = load_config(overrides=[*cluster.overrides, *overrides], environ={}).beam
    call = [sys.executable, "-c", _CLIENT, str(seconds), *beam_flags(beam, "DataGate"), f"--job_name={name}"]
    process = subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def await_job(cluster: Cluster) -> str:
    """Returns the name of the job that runs, when it does."""
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        if running := [job.name for job in cluster.flink.jobs() if job.state == "RUNNING"]:
            return running[0]
        time.sleep(0.5)
    raise RuntimeError(f"A job must run. Received: {cluster.flink.jobs()}.")
