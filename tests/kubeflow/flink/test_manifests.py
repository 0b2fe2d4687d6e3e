"""The manifests of Flink and Beam's job server: valid as far as that can be known here, and of one mind."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from pipeline.config.beam import beam_flags
from pipeline.config.pipeline_config import load_config
from tests.flink.cluster import SETTINGS

ROOT = Path(__file__).parents[3]
FLINK = ROOT / "kubeflow" / "flink"
TEXT = (FLINK / "README.md").read_text(encoding="utf-8")
VERSIONS = ("1.31", kubernetes_validate.latest_version())

#: The operator's FlinkDeploymentSpec, as its reference documents it. There is no schema of the CRD to validate with.
FIELDS = {
    "job": dict,
    "restartNonce": int,
    "flinkConfiguration": dict,
    "image": str,
    "imagePullPolicy": str,
    "serviceAccount": str,
    "flinkVersion": str,
    "ingress": dict,
    "podTemplate": dict,
    "jobManager": dict,
    "taskManager": dict,
    "logConfiguration": dict,
    "mode": str,
}
MANAGER_FIELDS = {"resource": dict, "replicas": int, "podTemplate": dict}
RESOURCE_FIELDS = {"cpu": (int, float), "memory": str, "ephemeralStorage": str}
FLINK_VERSIONS = ("v1_16", "v1_17", "v1_18", "v1_19", "v1_20")


def documents(name: str) -> list[dict]:
    return list(yaml.safe_load_all((FLINK / name).read_text(encoding="utf-8")))


(CLUSTER,) = documents("flink.yaml")
(VOLUME,) = documents("volume.yaml")
(RUN,) = documents("run.yaml")
JOB_SERVER, SERVICE, POLICY = documents("job_server.yaml")
TEMPLATES = [CLUSTER["spec"]["podTemplate"], CLUSTER["spec"]["taskManager"]["podTemplate"]]


def pod_spec(document: dict) -> dict:
    return document["spec"]["template"]["spec"]


def workers() -> dict:
    (found,) = (one for one in TEMPLATES[1]["spec"]["containers"] if one["name"] == "workers")
    return found


def server() -> dict:
    (found,) = pod_spec(JOB_SERVER)["containers"]
    return found


def flag(container: dict, name: str) -> str:
    (found,) = (one.partition("=")[2] for one in container["args"] if one.startswith(f"--{name}="))
    return found


def locked(name: str) -> str:
    """The version of a package in uv.lock."""
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    (found,) = re.findall(rf'^name = "{name}"\nversion = "(.*)"$', lock, re.MULTILINE)
    return found


def check_deployment(document: dict) -> None:
    """Holds a FlinkDeployment to the operator's documented fields."""

    def check(values: dict, fields: dict, place: str) -> None:
        for name, value in values.items():
            assert name in fields, f"{place}.{name} is no field"
            assert isinstance(value, fields[name]), f"{place}.{name} has another type"

    assert (document["apiVersion"], document["kind"]) == ("flink.apache.org/v1beta1", "FlinkDeployment")
    spec = document["spec"]
    check(spec, FIELDS, "spec")
    assert {"image", "flinkVersion", "serviceAccount", "jobManager", "taskManager"} <= {*spec}
    assert spec["flinkVersion"] in FLINK_VERSIONS and spec.get("mode", "native") in ("native", "standalone")
    assert all(isinstance(value, str) for value in spec["flinkConfiguration"].values())
    for manager in ("jobManager", "taskManager"):
        check(spec[manager], MANAGER_FIELDS, f"spec.{manager}")
        check(spec[manager]["resource"], RESOURCE_FIELDS, f"spec.{manager}.resource")
        assert re.fullmatch(r"\d+[mMgG][bB]?", spec[manager]["resource"]["memory"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", [VOLUME, RUN, JOB_SERVER, SERVICE, POLICY], ids=lambda one: one["kind"])
def test_a_resource_is_valid(document, version):
    kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("template", TEMPLATES, ids=["both", "task manager"])
def test_a_pod_template_is_a_pod(template):
    pod = copy.deepcopy(template)
    kubernetes_validate.validate(pod, VERSIONS[0], strict=True)
    pod["spec"]["containers"][0]["volumeMount"] = []
    with pytest.raises(kubernetes_validate.ValidationError, match="volumeMount"):
        kubernetes_validate.validate(pod, VERSIONS[0], strict=True)


def test_the_cluster_has_the_documented_fields_and_is_a_session():
    check_deployment(CLUSTER)
    assert "job" not in CLUSTER["spec"]


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ((), "taskManagers", {}),
        ((), "flinkVersion", "1.20"),
        (("taskManager",), "resources", {}),
        (("jobManager", "resource"), "memory", "2048"),
        (("flinkConfiguration",), "taskmanager.numberOfTaskSlots", 2),
    ],
)
def test_a_mistake_in_the_cluster_is_seen(place, name, value):
    broken = copy.deepcopy(CLUSTER)
    spec = broken["spec"]
    for part in place:
        spec = spec[part]
    spec[name] = value
    with pytest.raises(AssertionError):
        check_deployment(broken)


