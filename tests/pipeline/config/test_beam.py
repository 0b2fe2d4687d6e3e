"""The section `beam`: what becomes of it as flags, and what is refused before anything runs."""

from __future__ import annotations

import re
import socket
import sys
import tarfile
from pathlib import Path
from typing import get_args

import pytest

from pipeline.config.beam import (
    BEAM_COMPONENTS,
    BeamComponent,
    BeamConfig,
    BeamOptionsError,
    beam_flags,
    require_engine,
    require_known,
)
from pipeline.config.pipeline_config import ConfigError, load_config
from tests.helpers.beam_engine import free_port

ROOT = Path(__file__).parents[3]
FLINK = [
    "beam.runner=FlinkRunner",
    "beam.job_endpoint=jobs:8099",
    "beam.environment_type=EXTERNAL",
    "beam.environment_config=localhost:50000",
]
DATAFLOW = [
    "beam.runner=DataflowRunner",
    "beam.options={project: p, region: r, temp_location: gs://b/t, num_workers: 3}",
]


def beam(*overrides: str) -> BeamConfig:
    return load_config(overrides=overrides, environ={}).beam


def test_the_default_has_no_flags():
    assert [beam_flags(beam(), name) for name in BEAM_COMPONENTS] == [[]] * len(BEAM_COMPONENTS)
    assert beam_flags(beam("beam.runner=DirectRunner", "beam.direct_num_workers=1"), "DataGate") == []


def test_flink():
    section = beam(
        *FLINK,
        "beam.options={parallelism: 8, flink_version: 1.20, experiments: [a, b], y: true, n: false}",
        "beam.components={StatisticsGen: {parallelism: 16, flink_version: null}}",
        "beam.pipeline_args=[--last]",
    )
    there = [
        "--runner=FlinkRunner",
        "--job_endpoint=jobs:8099",
        "--environment_type=EXTERNAL",
        "--environment_config=localhost:50000",
    ]
    experiments = [
        "--experiments=a",
        "--experiments=b",
        "--y",
        "--sdk_container_image=clickbait-tfx",
    ]
    assert beam_flags(section, "DataGate") == [
        *there,
        "--parallelism=8",
        "--flink_version=1.20",
        *experiments,
        "--last",
    ]
    assert beam_flags(section, "StatisticsGen") == [*there, "--parallelism=16", *experiments, "--last"]


def test_a_component_may_stay_in_its_process():
    section = beam(
        *FLINK,
        "beam.options={parallelism: 8}",
        "beam.components={DataGate: {runner: DirectRunner}}",
    )
    assert beam_flags(section, "DataGate") == []
    assert "--parallelism=8" in beam_flags(section, "StatisticsGen")


def test_the_code_comes_from_the_image_or_from_setup_py():
    image = beam(*DATAFLOW, "beam.sdk_container_image=eu.gcr.io/p/i:1")
    assert "--sdk_container_image=eu.gcr.io/p/i:1" in beam_flags(image, "DataGate")
    setup = beam_flags(beam(*DATAFLOW, "beam.setup_file=setup.py"), "DataGate")
    assert "--setup_file=setup.py" in setup and not any("sdk_container_image" in flag for flag in setup)
    workers = beam("beam.direct_running_mode=multi_processing", "beam.direct_num_workers=0")
    assert beam_flags(workers, "DataGate")[:2] == ["--direct_running_mode=multi_processing", "--direct_num_workers=0"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["beam.runner=PortableRunner"], "PortableRunner must have a job server. Received: no job_endpoint."),
        (["beam.runner=FlinkRunner"], "or options={flink_master: ...} where Beam may start one."),
        (
            ["beam.runner=SparkRunner", "beam.options={spark_master_url: spark://h:7077}"],
            "SparkRunner must have workers. Received: no environment_type.",
        ),
        ([*FLINK, "beam.environment_config="], "have an environment_config, and LOOPBACK none. Received: "),
        (
            [*FLINK, "beam.environment_type=LOOPBACK"],
            "Received: environment_type=LOOPBACK, environment_config=",
        ),
        ([*FLINK, "beam.environment_config=pool"], "EXTERNAL must have a worker pool's address. Received: "),
        ([*FLINK, "beam.direct_num_workers=2"], "must be used with DirectRunner alone. Received: runner=FlinkRunner."),
        (
            [*FLINK, "beam.sdk_container_image=i"],
            "sdk_container_image must be used with Dataflow alone. Received: runner=FlinkRunner.",
        ),
        (["beam.direct_num_workers=2"], "Set direct_running_mode=multi_processing, too."),
        (
            ["beam.job_endpoint=h:1"],
            "job_endpoint and environment_* must be used with PortableRunner, FlinkRunner, SparkRunner alone.",
        ),
        (["beam.runner=DataflowRunner", "beam.options={project: p}"], "options without region, temp_location. Set "),
        (DATAFLOW, "Dataflow's workers must have our code. Received: neither sdk_container_image nor setup_file."),
        (["beam.options={runner: FlinkRunner}"], "Received: options.runner. Set beam.runner."),
        (
            [*FLINK, "beam.components={DataGate: {runner: SparkRunner}}"],
            "Received: components.DataGate.runner=SparkRunner. Leave it out, or set DirectRunner.",
        ),
    ],
)
def test_what_no_engine_runs_is_refused(overrides, expected):
    with pytest.raises(ConfigError) as caught:
        beam(*overrides)
    head, line = str(caught.value).splitlines()
    assert head == "The configuration must be valid. Received: 1 problem:"
    assert line.startswith("  beam: ") and expected in line and line.endswith(".")


