"""The section `beam` of the configuration, its checks, and Beam's flags of each component."""

from __future__ import annotations

import argparse
import importlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NoReturn, Self, get_args

from pydantic import Field, model_validator

from trainer.section import Section

BeamComponent = Literal[
    "HeadlineExampleGen",
    "StatisticsGen",
    "DataGate",
    "VariantExampleGen",
    "BaselineScorer",
    "ModelScorer",
    "Evaluator",
    "BulkInferrer",
]
"""The components whose work Beam does."""

BEAM_COMPONENTS: tuple[BeamComponent, ...] = get_args(BeamComponent)

_BeamOptions = dict[str, str | list[str] | None]

_JOB_SERVER_RUNNERS = ("PortableRunner", "FlinkRunner", "SparkRunner")
# With one of these options Beam starts a job server itself.
_MASTERS = {"FlinkRunner": "flink_master", "SparkRunner": "spark_master_url"}
_DATAFLOW_OPTIONS = ("project", "region", "temp_location")
# The keys that are no option of Beam's.
_OUR_KEYS = ("options", "components", "pipeline_args")
# What keeps TFX from packing its own installation for the workers, 42 MB a component.
_SAYS_WHERE_CODE_IS = ("sdk_container_image", "setup_file", "requirements_file", "extra_package", "extra_packages")
_CONNECT_SECONDS = 10


class BeamOptionsError(Exception):
    """Beam has no such option or value, or its engine is not there."""

    exit_code = 2


class BeamConfig(Section):
    """How Apache Beam runs the data components. The keys are Beam's own names of its options."""

    runner: Literal["DirectRunner", "FlinkRunner", "SparkRunner", "PortableRunner", "DataflowRunner"] = Field(
        "DirectRunner",
        description="The engine: DirectRunner is this process; PortableRunner any Beam job server.",
    )
    direct_running_mode: Literal["in_memory", "multi_threading", "multi_processing"] = Field(
        "in_memory", description="Where the DirectRunner's workers run."
    )
    direct_num_workers: int = Field(1, ge=0, le=1024, description="The DirectRunner's workers; 0: one for each core.")
    job_endpoint: str | None = Field(
        None,
        pattern=r"^\S+:\d{1,5}$",
        description="`host:port` of the Beam job server of Flink, Spark or another engine.",
    )
    environment_type: Literal["EXTERNAL", "DOCKER", "PROCESS", "LOOPBACK"] | None = Field(
        None,
        description="What a job server's workers are: a pool that runs already, containers, processes that the engine "
        "starts, or this process.",
    )
    environment_config: str | None = Field(
        None,
        min_length=1,
        description="EXTERNAL: `host:port` of the pool, as the engine sees it; DOCKER: the image; PROCESS: JSON with "
        "the command.",
    )
    sdk_container_image: str | None = Field(
        None,
        min_length=1,
        description="Dataflow's image for the workers; null: Beam's, where setup_file installs us.",
    )
    setup_file: str | None = Field(
        None, min_length=1, description="Our setup.py, which Beam installs on workers that do not run our image."
    )
    stall_minutes: float = Field(
        10.0,
        ge=0,
        description="A job on an engine that hands on no rows for so long is cancelled; 0 waits for ever. Flink's are "
        "watched where options.flink_master is the address of its REST service.",
    )
    options: _BeamOptions = Field(
        default_factory=dict, description="Further options of Beam by their names, e.g. {parallelism: 8}."
    )
    components: dict[BeamComponent, _BeamOptions] = Field(
        default_factory=dict,
        description="Options of single components over these; {runner: DirectRunner} keeps one in its own process.",
    )
    pipeline_args: list[str] = Field(
        default_factory=list, description="Flags handed to Beam as they are, after all others."
    )

    @model_validator(mode="after")
    def _runs_somewhere(self) -> Self:
        if problem := next(beam_problems(self), None):
            raise ValueError(problem)
        return self


def beam_flags(beam: BeamConfig, component: BeamComponent) -> list[str]:
    """Returns the flags that a component hands to Beam; none for the DirectRunner in memory.

    Args:
      beam: the section.
      component: its id.

    Example:
        >>> beam_flags(BeamConfig(components={"StatisticsGen": {"direct_runner_bundle_repeat": "1"}}), "DataGate")
        []
    """
    options = dict(beam.components.get(component, {}))
    if options.pop("runner", beam.runner) == beam.runner:
        own = {key: value for key, value in beam.model_dump(exclude_defaults=True).items() if key not in _OUR_KEYS}
        options = {**own, **beam.options, **options}
    if options and not any(options.get(name) for name in _SAYS_WHERE_CODE_IS):
        options["sdk_container_image"] = "clickbait-tfx"  # no runner without an image of its own looks at it
    return [*(flag for name, value in options.items() for flag in _flags(name, value)), *beam.pipeline_args]


def require_known(beam: BeamConfig) -> None:
    """Checks the options against those of the installed Beam, which drops unknown ones silently. Imports Beam.

    Raises:
      BeamOptionsError: with the first option or value that Beam does not take.
    """
    from apache_beam.options import pipeline_options

    from components.beam_jobs import WatchOptions

    parser = _Parser(conflict_handler="resolve", allow_abbrev=False, add_help=False)
    WatchOptions._add_argparse_args(parser)
    for kind in pipeline_options.PipelineOptions.__subclasses__():
        if kind.__module__ == pipeline_options.__name__:
            kind._add_argparse_args(parser)
    bare = beam.model_copy(update={"pipeline_args": []})
    for component in BEAM_COMPONENTS:
        if unknown := parser.parse_known_args(beam_flags(bare, component))[1]:
            raise BeamOptionsError(
                f"beam.options must hold Beam's own options. Received: {unknown[0].lstrip('-')} ({component}). Correct "
                "its name, or give what the job server alone knows in beam.pipeline_args."
            )