def test_versions_agree():
    from apache_beam.options.pipeline_options import FlinkRunnerOptions

    beam = locked("apache-beam")
    (flink,) = re.findall(r"^flink:(\d+\.\d+)\.\d+-java11$", CLUSTER["spec"]["image"])
    assert server()["image"] == f"apache/beam_flink{flink}_job_server:{beam}"
    assert CLUSTER["spec"]["flinkVersion"] == f"v{flink.replace('.', '_')}"
    assert load_config(file=FLINK / "beam.yaml", environ={}).beam.options["flink_version"] == flink
    assert flink in FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS
    (run,) = pod_spec(RUN)["containers"]
    assert run["image"] == workers()["image"] == load_config(environ={}).kubeflow.image
    (beam_jar,) = TEMPLATES[0]["spec"]["initContainers"]
    assert beam_jar["image"] == server()["image"]
    (image,) = documents("kustomization.yaml")[0]["images"]
    assert f"{image['name']}:{image['newTag']}" == server()["image"] and image["digest"] == ""
    assert f"Both are {beam} here" in TEXT


def test_the_configuration_leads_to_the_job_server_and_the_workers():
    beam = load_config(file=FLINK / "beam.yaml", environ={}).beam
    name, ports = SERVICE["metadata"]["name"], {port["name"]: port["port"] for port in SERVICE["spec"]["ports"]}
    listening = {port["name"]: port["containerPort"] for port in server()["ports"]}
    assert (
        listening
        == ports
        == {
            "jobs": int(flag(server(), "job-port")),
            "artifacts": int(flag(server(), "artifact-port")),
        }
    )
    assert beam.job_endpoint == f"{name}:{ports['jobs']}"
    assert beam.options["artifact_endpoint"] == f"{name}:{ports['artifacts']}"
    (port,) = workers()["ports"]
    assert (
        beam.environment_config
        == f"localhost:{port['containerPort']}"
        == f"localhost:{flag(workers(), 'service_port')}"
    )
    assert flag(server(), "flink-master") == beam.options["flink_master"] == f"{CLUSTER['metadata']['name']}-rest:8081"
    slots = int(CLUSTER["spec"]["flinkConfiguration"]["slotmanager.number-of-slots.max"])
    assert int(beam.options["parallelism"]) <= slots
    assert "--runner=FlinkRunner" in beam_flags(beam, "StatisticsGen")


def test_what_a_real_flink_needed_is_in_its_configuration():
    own = CLUSTER["spec"]["flinkConfiguration"]
    shared = {key: value for key, value in SETTINGS.items() if key in own}
    assert {*shared} > {"taskmanager.network.sort-shuffle.min-buffers", "classloader.resolve-order"}
    assert {key: own[key] for key in shared if key != "taskmanager.numberOfTaskSlots"}.items() <= shared.items()
    # Beam's jar lies where Flink's own class path is, for both managers.
    (main,) = TEMPLATES[0]["spec"]["containers"]
    (mounted,) = (mount for mount in main["volumeMounts"] if mount["name"] == "beam-jar")
    (copies,) = TEMPLATES[0]["spec"]["initContainers"]
    assert mounted["mountPath"] == f"/opt/flink/lib/{mounted['subPath']}"
    assert copies["command"][-1].endswith(f" /beam/{mounted['subPath']}")


def test_the_workers_command_is_in_the_image():
    import importlib.util

    python, option, module = workers()["command"]
    assert (python, option) == ("python", "-m") and importlib.util.find_spec(module)
    # The pool starts each worker by `python`, so that is the image's own.
    dockerfile = (ROOT / "kubeflow" / "image" / "Dockerfile").read_text(encoding="utf-8")
    assert "ENV PATH=/opt/clickbait/bin:$PATH" in dockerfile and "TF_USE_LEGACY_KERAS=1" in dockerfile


