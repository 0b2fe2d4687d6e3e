"""A program that takes tensorflow_model_server's flags and behaves as told: the fake model of the client's tests."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from tests.serving.client import fakes


def write_program(path: Path, behaviour: str) -> Path:
    """Writes the program; it lays its process id beside itself.

    Args:
      path: of the program.
      behaviour: `well`, `silent` (never listens), `dies`, `wrong`, `nan`, `slow`, `large`, `refuses` (every call), or
        `hollow` (as TF Serving does with a version that has lost its variables: AVAILABLE, and no call is answered).
    """
    root = Path(__file__).parents[3]
    module = "tests.components.local_infra_validator.fake_server"
    path.write_text(f'#!/bin/sh\necho $$ > {path}.pid\ncd {root}\nexec {sys.executable} -m {module} {behaviour} "$@"\n')
    path.chmod(0o755)
    return path


def main(behaviour: str, *flags: str) -> None:
    """Serves version 1 until it is stopped."""
    port = next(int(flag.partition("=")[2]) for flag in flags if flag.startswith("--port="))
    print("the fake server says hello", flush=True)
    if behaviour == "silent":
        threading.Event().wait()
    if behaviour == "dies":
        print("cannot start: no such model", flush=True)
        sys.exit(3)
    model = fakes.FakeModel()
    model.versions = {1: "AVAILABLE"}
    if behaviour == "slow":
        model.delay_s = 0.05
    if behaviour == "refuses":
        model.faults.extend(fakes.Fault("INTERNAL", "the graph is broken") for _ in range(1000))
    if behaviour == "hollow":
        missing = "Could not find variable dense/kernel. This could mean that the variable has been deleted."
        model.faults.extend(fakes.Fault("FAILED_PRECONDITION", missing) for _ in range(1000))
    if behaviour in ("wrong", "nan"):
        fakes.score = {"wrong": lambda text: 0.5, "nan": lambda text: float("nan")}[behaviour]
    held = os.urandom(300 << 20) if behaviour == "large" else b""
    with fakes.grpc_server(model, port=port):
        while held is not None:
            time.sleep(3600)


if __name__ == "__main__":
    main(*sys.argv[1:])
