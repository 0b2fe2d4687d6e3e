"""What TFX imports for clouds comes when it is used, and not before."""

import importlib
import inspect
import subprocess
import sys

import pytest

from components import lean_tfx

CLIENTS = ("google.cloud.aiplatform", "google.cloud.bigquery.client", "kubernetes", "kfp", "nltk")


@pytest.fixture
def late(tmp_path, monkeypatch):
    """A deferred module that notes in `sys` when it is executed."""
    (tmp_path / "late_module.py").write_text("import sys\nsys.late_ran = True\nvalue = 7\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(lean_tfx, "DEFERRED", ("late_module",))
    monkeypatch.setattr(sys, "late_ran", False, raising=False)
    yield importlib.import_module("late_module")
    sys.modules.pop("late_module", None)


def test_a_module_is_executed_when_something_of_it_is_asked_for(late):
    assert not sys.late_ran
    assert late.value == 7
    assert sys.late_ran
    with pytest.raises(AttributeError):
        _ = late.other


def test_who_only_looks_at_it_does_not_execute_it(late):
    assert inspect.getmodule(test_who_only_looks_at_it_does_not_execute_it) is not None
    assert late.__file__.endswith("late_module.py")
    assert not hasattr(late, "__path__")
    assert not sys.late_ran


@pytest.mark.slow
def test_the_dag_is_imported_without_the_clients_and_the_compiler_is_there_when_asked_for():
    code = (
        "import sys, pipeline.pipeline, tfx.v1 as tfx\n"
        f"print([name for name in {CLIENTS} if name in sys.modules])\n"
        "print(tfx.orchestration.experimental.KubeflowV2DagRunner.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["[]", "KubeflowV2DagRunner"]
