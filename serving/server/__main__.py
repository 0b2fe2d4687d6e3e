"""`python -m serving.server`: the local server from the command line."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

import click

from serving.imports import quiet_imports
from serving.server.errors import StartError
from serving.server.flags import IGNORED_NOTES, parse_flags
from serving.server.preflight import make_plan

if TYPE_CHECKING:
    from serving.server.demo.api import Variants

log = logging.getLogger("clickbait.server")

_M_ARENA_MAX = -8  # of glibc's malloc.h
_ARENAS = 2


def main(arguments: Sequence[str] | None = None, variants: Variants | None = None) -> int:
    """Serves until it is stopped.

    Args:
      arguments: the command line; None for this process's.
      variants: what the demo page shows of a headline; without it there is no such page.

    Returns:
      The exit code: 0 stopped by a signal, 2 the call or the configuration is wrong, 1 no version loads.
    """
    try:
        flags, ignored = parse_flags(sys.argv[1:] if arguments is None else arguments)
        if variants is not None and not flags.rest_api_port:
            raise click.UsageError("--demo must have a port of REST. Received: --rest_api_port=0. Give another.")
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        click.echo(f"clickbait-server: {error.format_message()} (--help lists the flags)", err=True)
        return error.exit_code
    logging.basicConfig(format="%(asctime)s %(levelname).1s %(message)s", level=logging.INFO, stream=sys.stderr)
    log.info("clickbait-tfx local server, for laptops and tests; production uses tensorflow/serving")
    for name in ignored:
        log.warning("--%s has no effect in the local server: %s", name, IGNORED_NOTES.get(name, "it is only accepted"))
    _share_arenas()
    # Before TensorFlow's libraries are loaded: their messages on CUDA and threads would bury the server's own lines.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    stopping = _stop_on_signals()
    try:
        plan = make_plan(flags)
        with quiet_imports():
            from serving.server.app import run_server

        run_server(plan, stopping, variants)
    except StartError as error:
        log.error("cannot start: %s", error)
        return error.exit_code
    return 0


def _share_arenas() -> None:
    """Has glibc keep freed memory for all threads together: by default each may have an arena of its own, 8 a core."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # macOS has none
    if set_option is not None:
        set_option(_M_ARENA_MAX, _ARENAS)


def _stop_on_signals() -> threading.Event:
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()
        for stop_signal in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop_signal, signal.SIG_DFL)  # a second signal ends the process at once

    for stop_signal in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop_signal, stop)
    return stopping


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # TensorFlow's threads may still load a version; an orderly exit of Python would crash on them.
    os._exit(code)