def require_engine(beam: BeamConfig) -> None:
    """Checks that a run from this machine finds the job server, the client and setup.py before it begins.

    Raises:
      BeamOptionsError: it is not there.
    """
    if beam.setup_file and not (Path(beam.setup_file).name == "setup.py" and Path(beam.setup_file).is_file()):
        raise BeamOptionsError(
            f"beam.setup_file must be a setup.py. Received: {beam.setup_file}. Give the path of the one in a clone of "
            "this repository."
        )
    if beam.runner == "DataflowRunner":
        try:
            importlib.import_module("apache_beam.runners.dataflow.internal.apiclient")
        except ImportError as error:
            raise BeamOptionsError(
                f"Google's client libraries must be installed for Dataflow. Received: {error}. Install "
                "apache-beam[gcp]."
            ) from error
    if beam.job_endpoint:
        host, _, port = beam.job_endpoint.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise BeamOptionsError(
                f"Beam's job server must answer when a run begins. Received: {beam.job_endpoint}, {error}. Start it, "
                "or correct beam.job_endpoint (docs/beam.md)."
            ) from error


def beam_problems(beam: BeamConfig) -> Iterator[str]:
    """Yields a message for each setting that no engine would run, whatever is installed."""
    runner, options = beam.runner, beam.options
    served = runner in _JOB_SERVER_RUNNERS
    if doubled := sorted({*options} & {*type(beam).model_fields}):
        yield (
            f"options that have a key of their own must be set there. Received: options.{doubled[0]}. Set "
            f"beam.{doubled[0]}."
        )
    for name, own in beam.components.items():
        if own.get("runner", "DirectRunner") != "DirectRunner":
            yield (
                "a component must run on beam.runner or in its own process. Received: "
                f"components.{name}.runner={own['runner']}. Leave it out, or set DirectRunner."
            )
    if runner != "DirectRunner" and (beam.direct_running_mode, beam.direct_num_workers) != ("in_memory", 1):
        yield (
            f"direct_running_mode and direct_num_workers must be used with DirectRunner alone. Received: "
            f"runner={runner}. Leave them out; the engine's own are in options, such as parallelism or num_workers."
        )
    if beam.direct_running_mode == "in_memory" and beam.direct_num_workers != 1:
        yield (
            f"direct_num_workers must be 1 in memory. Received: direct_num_workers={beam.direct_num_workers}. Set "
            "direct_running_mode=multi_processing, too."
        )
    if not served and (beam.job_endpoint or beam.environment_type or beam.environment_config):
        yield (
            f"job_endpoint and environment_* must be used with {', '.join(_JOB_SERVER_RUNNERS)} alone. Received: "
            f"runner={runner}. Leave them out, or choose one of these."
        )
    if served:
        yield from _job_server_problems(beam)
    if runner == "DataflowRunner":
        if missing := [name for name in _DATAFLOW_OPTIONS if not options.get(name)]:
            yield (
                f"Dataflow must have {', '.join(_DATAFLOW_OPTIONS)}. Received: options without {', '.join(missing)}. "
                "Set options={project: ..., region: ..., temp_location: gs://...}."
            )
        if not (beam.sdk_container_image or beam.setup_file):
            yield (
                "Dataflow's workers must have our code. Received: neither sdk_container_image nor setup_file. Set one "
                "of them."
            )
    elif beam.sdk_container_image:
        yield (
            f"sdk_container_image must be used with Dataflow alone. Received: runner={runner}. The image of a job "
            "server's workers is environment_config, with environment_type=DOCKER."
        )


def _job_server_problems(beam: BeamConfig) -> Iterator[str]:
    runner, kind, address = beam.runner, beam.environment_type, beam.environment_config
    if not beam.job_endpoint and not beam.options.get(_MASTERS.get(runner, "")):
        other = f", or options={{{_MASTERS[runner]}: ...}} where Beam may start one" if runner in _MASTERS else ""
        yield f"{runner} must have a job server. Received: no job_endpoint. Set job_endpoint=HOST:8099{other}."
    if kind is None:
        yield (
            f"{runner} must have workers. Received: no environment_type. Set EXTERNAL with "
            "environment_config=HOST:50000, DOCKER with the image, PROCESS with the command, or LOOPBACK."
        )
    elif (kind == "LOOPBACK") == bool(address):
        yield (
            "EXTERNAL, DOCKER and PROCESS must have an environment_config, and LOOPBACK none. Received: "
            f"environment_type={kind}, environment_config={address}. Change one of the two."
        )
    elif kind == "EXTERNAL" and not re.fullmatch(r"\S+:\d{1,5}", address or ""):
        yield f"EXTERNAL must have a worker pool's address. Received: environment_config={address}. Set HOST:50000."


def _flags(name: str, value: str | list[str] | float | None) -> list[str]:
    if value is None or value == "false":
        return []
    if value == "true":
        return [f"--{name}"]
    return [f"--{name}={item}" for item in (value if isinstance(value, list) else [value])]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BeamOptionsError(
            f"beam.options must have values that Beam takes. Received: {message}. Correct the value."
        )
