"""An operation's share of the cores, and who else sees it."""

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.helpers.forkserver import forkserver


def told(code, **environment):
    """What a fresh process prints that has not the variable which this very process has set."""
    inherited = {name: value for name, value in os.environ.items() if name != "TF_NUM_INTRAOP_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], env=inherited | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


VARIABLE = "import os, trainer.tensorflow_setup.threads; print(os.environ['TF_NUM_INTRAOP_THREADS'])"


@pytest.mark.parametrize(("cores", "share"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 8)])
def test_half_of_the_cores_that_the_process_may_use(cores, share):
    pinned = f"import os; os.sched_getaffinity = lambda process: set(range({cores}));"
    assert told(pinned + VARIABLE) == str(share)


def test_what_was_set_stays():
    assert told(VARIABLE, TF_NUM_INTRAOP_THREADS="7") == "7"


@pytest.mark.slow
def test_tensorflow_obeys_it():
    """It starts so many threads when it first runs something."""

    def threads(share):
        with ProcessPoolExecutor(1, mp_context=forkserver()) as pool:
            pool.submit(os.putenv, "TF_NUM_INTRAOP_THREADS", share).result()
            assert pool.submit(eval, "int(__import__('tensorflow').ones([2])[0])").result() == 1
            return len(pool.submit(os.listdir, "/proc/self/task").result())

    few, many = threads("1"), threads("9")
    assert 7 <= many - few <= 9
