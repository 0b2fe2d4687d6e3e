"""The checks of `clickbait doctor --beam`: whether the configured engine runs a job, and what it lacks."""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.beam_probe import TOKEN_FILE, Versions, installed_versions, look_around
from components.errors import describe_failure
from components.flink_rest import Flink
from pipeline.config.beam import BeamOptionsError, beam_flags, require_engine, require_known
from pipeline.config.paths import OutputPaths
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.installation import Finding
from serving.imports import quiet_imports

if TYPE_CHECKING:
    from components.beam_jobs import EngineJob

_JOB_SECONDS = 120
# Each exchange of a batch job wants so many buffers a slot where the setting is not lowered.
_FLINKS_BUFFERS = 512


def check_engine(config: PipelineConfig) -> Iterator[Finding]:
    """Checks the engine of the section `beam`: its job server, its workers, and the folders that all must share.

    Ends in some two minutes at most. Leaves no job behind.
    """
    beam = config.beam
    if not beam.job_endpoint:
        yield Finding("engine", f"{beam.runner}: Beam starts it with each job, and there is nothing to try before")
        return
    try:
        require_engine(beam)
        require_known(beam)
    except BeamOptionsError as error:
        yield Finding("job server", beam.job_endpoint, str(error))
        return
    yield Finding("job server", f"{beam.job_endpoint} answers")
    flink = Flink.at(str(beam.options.get("flink_master") or ""))
    if flink:
        yield from _check_flink(flink)
    elif beam.runner == "FlinkRunner":
        yield Finding("flink", "not looked at: beam.options.flink_master is not the address of its REST service")
    for job in jobs_left(config):
        yield Finding("job", f"{job.name} still runs", _way_out(job, flink))
    yield from _check_workers(config)


def jobs_left(config: PipelineConfig) -> list[EngineJob]:
    """Returns the jobs on the engine that an earlier run with this output left behind."""
    if not config.beam.job_endpoint:
        return []
    from components.beam_jobs import job_prefix, running_jobs

    flink_master = config.beam.options.get("flink_master")
    jobs = running_jobs(config.beam.job_endpoint, Flink.at(str(flink_master or "")))
    return [job for job in jobs if job.name.startswith(job_prefix(str(OutputPaths.of(config).pipeline_root)))]


def describe_job_left(config: PipelineConfig, job: EngineJob) -> str:
    """Returns a line about a job that an earlier run left behind, for people."""
    flink = Flink.at(str(config.beam.options.get("flink_master") or ""))
    return f"a job of an earlier run still runs on the engine: {job.name}. {_way_out(job, flink)}"


def _way_out(job: EngineJob, flink: Flink | None) -> str:
    command = f"`curl -X PATCH {flink.address}/jobs/{job.id}`" if flink else "the engine's own page"
    return f"It holds the engine's slots until it ends: cancel it by {command}, or wait."


def _check_flink(flink: Flink) -> Iterator[Finding]:
    overview = flink.overview()
    if overview is None:
        yield Finding(
            "flink",
            f"{flink.address} does not answer",
            "beam.options.flink_master must be the address of Flink's REST service. Correct it, or start Flink.",
        )
        return
    slots, free = overview["slots-total"], overview["slots-available"]
    running = [job.name for job in flink.jobs() if job.runs]
    result = f"{overview['flink-version']} at {flink.address}: {free} of {slots} slots free"
    way_out = None
    if slots and not free:
        way_out = f"Flink must have a free slot. Received: none; {', '.join(running)} run. Wait, or cancel them."
    yield Finding("flink", result, way_out)
    buffers = int(flink.setting("taskmanager.network.sort-shuffle.min-buffers") or _FLINKS_BUFFERS)
    if buffers >= _FLINKS_BUFFERS:
        yield Finding(
            "buffers",
            f"{buffers} network buffers for each exchange",
            "A job of a hundred exchanges must find its buffers. Set taskmanager.network.sort-shuffle.min-buffers to "
            "32 in Flink's configuration (docs/beam.md).",
        )


def _check_workers(config: PipelineConfig) -> Iterator[Finding]:
    with quiet_imports():
        import apache_beam
        from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

        from components.beam_jobs import WatchedPipeline

    folder = Path(config.output, f".doctor-{secrets.token_hex(4)}").absolute()
    token = secrets.token_hex(8)
    try:
        folder.mkdir(parents=True)
        (folder / TOKEN_FILE).write_text(token, encoding="utf-8")
    except OSError as error:
        yield Finding("folders", str(folder), f"--output must be writable. Received: {error}. Give another folder.")
        return
    began = time.monotonic()
    logging.disable()  # what Beam logs of a job comes as a finding
    try:
        options = PipelineOptions(beam_flags(config.beam, "StatisticsGen"))
        options.view_as(GoogleCloudOptions).job_name = f"clickbait-doctor-{secrets.token_hex(3)}"
        pipeline = WatchedPipeline(options=options)
        paths = [path for path in (config.data.path,) if path and "://" not in path and not {*"*{"} & {*path}]
        numbers = pipeline | apache_beam.Create(range(8)) | apache_beam.Reshuffle()
        _ = numbers | apache_beam.Map(look_around, str(folder), token, [str(Path(path).absolute()) for path in paths])
        job = pipeline.run()
        if not job.ends_within(_JOB_SECONDS):
            yield Finding(
                "workers",
                f"no answer in {_JOB_SECONDS} s{job.reason()}",
                "A worker must start, and import apache_beam and our code. Look into the log of the worker pool, whose "
                "`python` starts them; correct beam.environment_config where that is another pool.",
            )
            return
        results = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("worker-*.json")]
    except Exception as error:
        yield Finding("workers", f"a job of one step failed after {time.monotonic() - began:.0f} s", _explain(error))
        return
    finally:
        logging.disable(logging.NOTSET)
        shutil.rmtree(folder, ignore_errors=True)
    yield from _judge(results, str(folder.parent), time.monotonic() - began)


def _explain(error: Exception) -> str:
    message = describe_failure(error)[1]
    if "ModuleNotFoundError" in message:
        return f"{message} The workers must have our code: run them in our image, or set beam.setup_file."
    return message


def _judge(results: list[dict[str, Any]], output: str, seconds: float) -> Iterator[Finding]:
    if not results:
        yield Finding(
            "folders",
            f"{output}: what the workers wrote there is not here",
            "Driver and workers must share the folder of --output: mount one volume at one place in both.",
        )
        return
    hosts = sorted({str(result["host"]) for result in results})
    yield Finding("workers", f"on {', '.join(hosts)}; a job of one step took {seconds:.0f} s")
    ours = installed_versions()
    differences = {difference for result in results for difference in ours.differences(Versions(*result["versions"]))}
    if differences:
        yield Finding(
            "versions",
            "; ".join(sorted(differences)),
            "Driver and workers must be the same build: what the one pickles the others unpickle. Install the other.",
        )
    else:
        yield Finding("versions", "the same for driver and workers")
    missing = sorted({path for result in results for path in result["missing"]})
    if missing:
        way_out = "Workers must see the data where the driver does. Mount it at the same place in both."
        yield Finding("folders", f"no {', '.join(missing)} for the workers", way_out)
    else:
        yield Finding("folders", f"{output} is the same for driver and workers")
