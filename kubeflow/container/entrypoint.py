"""The command of every container: TFX's executors under the open-source launcher.

    python -m kubeflow.container.entrypoint --executor_class_path CLASS --json_serialized_invocation_args '{{$}}' \
        --json_serialized_inputs_spec_args JSON --json_serialized_outputs_spec_args JSON \
        [--artifact_store URL] [Beam's flags]

It exits as `clickbait run` does: 2 the input is wrong, 3 the data was refused, 4 not blessed, 5 not fit to be served.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypedDict

from components.errors import EXIT_FAILED, DataRefused, describe_failure
from kubeflow.container.endpoint import choose_endpoint
from kubeflow.container.exit_codes import termination_message
from kubeflow.container.invocation import complete_outputs, for_launcher, for_tfx
from kubeflow.container.mounts import mount_root
from kubeflow.spec.caching import ARTIFACT_STORE
from kubeflow.spec.messages import Json
from serving.imports import quiet_imports

#: Variables with other paths than Kubernetes's: of the message, and of the facts behind it as JSON.
TERMINATION_LOG, FAILURE_FILE = "CLICKBAIT_TERMINATION_LOG", "CLICKBAIT_FAILURE_FILE"

_OURS = ("components", "kubeflow", "pipeline", "serving", "trainer")
_KUBERNETES_LOG = "/dev/termination-log"
_CONTAINER_STDERR = "/proc/1/fd/2"

logger = logging.getLogger("kubeflow")


class Failure(TypedDict, total=False):
    """The facts of a failure; nothing of a container that is not ours."""

    exit_code: int
    reason: str
    findings: list[dict[str, Json]]
    """Of the gate, see `DataRefused`."""


class Stopped(BaseException):
    """SIGTERM: the pod is deleted, or its node is drained."""

    exit_code = 143


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Runs one task, and ends the process."""
    _set_up_log()
    code = run_task(sys.argv[1:] if argv is None else argv)
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # pipes to a launcher that has died
            stream.flush()
    # At the interpreter's own shutdown gRPC's and TensorFlow's threads abort a task that is done (`pure virtual method
    # called`). Whatever matters is written by now.
    os._exit(code)


def run_task(argv: Sequence[str]) -> int:
    """Runs one task and returns its exit code; writes for a person why it failed."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        _execute(*_parse(argv))
    except BaseException as error:  # also what ends processes: the message has to be written
        return _report(error)
    return 0


def _set_up_log() -> None:
    """Leaves in the log what a person reads: our lines, and what libraries find worth a warning, but no deprecations.

    At INFO, to which it sets absl's logger by itself, TFX writes each artifact as a proto. `force`, because a fork has
    the handlers of the run's own log.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", force=True)
    for handler in logging.getLogger().handlers:
        handler.addFilter(lambda record: record.name != "absl" or record.levelno >= logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it logs its deprecations as warnings
    for category in (DeprecationWarning, FutureWarning, UserWarning):
        warnings.filterwarnings("ignore", category=category, module=f"(?!{'|'.join(_OURS)})")


def _parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m kubeflow.container.entrypoint")
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", required=True)
    parser.add_argument("--json_serialized_outputs_spec_args", required=True)
    parser.add_argument(ARTIFACT_STORE)
    return parser.parse_known_args(argv)


def _execute(arguments: argparse.Namespace, beam_args: list[str]) -> None:
    logger.info("%s of clickbait-tfx %s", arguments.executor_class_path, version("clickbait-tfx"))
    with quiet_imports():  # 10 s, which a wrong call and a rehearsal need not wait for
        # In this order: the policy before anything imports TensorFlow, the threads before it runs anything.
        from trainer.tensorflow_setup import keras_policy, threads  # noqa: F401  isort: skip

        from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

        from kubeflow.container.staging import staged_parameters

        importlib.import_module(arguments.executor_class_path.rpartition(".")[0])

    # TFX's Beam components read absl's flags from the command line.
    sys.argv = sys.argv[:1]
    choose_endpoint()
    root = mount_root()
    inputs_spec = json.loads(arguments.json_serialized_inputs_spec_args)
    outputs_spec = json.loads(arguments.json_serialized_outputs_spec_args)
    executor_input = for_tfx(json.loads(arguments.json_serialized_invocation_args), inputs_spec, outputs_spec, root)
    with staged_parameters(executor_input["inputs"].get("parameterValues", {})) as values:
        executor_input["inputs"]["parameterValues"] = values
        arguments.json_serialized_invocation_args = json.dumps(executor_input)
        kubeflow_v2_run_executor._run_executor(arguments, beam_args)
    complete_outputs(executor_input["outputs"], outputs_spec)
    output_file = Path(executor_input["outputs"]["outputFile"])
    output = for_launcher(json.loads(output_file.read_text(encoding="utf-8")), outputs_spec, root)
    output_file.write_text(json.dumps(output), encoding="utf-8")


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped("stopped by SIGTERM: the pod was deleted or its node drained; a retry runs the task again")


def _report(error: BaseException) -> int:
    if isinstance(error, SystemExit):  # argparse
        return error.code if isinstance(error.code, int) else EXIT_FAILED
    exit_code, reason = (130, "interrupted") if isinstance(error, KeyboardInterrupt) else describe_failure(error)
    if exit_code == EXIT_FAILED:
        traceback.print_exception(error)
    message = termination_message(exit_code, reason)
    with contextlib.suppress(OSError):  # no Kubernetes here
        Path(os.environ.get(TERMINATION_LOG, _KUBERNETES_LOG)).write_text(message, encoding="utf-8")
    _log_last(message)
    if path := os.environ.get(FAILURE_FILE):
        facts: Failure = {"exit_code": exit_code, "reason": reason, "findings": _findings(error)}
        Path(path).write_text(json.dumps(facts), encoding="utf-8")
    return exit_code


def _log_last(message: str) -> None:
    """Writes into the log, too: the API server keeps logs, but no termination messages.

    At SIGTERM the launcher dies at once, and with it the pipe that stderr is. Argo's process, which started it, has the
    container's own.
    """
    try:
        print(message, file=sys.stderr, flush=True)
    except OSError:
        with contextlib.suppress(OSError):
            Path(_CONTAINER_STDERR).write_text(f"{message}\n", encoding="utf-8")


def _findings(error: BaseException) -> list[dict[str, Json]]:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, DataRefused):
            return [{**finding} for finding in seen.findings]
        seen = seen.__cause__ or seen.__context__
    return []


if __name__ == "__main__":
    main()
