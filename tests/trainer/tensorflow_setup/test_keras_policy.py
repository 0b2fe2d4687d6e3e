"""`trainer.tensorflow_setup.keras_policy` makes `tf.keras` Keras 2, or says that it comes too late."""

import os
import re
import subprocess
import sys

import pytest


def run(code, **environment):
    """Runs `code` in a fresh process that has not the variable which this very process has set."""
    inherited = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return subprocess.run(
        [sys.executable, "-c", code], env=inherited | environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.slow
def test_tf_keras_is_keras_2_after_the_policy():
    done = run(
        "import trainer.tensorflow_setup.keras_policy, tensorflow as tf, tf_keras;"
        "print('version', tf_keras.__version__, tf.keras.Model is tf_keras.Model)"
    )
    assert re.fullmatch(r"version 2\.\S+ True", done.stdout.strip()), done.stderr


# Real TensorFlow takes seconds to import, and the policy looks at the name alone.
IMPORTED_BEFORE = "import sys; sys.modules['tensorflow'] = object(); import trainer.tensorflow_setup.keras_policy"


def test_tensorflow_imported_before_the_policy_is_refused():
    done = run(IMPORTED_BEFORE)
    assert done.returncode == 1
    assert (
        "RuntimeError: The Keras policy must be set before TensorFlow is imported. Received: TF_USE_LEGACY_KERAS=None. "
        "Import trainer.tensorflow_setup.keras_policy first, or set TF_USE_LEGACY_KERAS=1." in done.stderr
    )


@pytest.mark.parametrize("value", ["1", "true", "True"])
def test_tensorflow_may_come_first_when_the_variable_was_set(value):
    assert run(IMPORTED_BEFORE, TF_USE_LEGACY_KERAS=value).returncode == 0


def test_a_variable_that_says_no_is_refused_and_quoted():
    done = run(IMPORTED_BEFORE, TF_USE_LEGACY_KERAS="0")
    assert done.returncode == 1
    assert "Received: TF_USE_LEGACY_KERAS='0'" in done.stderr


@pytest.mark.parametrize("module", ["trainer.tensorflow_setup.keras_policy", "components"])
def test_the_policy_imports_no_tensorflow_and_reaches_child_processes(module):
    done = run(f"import os, sys, {module}; print('tensorflow' in sys.modules, os.environ['TF_USE_LEGACY_KERAS'])")
    assert done.stdout.split() == ["False", "1"], done.stderr
