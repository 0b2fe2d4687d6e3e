"""TFX's imports for clouds are made when they are used, and not before."""

import importlib
import inspect
import sys

import pytest

from components import lean_tfx


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
