"""Commands that talk to a server, wherever the tests run."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def pod_namespace(tmp_path, monkeypatch) -> Path:
    """Where a pod finds its namespace; not there, as outside of a cluster, whatever machine the tests run on."""
    path = tmp_path / "serviceaccount" / "namespace"
    monkeypatch.setattr("kubeflow.submit.submit._POD_NAMESPACE", path)
    return path


@pytest.fixture
def outside(pod_namespace, monkeypatch) -> None:
    """Neither a cluster nor an address of one is known, and no answer is waited for."""
    for name in ("KUBEFLOW_HOST", "KF_PIPELINES_ENDPOINT", "KUBEFLOW_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("kubeflow.submit.server._PAUSE_SECONDS", 0.01)
