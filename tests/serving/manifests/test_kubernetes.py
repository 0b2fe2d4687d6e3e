"""The Kubernetes resources: valid for the oldest version we name and the newest we know, and of one mind."""

from __future__ import annotations

import copy
import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from serving.serve import IMAGE
from tests.serving.manifests.files import KUBERNETES, MONITORING, RESOURCES, documents, pod, resource, server

VERSIONS = ("1.31", kubernetes_validate.latest_version())
NAME_LABEL = {"app.kubernetes.io/name": "clickbait"}

#: A key of each kind that is easily misspelt.
TYPOS = {
    "Deployment": ("spec", "template", "spec", "containers", 0, "readinessProbe"),
    "Service": ("spec", "selector"),
    "PodDisruptionBudget": ("spec", "maxUnavailable"),
    "HorizontalPodAutoscaler": ("spec", "behavior", "scaleDown", "stabilizationWindowSeconds"),
    "NetworkPolicy": ("spec", "policyTypes"),
    "PersistentVolumeClaim": ("spec", "accessModes"),
    "Pod": ("spec", "securityContext", "runAsNonRoot"),
}

ALL = [document for file in RESOURCES for document in documents(KUBERNETES / file)]


def name_of(document: dict) -> str:
    return f"{document['kind']}-{document['metadata']['name']}"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", ALL, ids=name_of)
def test_a_resource_is_valid(document, version):
    kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("document", ALL, ids=name_of)
def test_a_typo_is_seen(document):
    *parents, key = TYPOS[document["kind"]]
    broken = copy.deepcopy(document)
    place = broken
    for parent in parents:
        place = place[parent]
    place[f"{key}s"] = place.pop(key)
    with pytest.raises(kubernetes_validate.ValidationError, match=f"{key}s"):
        kubernetes_validate.validate(broken, VERSIONS[0], strict=True)


def test_the_kustomization_names_every_file():
    (kustomization,) = documents(KUBERNETES / "kustomization.yaml")
    configs = {file for generator in kustomization["configMapGenerator"] for file in generator["files"]}
    named = {*kustomization["resources"], *configs, "kustomization.yaml", "volume.yaml"}
    assert named == {path.name for path in KUBERNETES.iterdir()}


def test_the_image_is_pinned_in_one_version():
    (kustomization,) = documents(KUBERNETES / "kustomization.yaml")
    (image,) = kustomization["images"]
    (loader,) = resource("Pod", "clickbait-loader")["spec"]["containers"]
    assert f"{image['name']}:{image['newTag']}" == server()["image"] == loader["image"] == IMAGE
    assert image["digest"] == ""


