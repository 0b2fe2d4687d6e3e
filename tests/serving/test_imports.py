"""Large imports are out of the garbage collector's sight."""

from __future__ import annotations

import gc
import os
import sys

import pytest

from serving.imports import quiet_imports, uncollected_imports


@pytest.fixture(autouse=True)
def thaw():
    yield
    gc.unfreeze()


@pytest.fixture
def library(tmp_path, monkeypatch):
    (tmp_path / "large_library.py").write_text(
        "import gc\nwatched = gc.isenabled()\nparts = [[] for _ in range(10_000)]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "large_library"
    sys.modules.pop("large_library", None)


def test_what_is_imported_is_not_looked_through_then_and_later(library):
    before = gc.get_freeze_count()
    with uncollected_imports(library):
        import large_library
    assert not large_library.watched
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + 10_000


def test_what_was_imported_before_changes_nothing():
    before = gc.get_freeze_count()
    with uncollected_imports("sys"):
        assert gc.isenabled()
    assert gc.get_freeze_count() == before


def test_a_failed_import_leaves_the_collector_on():
    with pytest.raises(ModuleNotFoundError), uncollected_imports("no_such_library"):
        import no_such_library  # noqa: F401
    assert gc.isenabled()


def test_what_libraries_write_while_they_are_imported_is_not_seen(capfd):
    with quiet_imports():
        os.write(2, b"no cuda drivers\n")
    os.write(2, b"seen\n")
    assert capfd.readouterr().err == "seen\n"


def test_a_failed_import_shows_what_was_written(capfd):
    with pytest.raises(ImportError), quiet_imports():
        os.write(2, b"built for another processor\n")
        raise ImportError
    assert capfd.readouterr().err == "built for another processor\n"
