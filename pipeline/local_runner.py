"""Runs the DAG on this machine with TFX's LocalDagRunner, quietly, and leaves a verdict."""

from __future__ import annotations

import os
import time
import traceback
from typing import Any

from pipeline import runs
from pipeline.config import PipelineConfig
from pipeline.inputs import DataSource, RunInputs, choose_data, new_run_id, prepare_inputs
from pipeline.paths import OutputPaths
from pipeline.run_view import RunView
from pipeline.summary import print_head, print_summary
from pipeline.terminal import captured_output
from pipeline.verdict import Verdict, judge_run, open_verdict

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def run_pipeline(
    config: PipelineConfig,
    *,
    from_node: str | None = None,
    to_node: str | None = None,
    verbose: bool = False,
) -> int:
    """Runs the pipeline and returns the command's exit code.

    Whatever happens once the data was found leaves a verdict in the run folder.

    Args:
      config: everything a run can be told.
      from_node: the first component to run; those before it are taken from the last run.
      to_node: the last component to run.
      verbose: shows the libraries' log on the terminal.

    Raises:
      Exception: those with an `exit_code` are messages for the user.
    """
    began = time.monotonic()
    data = choose_data(config)
    paths, run_id = OutputPaths.of(config), new_run_id()
    folder = runs.make_folder(paths.runs / run_id, config.to_yaml())
    verdict = open_verdict(config, run_id, data)
    with captured_output(folder / runs.LOG_FILE, verbose=verbose) as terminal:
        print_head(terminal.out, verdict, folder)
        terminal.out.print()
        view = RunView(terminal.out)
        try:
            with view.listening():
                inputs = _prepare(view, verdict, config, run_id, data)
                _run_dag(view, config, inputs, from_node, to_node)
                verdict |= judge_run(config, inputs, paths.metadata)
        except KeyboardInterrupt:
            verdict |= {"status": "interrupted", "exit_code": EXIT_INTERRUPTED}
            verdict["reason"] = "the same command goes on from the finished components"
        except Exception as error:
            os.write(2, traceback.format_exc().encode())  # into the log, whatever sys.stderr is
            verdict |= {"status": "failed", **_explain(error)}
        finally:
            verdict["components"] = view.timings
            verdict["seconds"] = round(time.monotonic() - began, 2)
            runs.write_verdict(folder, verdict)
        print_summary(terminal.err if verdict["status"] == "failed" else terminal.out, verdict, folder)
    return verdict["exit_code"]


def _prepare(view: RunView, verdict: Verdict, config: PipelineConfig, run_id: str, data: DataSource) -> RunInputs:
    view.say("looking for the encoder")
    inputs = prepare_inputs(config, run_id, data)
    verdict["encoder"]["digest"] = inputs.encoder.digest
    view.say("checking the encoder")
    from trainer.encoders.check import check_encoder  # imports TensorFlow

    facts = check_encoder(inputs.encoder.path, source=inputs.encoder.source, fine_tune=config.training.fine_tune)
    verdict["encoder"] |= {"dimension": facts.dimension, "parameters": facts.parameters}
    return inputs


def _run_dag(
    view: RunView, config: PipelineConfig, inputs: RunInputs, from_node: str | None, to_node: str | None
) -> None:
    view.say("importing TFX")
    import tfx.v1 as tfx
    from absl import logging as absl_logging

    from pipeline.pipeline import create_pipeline

    absl_logging.set_verbosity(absl_logging.INFO)  # RunView hears what TFX says at this level
    dag = create_pipeline(config, inputs)
    options = None
    if from_node or to_node:
        known = [component.id for component in dag.components]
        for node in (from_node, to_node):
            if node and node not in known:
                raise UnknownNode(f"--from and --to name a component. Received: {node!r}. Known: {', '.join(known)}.")
        options = tfx.orchestration.experimental.RunOptions(
            from_nodes=[from_node] if from_node else None, to_nodes=[to_node] if to_node else None
        )
    tfx.orchestration.LocalDagRunner().run(dag, run_options=options)


class UnknownNode(Exception):  # noqa: N818  a message, like its siblings
    """`--from` or `--to` names no component."""

    exit_code = 2


def _explain(error: Exception) -> dict[str, Any]:
    """Exit code and reason: of the first exception in the chain that is a message for the user, else of the error."""
    seen: BaseException | None = error
    while seen is not None:
        if hasattr(seen, "exit_code"):
            return {"exit_code": seen.exit_code, "reason": str(seen)}
        seen = seen.__cause__ or seen.__context__
    first_line = (str(error).strip().splitlines() or [""])[0]
    return {"exit_code": EXIT_FAILED, "reason": f"{type(error).__name__}: {first_line}"}