@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
@pytest.mark.parametrize("digest", ["", "sha256:" + "0" * 64])
def test_what_kubectl_renders(tmp_path, digest):
    folder = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, folder)
    kustomization = folder / "kustomization.yaml"
    kustomization.write_text(kustomization.read_text().replace('digest: ""', f'digest: "{digest}"'))
    rendered = render(folder)
    for document in rendered:
        kubernetes_validate.validate(document, VERSIONS[0], strict=True)
    (deployment,) = (document for document in rendered if document["kind"] == "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    assert spec["containers"][0]["image"] == IMAGE + (f"@{digest}" if digest else "")
    maps = {document["metadata"]["name"] for document in rendered if document["kind"] == "ConfigMap"}
    mounted = {volume["configMap"]["name"] for volume in spec["volumes"] if "configMap" in volume}
    assert maps == mounted and "clickbait-models" in maps and "clickbait-server" not in maps


@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
def test_the_monitoring_that_kubectl_renders():
    kinds = sorted(document["kind"] for document in render(MONITORING))
    assert kinds == ["ConfigMap", "PodMonitor", "PrometheusRule"]


def render(folder) -> list[dict]:
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def test_selectors_and_labels_agree():
    deployment = resource("Deployment")["spec"]
    assert deployment["selector"]["matchLabels"] == deployment["template"]["metadata"]["labels"] == NAME_LABEL
    for service in ("clickbait", "clickbait-headless"):
        assert resource("Service", service)["spec"]["selector"] == NAME_LABEL
    assert resource("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == NAME_LABEL
    assert resource("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == NAME_LABEL
    for spread in pod()["topologySpreadConstraints"]:
        assert spread["labelSelector"]["matchLabels"] == NAME_LABEL
    # The loader must not be taken for a server.
    assert resource("Pod", "clickbait-loader")["metadata"]["labels"] != NAME_LABEL


def test_ports_agree():
    ports = {port["name"]: port["containerPort"] for port in server()["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    for service in ("clickbait", "clickbait-headless"):
        for port in resource("Service", service)["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]
    for rule in resource("NetworkPolicy")["spec"]["ingress"]:
        assert {port["port"] for port in rule["ports"]} <= set(ports)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        (action,) = (server()[probe][kind] for kind in ("httpGet", "tcpSocket") if kind in server()[probe])
        assert action["port"] in ports
    assert resource("Service", "clickbait-headless")["spec"]["clusterIP"] == "None"


def test_volumes_agree():
    (kustomization,) = documents(KUBERNETES / "kustomization.yaml")
    generated = {generator["name"] for generator in kustomization["configMapGenerator"]}
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    assert {mount["name"] for mount in server()["volumeMounts"]} == set(volumes)
    assert {volume["configMap"]["name"] for volume in volumes.values() if "configMap" in volume} == generated
    claim = resource("PersistentVolumeClaim", "clickbait-models")["metadata"]["name"]
    assert volumes["models"]["persistentVolumeClaim"] == {"claimName": claim, "readOnly": True}
    (loader,) = resource("Pod", "clickbait-loader")["spec"]["volumes"]
    assert loader["persistentVolumeClaim"]["claimName"] == claim
    # A subPath is mounted once: an edit of models.config would never arrive.
    assert not any("subPath" in mount for mount in server()["volumeMounts"])


@pytest.mark.parametrize("spec", [pod(), resource("Pod", "clickbait-loader")["spec"]], ids=["server", "loader"])
def test_a_pod_may_do_nothing_that_it_need_not(spec):
    assert spec["automountServiceAccountToken"] is False
    inherited = spec["securityContext"]
    assert inherited["runAsNonRoot"] is True and inherited["runAsUser"] > 0
    assert inherited["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        own = container["securityContext"]
        assert own["readOnlyRootFilesystem"] is True and own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]


def test_the_network_lets_in_clients_and_prometheus_only():
    policy = resource("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"] and policy["egress"] == []
    assert all(source for rule in policy["ingress"] for source in rule["from"])
    # One request over REST can end the server (CVE-2025-0649): it is for Prometheus, and for the node's probes.
    clients, prometheus = policy["ingress"]
    assert clients["ports"] == [{"port": "grpc"}] and prometheus["ports"] == [{"port": "rest"}]
    assert all("namespaceSelector" in source and "podSelector" in source for source in prometheus["from"])
    services = [document for document in ALL if document["kind"] == "Service"]
    assert {port["targetPort"] for service in services for port in service["spec"]["ports"]} == {"grpc"}


def test_a_replica_that_ends_has_time_to_be_left():
    (_, seconds) = server()["lifecycle"]["preStop"]["exec"]["command"]
    assert int(seconds) < pod()["terminationGracePeriodSeconds"]


def test_an_autoscaler_and_a_budget_that_do_not_fight():
    scaler = resource("HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "clickbait"}
    assert scaler["minReplicas"] > resource("PodDisruptionBudget")["spec"]["maxUnavailable"] >= 1
    assert "replicas" not in resource("Deployment")["spec"]


def test_replicas_follow_the_requests_in_flight_well_before_threads_are_short():
    resources, pods = resource("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert resources["resource"]["name"] == "cpu"
    (threads,) = (int(flag.partition("=")[2]) for flag in server()["args"] if flag.startswith("--grpc_max_threads="))
    cores = int(server()["resources"]["requests"]["cpu"])
    (rule,) = documents(MONITORING / "adapter.yaml")[0]["rules"]["custom"]
    assert pods["pods"]["metric"]["name"] == rule["name"]["as"]
    assert 2 * cores <= int(pods["pods"]["target"]["averageValue"]) <= threads / 4


def test_a_slow_start_is_waited_for():
    probe, deployment = server()["startupProbe"], resource("Deployment")["spec"]
    patience = probe["periodSeconds"] * probe["failureThreshold"]
    assert 600 <= patience < deployment["progressDeadlineSeconds"]
