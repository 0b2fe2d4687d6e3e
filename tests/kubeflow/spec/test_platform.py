"""A fault that is planted in the document behind a spec is called by its path."""

from __future__ import annotations

import pytest
from kfp.kubernetes import kubernetes_executor_config_pb2 as proto

from kubeflow.spec.pipeline_spec import SpecError, load_platforms, load_spec, write_spec
from kubeflow.spec.platform import FIRST_READ, find_platform_faults, iterate_releases, release_key
from tests.helpers.specs import a_spec

PATH = "platforms.kubernetes.deploymentSpec.executors.exec-use"
SECRET = {"keyToEnv": [{"secretKey": "k", "envVar": "V"}], "secretName": "s"}


def document(executor: object, label: str = "exec-use") -> dict:
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {label: executor}}}}}


def test_what_kfp_writes_is_sound():
    by_parameter = {**SECRET, "secretNameParameter": {"runtimeValue": {"constant": "s"}}}
    tolerations = [{"key": "a", "tolerationSeconds": "300"}]  # 64 bits are a text in the JSON of protos
    executor = {"secretAsEnv": [by_parameter], "tolerations": tolerations, "nodeSelector": {"labels": {"a": "b"}}}
    executor["nodeAffinity"] = [{"weight": 10.0}]
    assert find_platform_faults(document(executor), a_spec()) == []
    config = {"platforms": {"kubernetes": {"config": {"release": "2.14.0", "any": [1]}}}}
    assert find_platform_faults(config, a_spec()) == []


@pytest.mark.parametrize(
    ("platform", "fault"),
    [
        (document({"secretAsEnv": {}}), f"{PATH}.secretAsEnv must be a list; received {{}}"),
        (document([]), f"{PATH} must be a mapping; received []"),
        (
            document({"tolerations": [{"tolerationSeconds": "x"}]}),
            "tolerationSeconds must be a whole number; received 'x'",
        ),
        (
            document({"secretEnv": []}),
            f"{PATH}.secretEnv must be a field of KubernetesExecutorConfig; its fields: secret",
        ),
        (document({"secretAsEnv": [{**SECRET, "zz": 1}]}), f"{PATH}.secretAsEnv[0].zz must be a field of SecretAsEnv"),
        (
            document({"enabledSharedMemory": {"size": "1Gi"}}),
            f"{PATH}.enabledSharedMemory must be left out; no release of Kubeflow Pipelines reads it",
        ),
        (document({"podAffinity": [{}]}), f"{PATH}.podAffinity must be left out"),
        (document({}, "exec-gone"), "exec-gone must be of an executor of the spec; its executors: exec-make, exec-use"),
        ({"platforms": {"kubernetes": {"zz": {}}}}, "platforms.kubernetes.zz must be a field of SinglePlatformSpec"),
        ({"platforms": {}, "zz": 1}, "zz must be a field of PlatformSpec; its fields: platforms"),
        ({"platforms": {"kubernetes": []}}, "platforms.kubernetes must be a mapping; received []"),
    ],
)
def test_a_planted_fault_is_called_by_its_path(platform, fault, tmp_path):
    (found,) = find_platform_faults(platform, a_spec())
    assert fault in found
    write_spec(a_spec(), tmp_path / "spec.yaml", [platform])
    for load in (load_spec, load_platforms):
        with pytest.raises(SpecError) as refused:
            load(tmp_path / "spec.yaml")
        assert str(refused.value).splitlines()[1] == f"  {found}"


def test_two_documents_are_refused_as_the_server_refuses_them(tmp_path):
    write_spec(a_spec(), tmp_path / "spec.yaml", [document({}), document({})])
    with pytest.raises(SpecError, match="one document of `platforms:` at most. Received: .* with 2. Make them one"):
        load_spec(tmp_path / "spec.yaml")


def test_the_releases_are_of_fields_that_there_are():
    for path in FIRST_READ:
        field, _, inner = path.partition(".")
        fields = {item.json_name: item for item in proto.KubernetesExecutorConfig.DESCRIPTOR.fields}
        assert field in fields
        assert not inner or inner in {item.json_name for item in fields[field].message_type.fields}


def test_a_field_that_is_used_has_its_release_and_others_have_none():
    executor = {"secretAsEnv": [SECRET, {**SECRET, "optional": True}], "pvcMount": [{"mountPath": "/a"}]}
    assert dict(iterate_releases(executor)) == {"secretAsEnv.optional": "2.15.0"}
    assert release_key("2.9.0") < release_key("2.14.0") < release_key("2.14.10")
