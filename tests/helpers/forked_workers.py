"""`--forked-workers` makes xdist's workers forks of one process that has imported TensorFlow and TFX.

With `--without-tensorflow` it has imported what else takes seconds.
"""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path

import pytest

from tests.helpers.forked_program import fork_host, write_forked_python
from tests.helpers.forkserver import fork_forkserver

LARGE = (
    "components",  # makes Beam lean
    "apache_beam",
    "docker",
    "hypothesis",
    "kfp",
    "matplotlib.figure",
    "moto.server",
    "pandas",
    "playwright.sync_api",
    "pyarrow.parquet",
    "scipy.stats",
    "sklearn.feature_extraction.text",
    "sklearn.linear_model",
)
"""What the tests import that need no TensorFlow."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--forked-workers", action="store_true", help="import TensorFlow once for all workers")


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--forked-workers"):
        return
    light = config.getoption("--without-tensorflow")
    if hasattr(config, "workerinput") and not light:
        # What its tests start forks from these, which have run nothing of TensorFlow and never will.
        fork_forkserver()
        fork_host()
    elif config.getoption("tx", None):
        folder = tempfile.TemporaryDirectory(prefix="python")
        config.add_cleanup(folder.cleanup)
        program = write_forked_python(Path(folder.name) / "python", LARGE if light else ())
        python = shlex.quote(str(program))
        config.option.tx = [f"popen//python={python}"] * len(config.option.tx)
