"""`clickbait predict` as a shell starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
_MAIN = """
from pipeline.cli import main
from serving.client.cli import predict_command
main.add_command(predict_command)
main(prog_name="clickbait")
"""


def start(*arguments, **options) -> subprocess.Popen:
    """A process that runs `clickbait predict`."""
    return subprocess.Popen(
        [sys.executable, "-c", _MAIN, "predict", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True, **options},
    )


def predict(*arguments, lines: str | None = None) -> subprocess.CompletedProcess:
    """Runs it to its end; `lines` are its stdin."""
    process = start(*arguments, **({} if lines is None else {"stdin": subprocess.PIPE}))
    out, err = process.communicate(lines, timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
