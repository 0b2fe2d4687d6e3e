"""The version that the cache of a compiled run goes by."""

import pytest

from serving.versions import version_folder
from tests.helpers.encoders import write_shell

pytestmark = pytest.mark.slow  # imports TFX


def newest(serving_model_dir: str, tmp_path) -> str:
    from tfx.types.standard_artifacts import String

    from kubeflow.tasks.newest_version import NewestVersion

    version = String()
    version.uri = str(tmp_path / "version")
    NewestVersion.EXECUTOR_SPEC.executor_class._FUNCTION(version=version, serving_model_dir=serving_model_dir)
    return (tmp_path / "version").read_text(encoding="utf-8")


def test_it_is_the_newest_that_was_blessed(tmp_path, monkeypatch):
    assert newest(str(tmp_path / "serving"), tmp_path) == "none"
    for number in (3, 20):
        monkeypatch.setattr(version_folder.time, "time", lambda number=number: number)
        card = version_folder.VersionCard("sha256:1", "run", "fingerprint", "now")
        version_folder.write_version(write_shell(tmp_path / f"model{number}"), tmp_path / "serving", card)
    assert newest(str(tmp_path / "serving"), tmp_path) == "20"


def test_a_store_is_looked_at_by_its_url(tmp_path):
    assert newest("memory://bucket/nothing-here", tmp_path) == "none"
