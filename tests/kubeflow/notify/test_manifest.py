"""The manifest: valid as far as that can be known here, of one mind, and a call that the command takes."""

from __future__ import annotations

import copy
import re

import kubernetes_validate
import pytest
import yaml

from kubeflow.cli import notify_command
from kubeflow.submit.address import TOKEN
from pipeline.config.pipeline_config import load_config
from tests.kubeflow.image.dockerfile import ROOT

TEXT = (ROOT / "kubeflow" / "notify" / "cronjob.yaml").read_text(encoding="utf-8")
DOCUMENTS = list(yaml.safe_load_all(TEXT))
VERSIONS = ("1.31", kubernetes_validate.latest_version())
BY_KIND = {document["kind"]: document for document in DOCUMENTS}
JOB = BY_KIND["CronJob"]["spec"]["jobTemplate"]["spec"]
POD = JOB["template"]["spec"]
(CONTAINER,) = POD["containers"]

#: A key of each kind that is easily misspelt.
TYPOS = {
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec", "containers", 0, "volumeMounts"),
    "PersistentVolumeClaim": ("spec", "accessModes"),
    "ServiceAccount": ("automountServiceAccountToken",),
    "Role": ("rules", 0, "verbs"),
    "RoleBinding": ("roleRef",),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", TYPOS)
def test_a_resource_is_valid_and_a_typo_is_seen(kind, version):
    kubernetes_validate.validate(BY_KIND[kind], version, strict=True)
    *parents, key = TYPOS[kind]
    broken = copy.deepcopy(BY_KIND[kind])
    place = broken
    for parent in parents:
        place = place[parent]
    place[f"{key}s"] = place.pop(key)
    with pytest.raises(kubernetes_validate.ValidationError, match=f"{key}s"):
        kubernetes_validate.validate(broken, version, strict=True)


def test_each_kind_is_there_once_and_none_has_a_secret():
    assert sorted(BY_KIND) == sorted(TYPOS) == sorted(document["kind"] for document in DOCUMENTS)
    assert "hooks." not in TEXT


def test_the_command_takes_its_arguments_and_finds_its_files():
    assert CONTAINER["command"] == ["clickbait", "kubeflow", "notify"]
    with notify_command.make_context("notify", [*CONTAINER["args"]]) as context:
        values = context.params
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    assert mounts.keys() == volumes.keys()
    assert str(values["state_file"].parent) == mounts["state"]
    assert str(values["webhook_file"].parent) == mounts["webhook"]
    (token,) = volumes["token"]["projected"]["sources"]
    assert str(values["token_file"]) == f"{mounts['token']}/{token['serviceAccountToken']['path']}"
    assert f"--audience {token['serviceAccountToken']['audience']}`" in TOKEN
    ((name, key),) = re.findall(r"create secret generic (\S+) .*--from-file=(\w+)=FILE", TEXT)
    assert (name, key) == (volumes["webhook"]["secret"]["secretName"], values["webhook_file"].name)


def test_names_agree():
    name = "clickbait-notify"
    for document in DOCUMENTS:
        assert document["metadata"]["name"] == name
        assert document["metadata"]["labels"] == {"app.kubernetes.io/name": name}
    (state,) = (volume for volume in POD["volumes"] if "persistentVolumeClaim" in volume)
    assert state["persistentVolumeClaim"]["claimName"] == POD["serviceAccountName"] == name
    assert BY_KIND["RoleBinding"]["roleRef"]["name"] == BY_KIND["RoleBinding"]["subjects"][0]["name"] == name
    assert CONTAINER["image"] == load_config(environ={}).kubeflow.image


def test_two_never_run_at_once_and_each_look_is_one_try():
    assert BY_KIND["CronJob"]["spec"]["concurrencyPolicy"] == "Forbid"
    assert JOB["backoffLimit"] == 0 and POD["restartPolicy"] == "Never"


def test_the_pod_may_do_nothing_that_it_need_not():
    assert POD["automountServiceAccountToken"] is False
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    own = CONTAINER["securityContext"]
    assert own["allowPrivilegeEscalation"] is False and own["capabilities"] == {"drop": ["ALL"]}
    assert own["readOnlyRootFilesystem"] is True
    assert {verb for rule in BY_KIND["Role"]["rules"] for verb in rule["verbs"]} == {"get", "list", "readArtifact"}
