"""What the servers are told: real flags of TF Serving, files that it reads, numbers that fit together."""

from __future__ import annotations

from pathlib import PurePosixPath

import click
import pytest
from google.protobuf import text_format

from serving.client import ClientOptions
from serving.server.config import Policy, read_model_config_file
from serving.server.flags import Flags, parse_flags, valued_flags
from tests.serving.manifests.files import (
    KUBERNETES,
    MONITORING,
    compose_server,
    documents,
    inference_service,
    pod,
    resource,
    server,
)
from tests.serving.manifests.text_protos import parse

FIELDS = Flags.__dataclass_fields__

#: KServe's ServingRuntime for TensorFlow gives these before ours.
KSERVE_FLAGS = ["--model_name=clickbait", "--port=9000", "--rest_api_port=8080", "--model_base_path=/mnt/models"]


def arguments(which: str) -> list[str]:
    return {
        "kubernetes": lambda: server()["args"],
        "compose": lambda: compose_server()["command"],
        "kserve": lambda: [*KSERVE_FLAGS, *inference_service()["spec"]["predictor"]["model"]["args"]],
    }[which]()


def values(which: str) -> dict[str, str]:
    return {name: value for name, _, value in (flag[2:].partition("=") for flag in arguments(which))}


def batching() -> dict[str, int]:
    found = parse("BatchingParameters", (KUBERNETES / "batching.config").read_text())
    return {field.name: value.value for field, value in found.ListFields()}


@pytest.mark.parametrize("which", ["kubernetes", "compose", "kserve"])
def test_every_flag_is_one_of_tf_servings(which):
    flags, without_effect = parse_flags(arguments(which))
    ours = [name for name, field in FIELDS.items() if field.metadata["help"].startswith("Ours:")]
    assert not set(ours) & set(values(which))
    assert flags.port and flags.rest_api_port and flags.enable_model_warmup
    assert ("batching_parameters_file" in without_effect) == ("enable_batching" in without_effect)


@pytest.mark.parametrize("which", ["kubernetes", "compose", "kserve"])
def test_every_value_is_joined_to_its_flag(which):
    """Of `--port 8500` TF Serving takes neither, prints its usage and goes on with its defaults."""
    assert [flag for flag in arguments(which) if not flag.startswith("--")] == []
    assert [name for name in values(which) if name in valued_flags() and not values(which)[name]] == []


@pytest.mark.parametrize("which", ["kubernetes", "compose", "kserve"])
def test_no_broken_version_blocks_another_and_no_call_of_a_few_clients_is_refused(which):
    flags = {name: int(value) for name, value in values(which).items() if value.isdigit()}
    assert flags["num_load_threads"] >= 2 and flags["max_num_load_retries"] == 2
    assert flags["grpc_max_threads"] == 64 and flags["rest_api_num_threads"] == 16


@pytest.mark.parametrize("which", ["kubernetes", "compose", "kserve"])
def test_a_misspelt_flag_is_seen(which):
    broken = [flag.replace("parallelism", "paralelism") for flag in arguments(which)]
    with pytest.raises(click.NoSuchOption, match="paralelism"):
        parse_flags(broken)


def test_the_ports_are_the_containers():
    ports = {port["name"]: port["containerPort"] for port in server()["ports"]}
    assert {name: int(values("kubernetes")[name]) for name in ("port", "rest_api_port")} == {
        "port": ports["grpc"],
        "rest_api_port": ports["rest"],
    }


def test_every_file_that_a_flag_names_is_mounted():
    (kustomization,) = documents(KUBERNETES / "kustomization.yaml")
    generated = {generator["name"]: generator["files"] for generator in kustomization["configMapGenerator"]}
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    there = {
        f"{mount['mountPath']}/{file}"
        for mount in server()["volumeMounts"]
        if "configMap" in volumes[mount["name"]]
        for file in generated[volumes[mount["name"]]["configMap"]["name"]]
    }
    assert {value for name, value in values("kubernetes").items() if name.endswith("_file")} == there

    mounts = {mount["target"]: mount["source"] for mount in compose_server()["volumes"]}
    for name, value in values("compose").items():
        if name.endswith("_file"):
            assert (KUBERNETES.parent / mounts[value]).is_file()


