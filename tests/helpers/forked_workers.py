"""`--forked-workers` makes xdist's workers forks of one process that has imported TensorFlow and TFX."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path

import pytest

from tests.helpers.forked_program import fork_host, write_forked_python
from tests.helpers.forkserver import fork_forkserver


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--forked-workers", action="store_true", help="import TensorFlow once for all workers")


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--forked-workers"):
        return
    if hasattr(config, "workerinput"):
        # What its tests start forks from these, which have run nothing of TensorFlow and never will.
        fork_forkserver()
        fork_host()
    elif config.getoption("tx", None):
        folder = tempfile.TemporaryDirectory(prefix="python")
        config.add_cleanup(folder.cleanup)
        python = shlex.quote(str(write_forked_python(Path(folder.name) / "python")))
        config.option.tx = [f"popen//python={python}"] * len(config.option.tx)
