"""Runs of the pipeline, and of the training alone, that may die by SIGKILL at a moment of one's choice.

Each is a child of the process that all tests fork from.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing.connection
import os
import runpy
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

# What TFX says before a node, and between its executor's end and the entry in ML Metadata.
_STARTED = "Component %s is running."
_EXECUTED = "Publishing output artifacts %s for execution %s"

PATIENCE = 300
"""Seconds that a run may take."""

_IN_CHILD = "__child__"
# Starting a process collects the exit codes of all others, and where their own threads wait for those, they get 255.
_ONE_AT_A_TIME = threading.Lock()


class Moment(NamedTuple):
    """When a run dies: at a node's start, or as one of the others says."""

    node: str
    seconds: float = 0.0
    """So long after the node's start, and before ML Metadata knows its end at the latest."""
    executed: bool = False
    """When the node has done its work and ML Metadata does not know it yet."""
    event: str = ""
    """From the node's start on, just before the first audit event of that name, e.g. `os.rename`, that ..."""
    path: str = ""
    """... has this in one of its paths."""


def run_child(flags: dict[str, Any], moment: Moment | None = None) -> int:
    """Runs the smoke preset with `flags`, and returns the exit code, which is negative for a signal.

    What it shows goes to `<output>.txt`.
    """
    child, receiver = _start("_run", flags, dict(os.environ), tuple(moment) if moment else None)
    if moment and moment.seconds:
        # From outside: C++ that holds the interpreter's lock would let no thread of the child's do it.
        with receiver, contextlib.suppress(EOFError):
            receiver.recv()
            if not multiprocessing.connection.wait([child.sentinel], moment.seconds):
                child.kill()
    multiprocessing.connection.wait([child.sentinel], PATIENCE)
    with _ONE_AT_A_TIME:
        child.terminate()  # one that hangs
        child.join()
        return child.exitcode


def train_child(
    told: dict[str, Any], kill_after: float | None = None, *, environ: dict[str, str] | None = None, devices: int = 1
) -> int:
    """Runs `trainer.run_fn` with a checkpoint at every second step, and returns the exit code.

    What it shows goes to `<serving_model_dir>.txt`.

    Args:
      told: what `fn_args` has.
      kill_after: seconds from the moment when it trains, if it then still does.
      environ: more of the environment.
      devices: as which the processor shows itself; several stand for so many GPUs.
    """
    child, receiver = _start("_train", told, environ or {}, devices)
    with receiver, contextlib.suppress(EOFError):
        receiver.recv()
        if kill_after is not None and not multiprocessing.connection.wait([child.sentinel], kill_after):
            child.kill()
    multiprocessing.connection.wait([child.sentinel], PATIENCE)
    with _ONE_AT_A_TIME:
        child.terminate()
        child.join()
        return child.exitcode


def find_examples(flags: dict[str, Any]) -> Path:
    """The folder of the examples that the newest run in an output uses, as ML Metadata has it."""
    child, receiver = _start("_send_examples", flags)
    with receiver:
        found = receiver.recv()
    with _ONE_AT_A_TIME:
        child.join()
    return Path(found)


def _start(name: str, *arguments):
    """Starts a function of this file, which gets the sending end of a pipe as its last argument.

    By the file's path: what a child imports as `tests` may be another package's.
    """
    from tests.helpers.forkserver import forkserver

    receiver, sender = forkserver().Pipe(duplex=False)
    call = {"CALL": (name, (*arguments, sender))}
    child = forkserver().Process(target=runpy.run_path, args=(__file__, call, _IN_CHILD))
    with _ONE_AT_A_TIME:
        child.start()
    sender.close()
    return child, receiver


def _run(flags: dict[str, Any], environ: dict[str, str], moment: tuple | None, sender) -> None:
    from pipeline.config.pipeline_config import load_config
    from pipeline.running.local_runner import run_pipeline

    os.environ.update(environ)
    with Path(f"{flags['output']}.txt").open("ab") as shown:
        os.dup2(shown.fileno(), 1)
        os.dup2(shown.fileno(), 2)
    if moment:
        logging.getLogger("absl").addHandler(_Killer(Moment(*moment), sender))
    sys.exit(run_pipeline(load_config("smoke", flags=flags, environ={})))


def _train(told: dict[str, Any], environ: dict[str, str], devices: int, sender) -> None:
    from types import SimpleNamespace

    import trainer
    from trainer.fitting import checkpoints

    with Path(f"{told['serving_model_dir']}.txt").open("ab") as shown:
        os.dup2(shown.fileno(), 1)
        os.dup2(shown.fileno(), 2)
    os.environ.update(environ)
    if devices > 1:
        _spread_over(devices)
    checkpoints.WRITING_SHARE = float("inf")
    logging.getLogger("trainer").setLevel(logging.INFO)
    logging.getLogger("trainer").addHandler(_Announcer(sender))
    trainer.run_fn(SimpleNamespace(**told))


def _spread_over(devices: int) -> None:
    import tensorflow as tf

    import trainer.fine_tune
    from trainer.fitting.strategy import Spread

    parts = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)

    def choose_spread() -> Spread:
        spread = Spread(tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(devices)]))
        print("devices:", spread.strategy.num_replicas_in_sync, flush=True)
        return spread

    trainer.fine_tune.choose_spread = choose_spread


class _Announcer(logging.Handler):
    """Says that a training has begun or goes on."""

    def __init__(self, sender):
        super().__init__(logging.INFO)
        self._sender = sender

    def emit(self, record: logging.LogRecord) -> None:
        if self._sender and hasattr(record, "progress"):
            self._sender.send(record.getMessage())
            self._sender = None


def _send_examples(flags: dict[str, Any], sender) -> None:
    from pipeline.config.paths import OutputPaths
    from pipeline.config.pipeline_config import load_config
    from pipeline.results.lineage import read_outputs

    config = load_config("smoke", flags=flags, environ={})
    outputs = read_outputs(OutputPaths.of(config).metadata, config.model_name)
    sender.send(outputs["HeadlineExampleGen"]["examples"].uri)


class _Killer(logging.Handler):
    """Hears where TFX is, before anybody else does."""

    def __init__(self, moment: Moment, sender):
        super().__init__(logging.INFO)
        self._moment = moment
        self._sender = sender
        self._here = False

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == _STARTED:
            self._here = record.args[0] == self._moment.node
            if self._here:
                self._started()
        elif self._here and record.msg == _EXECUTED and (self._moment.executed or self._moment.seconds):
            _die()  # once recorded, the next run would take the node from the cache

    def _started(self) -> None:
        if self._moment.event:
            sys.addaudithook(self._heard)
        elif self._moment.seconds:
            self._sender.send(self._moment.node)
        elif not self._moment.executed:
            _die()

    def _heard(self, event: str, args: tuple) -> None:
        if event == self._moment.event and any(self._moment.path in str(argument) for argument in args):
            _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == _IN_CHILD:
    _name, _arguments = CALL  # noqa: F821  from `_start`
    globals()[_name](*_arguments)
