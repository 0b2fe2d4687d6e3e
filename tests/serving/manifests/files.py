"""The files under serving/manifests, read."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

MANIFESTS = Path(__file__).parents[3] / "serving" / "manifests"
KUBERNETES = MANIFESTS / "kubernetes"
MONITORING = MANIFESTS / "monitoring"

RESOURCES = ("deployment.yaml", "services.yaml", "availability.yaml", "network_policy.yaml", "volume.yaml")


def documents(path: Path) -> list[dict]:
    """The documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def resource(kind: str, name: str = "clickbait") -> dict:
    """One of the Kubernetes resources."""
    (found,) = (
        document
        for file in RESOURCES
        for document in documents(KUBERNETES / file)
        if document["kind"] == kind and document["metadata"]["name"] == name
    )
    return found


def pod() -> dict:
    """The servers' pod."""
    return resource("Deployment")["spec"]["template"]["spec"]


def server() -> dict:
    """The container of the server."""
    (container,) = pod()["containers"]
    return container


def compose_text(**variables: str) -> str:
    """The compose file as compose reads it with these variables set, and no others."""
    text = (MANIFESTS / "compose.yaml").read_text(encoding="utf-8")
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: variables.get(found[1], found[2]), text)


def compose_server() -> dict:
    """The service of the compose file."""
    return yaml.safe_load(compose_text())["services"]["serving"]


def inference_service() -> dict:
    """KServe's predictor."""
    service, _ = documents(MANIFESTS / "kserve.yaml")
    return service
