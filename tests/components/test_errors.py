"""The message that a run ends with, whatever the error."""

from __future__ import annotations

import subprocess

import pytest

from components.errors import EXIT_FAILED, InputError, describe_failure


def test_a_message_for_the_user_stands_behind_whatever_came_of_it():
    try:
        try:
            raise InputError("titles.csv: the file must be a CSV. Received: a folder.")
        except InputError as error:
            raise RuntimeError("a step failed") from error
    except RuntimeError as error:
        assert describe_failure(error) == (2, "titles.csv: the file must be a CSV. Received: a folder.")


def test_an_error_that_nobody_thought_of_is_named():
    assert describe_failure(KeyError("one\ntwo")) == (EXIT_FAILED, "KeyError: 'one\\ntwo'")
    assert describe_failure(OSError()) == (EXIT_FAILED, "OSError: ")


def test_an_import_that_fails_names_the_module_the_cause_and_the_way_out():
    lacking = ImportError("libc.so.6: version `GLIBC_2.38' not found", name="tfdv_extension")
    try:
        raise ImportError("Could not import class path tfx.Executor") from lacking
    except ImportError as error:
        assert describe_failure(error) == (
            EXIT_FAILED,
            "tfdv_extension must be importable. Received: libc.so.6: version `GLIBC_2.38' not found. "
            "`clickbait doctor` checks the installation and says what to do.",
        )
    assert describe_failure(ImportError("no module"))[1].startswith(
        "All that a run needs must be importable. Received: no"
    )


@pytest.mark.slow
def test_a_component_of_tfx_that_cannot_be_imported_says_so_at_once(forked_python):
    """TFX itself makes None of it."""
    code = """
import importlib, sys
for name in [*sys.modules]:
    if name.startswith(("tfx.components", "components.", "pipeline.pipeline")):
        del sys.modules[name]  # to be imported again
for name in ("statistics_gen", "example_validator"):
    sys.modules[f"tfx.components.{name}.executor"] = None
for module in ("components.statistics_gen.component", "pipeline.pipeline"):
    try:
        importlib.import_module(module)
    except ImportError as error:
        print(error.name)
"""
    done = subprocess.run([forked_python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        "tfx.components.statistics_gen.executor",
        "tfx.components.example_validator.executor",
    ]
