"""The settings of tasks become kfp's own messages; what a release does not read, or no pod can have, is refused."""

from __future__ import annotations

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2 as proto

from kubeflow.container.endpoint import ENDPOINTS
from kubeflow.platform import STORE_TASKS, container_env, platform_document, task_settings, tasks_with_secrets
from kubeflow.spec.pipeline_spec import SpecError, load_spec, write_spec
from kubeflow.spec.platform import find_platform_faults
from pipeline.config.pipeline_config import load_config
from tests.kubeflow.golden import GOLDEN

KEYS = [
    {"secretKey": "accesskey", "envVar": "AWS_ACCESS_KEY_ID"},
    {"secretKey": "secretkey", "envVar": "AWS_SECRET_ACCESS_KEY"},
]


@pytest.fixture(scope="module")
def spec() -> dict:
    return load_spec(GOLDEN)


def section(*overrides: str):
    return load_config(overrides=[f"kubeflow.{override}" for override in overrides], environ={}).kubeflow


def named(name: str) -> dict:
    return {"runtimeValue": {"constant": name}}


def executors(spec, *overrides: str) -> dict:
    document = platform_document(spec, section(*overrides))
    assert find_platform_faults(document, spec) == []
    return document["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def test_without_any_of_it_there_is_no_document(spec):
    assert platform_document(spec, section()) is None
    assert platform_document(spec, section("tasks={Trainer: {gpus: 1, env: {A: b}}}")) is None
    assert tasks_with_secrets(None) == 0


def test_each_setting_becomes_the_message_that_drivers_read(spec):
    tasks = """{
        default: {image_pull_secrets: [registry], empty_dirs: {/dev/shm: {medium: Memory, size_limit: 2Gi}}},
        Trainer: {
            secret_env: {A: {secret: s.x, key: a}, B: {secret: s.x, key: b}, C: {secret: t, key: c, optional: true}},
            config_env: {D: {config_map: m, key: d}},
            secret_volumes: {/secrets/gcp: {secret: gcp, optional: true}},
            config_volumes: {/config: {config_map: m2}},
            volumes: {/checkpoints: {claim: c, sub_path: x/y}, /other: {claim: c}},
            node_selector: {gpu: "true"},
            tolerations: [{key: spot, operator: Exists, effect: NoExecute, toleration_seconds: 300}],
            node_affinity: [{match_expressions: [{key: zone, operator: In, values: [a]}], weight: 10}],
        }}"""
    configs = executors(spec, f"tasks={tasks}", "release=2.17.0")
    common = {
        "imagePullSecret": [{"secretNameParameter": named("registry")}],
        "emptyDirMounts": [
            {"volumeName": "empty-dir-1", "mountPath": "/dev/shm", "medium": "Memory", "sizeLimit": "2Gi"}
        ],
    }
    assert configs["DataGate_executor"] == common
    assert len(configs) == 16
    assert configs["Trainer_executor"] == {
        **common,
        "secretAsEnv": [
            {
                "secretNameParameter": named("s.x"),
                "keyToEnv": [{"secretKey": "a", "envVar": "A"}, {"secretKey": "b", "envVar": "B"}],
            },
            {"secretNameParameter": named("t"), "keyToEnv": [{"secretKey": "c", "envVar": "C"}], "optional": True},
        ],
        "configMapAsEnv": [
            {"configMapNameParameter": named("m"), "keyToEnv": [{"configMapKey": "d", "envVar": "D"}]},
        ],
        "secretAsVolume": [{"secretNameParameter": named("gcp"), "mountPath": "/secrets/gcp", "optional": True}],
        "configMapAsVolume": [{"configMapNameParameter": named("m2"), "mountPath": "/config"}],
        "pvcMount": [
            {"pvcNameParameter": named("c"), "mountPath": "/checkpoints", "subPath": "x/y"},
            {"pvcNameParameter": named("c"), "mountPath": "/other"},
        ],
        "nodeSelector": {"labels": {"gpu": "true"}},
        "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": "300"}],
        "nodeAffinity": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}], "weight": 10}],
    }
    for config in configs.values():
        json_format.ParseDict(config, proto.KubernetesExecutorConfig())


