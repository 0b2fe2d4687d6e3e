from __future__ import annotations

import runpy

import pytest
import setuptools

from tests.kubeflow.image.dockerfile import ROOT


@pytest.fixture
def packaging(monkeypatch) -> dict:
    """What setup.py tells setuptools; of the packages those that hold modules."""
    told = {}
    monkeypatch.setattr(setuptools, "setup", lambda **settings: told.update(settings))
    monkeypatch.chdir(ROOT)
    runpy.run_path("setup.py")
    told["packages"] = [name for name in told["packages"] if any((ROOT / name.replace(".", "/")).glob("*.py"))]
    return told