def test_the_components_that_may_be_named_are_those():
    assert get_args(BeamComponent) == BEAM_COMPONENTS
    with pytest.raises(ConfigError, match=re.escape("mapping such as {StatisticsGen: {parallelism: 8}}, of Headline")):
        beam("beam.components={Trainer: {parallelism: 8}}")


def test_a_job_server_that_does_not_listen_is_said_before_a_run():
    port = free_port()
    section = beam(*FLINK, f"beam.job_endpoint=localhost:{port}")
    with pytest.raises(BeamOptionsError, match=rf"Received: localhost:{port}, .*refused. Start it, or correct"):
        require_engine(section)
    with socket.create_server(("127.0.0.1", port)):
        require_engine(section)


def test_the_command_ends_with_2_and_no_traceback(tmp_path):
    from click.testing import CliRunner

    from pipeline.cli import main

    overrides = [f"--set={override}" for override in (*FLINK, f"beam.job_endpoint=localhost:{free_port()}")]
    done = CliRunner().invoke(main, ["run", "--output", str(tmp_path), *overrides])
    assert done.exit_code == 2
    assert "Beam's job server must answer when a run begins. Received: localhost:" in done.output
    assert "Traceback" not in done.output and not [*tmp_path.iterdir()]


def test_a_setup_file_that_is_none_is_said(tmp_path):
    for path in (tmp_path / "setup.py", Path(__file__)):
        with pytest.raises(BeamOptionsError, match="beam.setup_file must be a setup.py. Received: "):
            require_engine(beam(*DATAFLOW, f"beam.setup_file={path}"))


def test_dataflow_without_its_client_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam.runners.dataflow.internal.apiclient", None)
    with pytest.raises(
        BeamOptionsError,
        match=r"Google's client libraries must be installed for Dataflow. Received: .* Install apache-beam\[gcp\]",
    ):
        require_engine(beam(*DATAFLOW, f"beam.setup_file={ROOT / 'setup.py'}"))


# ---- With Beam itself


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["beam.options={paralelism: 8}"], r"Received: paralelism=8 \(HeadlineExampleGen\)\. Correct its name"),
        (["beam.components={DataGate: {x: 1}}"], r"Received: x=1 \(DataGate\)\."),
        (["beam.options={parallelism: many}"], "Received: argument --parallelism: invalid int value: 'many'."),
        (["beam.options={flink_version: 1.2}"], r"invalid choice: '1.2' \(choose from"),
    ],
)
def test_what_beam_does_not_know_is_refused(overrides, expected):
    with pytest.raises(BeamOptionsError, match=expected):
        require_known(beam(*FLINK, *overrides))


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [[], FLINK, [*DATAFLOW, "beam.setup_file=setup.py"]])
def test_what_beam_knows_is_taken(overrides):
    require_known(beam(*overrides, "beam.pipeline_args=[--only-the-job-server-knows=1]"))


@pytest.mark.slow
def test_each_component_that_beam_runs_gets_its_flags_and_no_other():
    from tfx.dsl.components.base import executor_spec

    from kubeflow.inputs import cluster_inputs
    from pipeline.pipeline import create_pipeline

    config = load_config(overrides=[*FLINK, "beam.components={StatisticsGen: {parallelism: 16}}"], environ={})
    pipeline = create_pipeline(config, cluster_inputs(config))
    found = {
        node.id: node.executor_spec.beam_pipeline_args
        for node in pipeline.components
        if isinstance(node.executor_spec, executor_spec.BeamExecutorSpec)
    }
    assert found == {name: beam_flags(config.beam, name) for name in BEAM_COMPONENTS if name != "BulkInferrer"}
    assert "--parallelism=16" in found["StatisticsGen"] and pipeline.beam_pipeline_args == []


@pytest.mark.slow
def test_tfx_packs_nothing_for_the_workers(monkeypatch):
    from tfx.utils import dependency_utils

    monkeypatch.setattr(dependency_utils, "build_ephemeral_package", lambda: pytest.fail("42 MB a component"))
    for section in (beam(*FLINK), beam("beam.direct_running_mode=multi_processing", "beam.direct_num_workers=2")):
        flags = beam_flags(section, "DataGate")
        assert dependency_utils.make_beam_dependency_flags(flags) == flags


@pytest.mark.slow
def test_setup_py_makes_a_package_of_all_that_workers_need(tmp_path):
    from apache_beam.runners.portability.stager import Stager

    package = Stager._build_setup_package(str(ROOT / "setup.py"), str(tmp_path))
    with tarfile.open(package) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for folder in ("components", "trainer", "pipeline", "data"):
        code = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.py")}
        assert code <= names, code - names
    assert {"setup.py", "pyproject.toml", "data/schema.pbtxt", "pipeline/config/presets/default.yaml"} <= names