def test_kfp_loads_both_documents(spec, tmp_path):
    from kfp import components

    document = platform_document(spec, section("service_account=runner", "installation=standard", "release=2.16.0"))
    assert document["platforms"]["kubernetes"]["config"] == {"serviceAccount": "runner", "release": "2.16.0"}
    write_spec(spec, tmp_path / "spec.yaml", [document])
    loaded = components.load_component_from_file(str(tmp_path / "spec.yaml"))
    assert json_format.MessageToDict(loaded.platform_spec) == yaml.safe_load(yaml.safe_dump(document))


def test_a_standard_installation_gives_its_store_to_the_tasks_that_open_one(spec):
    kubeflow = section("installation=standard")
    configs = executors(spec, "installation=standard")
    secret = [{"secretNameParameter": named("mlpipeline-minio-artifact"), "keyToEnv": KEYS}]
    assert configs == {
        f"{name}_executor": {"secretAsEnv": secret} for name in STORE_TASKS if name in spec["root"]["dag"]["tasks"]
    }
    assert tasks_with_secrets(platform_document(spec, kubeflow)) == 5
    for name in spec["root"]["dag"]["tasks"]:
        variables = {item["name"]: item["value"] for item in container_env(task_settings(kubeflow, name))}
        assert bool(variables) == (name in STORE_TASKS)
        if variables:
            stores = "http://seaweedfs.kubeflow:9000 http://minio-service.kubeflow:9000"
            assert variables == {ENDPOINTS: stores, "AWS_DEFAULT_REGION": "us-east-1"}


def test_from_2_16_on_there_is_one_store():
    env = task_settings(section("installation=standard", "release=2.16.0"), "DataGate").env
    assert env[ENDPOINTS] == "http://seaweedfs.kubeflow:9000"


def test_settings_stand_over_those_of_the_installation(spec):
    kubeflow = section(
        "installation=standard",
        "tasks={default: {env: {AWS_DEFAULT_REGION: eu}}, "
        "DataGate: {secret_env: {AWS_ACCESS_KEY_ID: {secret: my, key: k}}}}",
    )
    assert task_settings(kubeflow, "DataGate").env["AWS_DEFAULT_REGION"] == "eu"
    secrets = task_settings(kubeflow, "DataGate").secret_env
    assert {name: item.secret for name, item in secrets.items()} == {
        "AWS_ACCESS_KEY_ID": "my",
        "AWS_SECRET_ACCESS_KEY": "mlpipeline-minio-artifact",
    }


def test_a_variable_without_a_value_has_one():
    kubeflow = section("tasks={default: {env: {EMPTY: ''}}}")
    assert container_env(kubeflow.task("Trainer")) == [{"name": "EMPTY", "value": ""}]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "tasks={Trainr: {gpus: 1}}",
            "must have tasks of the pipeline, or default. Received: Trainr. Its tasks: B",
        ),
        (
            "tasks={Trainer: {secret_env: {A: {secret: s, key: k, optional: true}}}}",
            r"kubeflow.release must be 2.15.0 or later for secretAsEnv.optional \(Trainer\).* Received: 2.14.0. Leave",
        ),
        (
            "tasks={Trainer: {config_env: {A: {config_map: s, key: k, optional: true}}}}",
            "2.15.0 or later for configMapAsEnv",
        ),
        ("tasks={Trainer: {volumes: {/a: {claim: c, sub_path: d}}}}", "2.16.0 or later for pvcMount.subPath"),
        (
            "tasks={Trainer: {memory_request_gb: 9}}",
            r"memory_request_gb must be at most memory_limit_gb. Received: 9.0 and 8.0 \(Trainer\). Change one",
        ),
        ("tasks={default: {cpu_request: 9}}", "cpu_request must be at most cpu_limit. Received: 9.0 and 2.0"),
        (
            "tasks={Trainer: {volumes: {/a: {claim: x}}, secret_volumes: {/b: {secret: x}}}}",
            r"must have a name that no other volume of the pod has.* Received: x \(Trainer\)",
        ),
        ("tasks={Trainer: {config_volumes: {/a: {config_map: kfp-launcher}}}}", "Received: kfp-launcher"),
    ],
)
def test_what_would_fail_on_the_cluster_is_refused_here(spec, override, message):
    with pytest.raises(SpecError, match=message):
        platform_document(spec, section(override))
