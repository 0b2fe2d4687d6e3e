"""The InferenceService, as far as Kubernetes's own schemas reach: its predictor is a pod with a model in it."""

from __future__ import annotations

import copy

import kubernetes_validate
import pytest

from serving.serve import IMAGE
from tests.serving.manifests.files import MANIFESTS, documents, inference_service, pod, resource, server

#: The fields of KServe's PredictorSpec and ModelSpec that are no fields of a pod or a container.
PREDICTOR_FIELDS = {"model", "minReplicas", "maxReplicas", "scaleTarget", "scaleMetric"}
MODEL_FIELDS = {"modelFormat", "runtime", "runtimeVersion", "storageUri"}


def as_pod(service: dict) -> dict:
    """The pod that KServe makes of the predictor, without what KServe adds."""
    predictor = service["spec"]["predictor"]
    model = predictor["model"]
    container = {name: value for name, value in model.items() if name not in MODEL_FIELDS}
    spec = {name: value for name, value in predictor.items() if name not in PREDICTOR_FIELDS}
    spec["containers"] = [
        {"name": "kserve-container", "image": f"tensorflow/serving:{model['runtimeVersion']}", **container}
    ]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "clickbait"}, "spec": spec}


def test_its_pod_is_valid():
    service = inference_service()
    assert (service["apiVersion"], service["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert set(service["spec"]) == {"predictor"}
    assert set(service["spec"]["predictor"]) >= PREDICTOR_FIELDS
    assert set(service["spec"]["predictor"]["model"]) >= MODEL_FIELDS
    kubernetes_validate.validate(as_pod(service), "1.31", strict=True)


@pytest.mark.parametrize(
    ("place", "key"), [((), "nodeSelector"), (("model",), "startupProbe"), (("model",), "storageUri")]
)
def test_a_typo_is_seen(place, key):
    service = copy.deepcopy(inference_service())
    found = service["spec"]["predictor"]
    for name in place:
        found = found[name]
    found[f"{key}s"] = found.pop(key)
    with pytest.raises(kubernetes_validate.ValidationError, match=f"{key}s"):
        kubernetes_validate.validate(as_pod(service), "1.31", strict=True)


def test_clients_reach_grpc_alone():
    service, policy = documents(MANIFESTS / "kserve.yaml")
    kubernetes_validate.validate(policy, "1.31", strict=True)
    (port,) = service["spec"]["predictor"]["model"]["ports"]
    (rule,) = policy["spec"]["ingress"]
    assert policy["spec"]["podSelector"]["matchLabels"] == {
        "serving.kserve.io/inferenceservice": service["metadata"]["name"]
    }
    assert rule["ports"] == [{"port": port["containerPort"]}]
    assert rule["from"] == resource("NetworkPolicy")["spec"]["ingress"][0]["from"]


def test_it_is_confined_as_our_own_servers_are():
    predictor = inference_service()["spec"]["predictor"]
    model = predictor["model"]
    assert predictor["securityContext"] == pod()["securityContext"]
    assert predictor["automountServiceAccountToken"] is False
    assert model["securityContext"] == server()["securityContext"]
    assert f"tensorflow/serving:{model['runtimeVersion']}" == IMAGE
    # The runtime's own limit of one core would be below the request.
    assert model["resources"]["limits"]["cpu"] == model["resources"]["requests"]["cpu"]
