"""One model and one server process for all protocol tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.helpers.serving import ServerProcess, write_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """The SavedModel of `write_model`; copy it, do not change it."""
    return write_model(tmp_path_factory.mktemp("model") / "saved")


@pytest.fixture(scope="session")
def protocol_server(tiny_model, tmp_path_factory):
    """A server of model `m` with version 7 only."""
    folder = tmp_path_factory.mktemp("protocol")
    shutil.copytree(tiny_model, folder / "m" / "7")
    with ServerProcess(folder / "m", folder / "log.txt") as server:
        yield server.wait_until_ready()