def test_all_share_one_volume_in_one_place():
    claim = VOLUME["metadata"]["name"]
    assert VOLUME["spec"]["accessModes"] == ["ReadWriteMany"]
    specs = [TEMPLATES[0]["spec"], pod_spec(JOB_SERVER), pod_spec(RUN)]
    for spec in specs:
        (volume,) = (one["name"] for one in spec["volumes"] if "persistentVolumeClaim" in one)
        assert {"name": volume, "persistentVolumeClaim": {"claimName": claim}} in spec["volumes"]
    for container in (*(one for spec in specs for one in spec["containers"]), workers()):
        assert {"name": "shared", "mountPath": "/shared"} in container["volumeMounts"]
    (run,) = pod_spec(RUN)["containers"]
    for path in (flag(server(), "artifacts-dir"), flag(run, "data"), flag(run, "output")):
        assert path.startswith("/shared/")


def test_pods_may_do_nothing_that_they_need_not():
    for spec in (TEMPLATES[0]["spec"], pod_spec(JOB_SERVER), pod_spec(RUN)):
        inherited = spec["securityContext"]
        assert inherited["runAsNonRoot"] is True and inherited["runAsUser"] > 0 and inherited["fsGroup"] == 65532
        assert inherited["seccompProfile"] == {"type": "RuntimeDefault"}
    ours = [server(), *pod_spec(RUN)["containers"], workers()]
    # Flink's image writes its configuration when it starts.
    ours += TEMPLATES[0]["spec"]["initContainers"]
    for container in (*ours, *TEMPLATES[0]["spec"]["containers"]):
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False and own["capabilities"] == {"drop": ["ALL"]}
        assert own.get("readOnlyRootFilesystem", False) is (container in ours)
    for container in ours:
        assert {"cpu", "memory"} <= {*container["resources"]["requests"]} and "memory" in container["resources"][
            "limits"
        ]


def test_who_is_labelled_is_let_in():
    label = POLICY["spec"]["podSelector"]["matchLabels"]
    for labels in (
        TEMPLATES[0]["metadata"]["labels"],
        JOB_SERVER["spec"]["template"]["metadata"]["labels"],
        RUN["spec"]["template"]["metadata"]["labels"],
    ):
        assert label.items() <= labels.items()
    assert {"podSelector": {"matchLabels": label}} in POLICY["spec"]["ingress"][0]["from"]
    selector = SERVICE["spec"]["selector"]
    assert selector == JOB_SERVER["spec"]["selector"]["matchLabels"]
    assert not selector.items() <= RUN["spec"]["template"]["metadata"]["labels"].items()


def test_the_job_gives_up_on_what_would_be_said_again():
    from kubeflow.container.exit_codes import MEANINGS

    (rule,) = RUN["spec"]["podFailurePolicy"]["rules"]
    (run,) = pod_spec(RUN)["containers"]
    assert rule["onExitCodes"]["values"] == [code for code in MEANINGS if 2 <= code <= 5]
    assert rule["onExitCodes"]["containerName"] == run["name"]
    (volume,) = (one for one in pod_spec(RUN)["volumes"] if "configMap" in one)
    (generator,) = documents("kustomization.yaml")[0]["configMapGenerator"]
    assert generator["name"] == volume["configMap"]["name"] and generator["options"]["disableNameSuffixHash"]
    assert flag(run, "config").endswith(f"/{generator['files'][0]}")


def test_every_file_is_used_and_every_path_is_there():
    (kustomization,) = documents("kustomization.yaml")
    links = {*re.findall(r"\]\(([\w./]+)\)", TEXT)}
    assert {path.name for path in FLINK.iterdir()} - {"README.md"} <= links
    used = {*kustomization["resources"], *kustomization["configMapGenerator"][0]["files"], "kustomization.yaml"}
    commands = " ".join(re.findall(r"^\$ (.*)$", TEXT, re.MULTILINE))
    applied = {*re.findall(r"kubeflow/flink/(\S+\.yaml)", commands)}
    assert used | applied == {path.name for path in FLINK.iterdir()} - {"README.md"}
    assert all((FLINK / link).exists() for link in links)
    for kind, name in re.findall(r"\b(service|deployment|flinkdeployment)/([\w-]+)", commands):
        known = {"deployment": JOB_SERVER, "flinkdeployment": CLUSTER}
        expected = known[kind]["metadata"]["name"] if kind in known else f"{CLUSTER['metadata']['name']}-rest"
        assert name == expected


@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
def test_what_kubectl_renders():
    done = subprocess.run(["kubectl", "kustomize", str(FLINK)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rendered = {document["kind"]: document for document in yaml.safe_load_all(done.stdout)}
    assert sorted(rendered) == ["ConfigMap", "Deployment", "FlinkDeployment", "NetworkPolicy", "Service"]
    assert rendered["FlinkDeployment"]["spec"] == CLUSTER["spec"]
    assert rendered["Deployment"]["spec"] == JOB_SERVER["spec"]