def test_the_model_lies_in_the_volume_under_its_name():
    config = read_model_config_file(str(KUBERNETES / "models.config"))
    (models,) = (mount["mountPath"] for mount in server()["volumeMounts"] if mount["name"] == "models")
    assert PurePosixPath(config.base_path) == PurePosixPath(models, config.name)
    assert config.name == ClientOptions().model
    assert config.policy == Policy(specific=(1,)) and config.labels == {"stable": 1}
    assert values("compose")["model_base_path"] == f"{compose_server()['volumes'][0]['target']}/{config.name}"
    claim = resource("PersistentVolumeClaim", "clickbait-models")["metadata"]["name"]
    kserve = inference_service()
    assert kserve["spec"]["predictor"]["model"]["storageUri"] == f"pvc://{claim}/{config.name}"
    assert kserve["metadata"]["name"] == config.name


def test_probes_ask_what_clients_ask_for():
    config = read_model_config_file(str(KUBERNETES / "models.config"))
    for probe in ("startupProbe", "readinessProbe"):
        assert server()[probe]["httpGet"]["path"] == f"/v1/models/{config.name}/labels/stable/metadata"
        kserve = inference_service()["spec"]["predictor"]["model"][probe]
        assert kserve["httpGet"] == {"path": f"/v1/models/{config.name}/metadata", "port": 8080}
    assert set(server()["livenessProbe"]) >= {"tcpSocket"} and "httpGet" not in server()["livenessProbe"]
    assert f"GET /v1/models/{config.name}/metadata " in compose_server()["healthcheck"]["test"][-1]


def test_threads_are_as_many_as_cores():
    cores = int(server()["resources"]["requests"]["cpu"])
    flags = values("kubernetes")
    assert int(flags["tensorflow_intra_op_parallelism"]) == int(flags["tensorflow_inter_op_parallelism"]) == cores
    assert batching()["num_batch_threads"] == cores
    # TF Serving refuses to start with all three.
    assert "tensorflow_session_parallelism" not in flags


def test_a_call_of_the_client_is_one_run():
    found = batching()
    assert found["max_execution_batch_size"] == ClientOptions().rows_per_call <= found["max_batch_size"]
    assert found["enable_large_batch_splitting"] is True
    # The queue has room for the largest call that is let in.
    assert found["max_enqueued_batches"] * found["max_execution_batch_size"] >= 2 * found["max_batch_size"]
    assert int(values("kubernetes")["grpc_max_threads"]) > found["max_enqueued_batches"] + found["num_batch_threads"]


def test_connections_are_closed_before_the_server_ends():
    channel = dict(pair.split("=") for pair in values("kubernetes")["grpc_channel_arguments"].split(","))
    age, grace = (int(channel[f"grpc.max_connection_age{name}_ms"]) / 1000 for name in ("", "_grace"))
    (_, sleep) = server()["lifecycle"]["preStop"]["exec"]["command"]
    assert age * 1.1 + grace < int(sleep)  # gRPC spreads the age by a tenth


def test_prometheus_finds_the_metrics():
    config = parse("MonitoringConfig", (KUBERNETES / "monitoring.config").read_text()).prometheus_config
    monitor, _ = documents(MONITORING / "prometheus.yaml")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert config.enable and config.path == endpoint["path"]
    assert endpoint["port"] in {port["name"] for port in server()["ports"]}


@pytest.mark.parametrize(
    ("name", "file", "typo"),
    [
        ("BatchingParameters", "batching.config", ("batch_timeout_micros", "batch_timeout_millis")),
        ("BatchingParameters", "batching.config", ("{ value: 0 }", "0")),
        ("MonitoringConfig", "monitoring.config", ("enable", "enabled")),
    ],
)
def test_a_misspelt_file_is_seen(name, file, typo):
    text = (KUBERNETES / file).read_text()
    assert parse(name, text).ByteSize()
    with pytest.raises(text_format.ParseError):
        parse(name, text.replace(*typo))
