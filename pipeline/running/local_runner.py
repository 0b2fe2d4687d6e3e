"""Runs the DAG on this machine with TFX's LocalDagRunner, quietly, and leaves a verdict."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
import time
import traceback
from typing import TYPE_CHECKING

from components.errors import DataRefused, explain
from pipeline.config.beam import require_engine
from pipeline.config.paths import OutputPaths
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.inputs import DataSource, LocalInputs, RunInputs, choose_data, choose_schema, new_run_id, prepare_inputs
from pipeline.results import run_folders
from pipeline.results.report.write import leave_report
from pipeline.results.summary import print_head, print_summary
from pipeline.running.outcome import Verdict, collect_facts, judge_model, open_verdict
from pipeline.running.partial_run import PartialRunError, check_nodes, from_nodes, reuse_last
from pipeline.running.progress_view import RunView
from pipeline.terminal import captured_output
from serving.imports import uncollected_imports

if TYPE_CHECKING:
    from pipeline.results.lineage import Outputs

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
    check_nodes(config, from_node, to_node)
    require_engine(config.beam)
    data, schema = choose_data(config), choose_schema(config)
    paths, run_id = OutputPaths.of(config), new_run_id()
    with contextlib.ExitStack() as stack:
        stack.enter_context(run_folders.claim_output(paths.runs.parent, paths.metadata))
        if not config.cache:  # neither does it go on from a training that was broken off
            shutil.rmtree(paths.checkpoints, ignore_errors=True)
        earlier = run_folders.read_runs(paths.runs.parent)
        folder = run_folders.make_folder(paths.runs / run_id, config.to_yaml())
        verdict = open_verdict(config, run_id, data, schema)
        terminal = stack.enter_context(captured_output(folder / run_folders.LOG_FILE, verbose=verbose))
        print_head(terminal.out, verdict, folder)
        terminal.out.print()
        view = RunView(terminal.out)
        try:
            with view.listening():
                inputs = _prepare(view, verdict, config, run_id, data)
                if from_node:
                    verdict |= reuse_last(config, from_node, verdict, earlier)
                try:
                    _run_dag(view, config, inputs, from_node, to_node)
                finally:
                    if view.timings:
                        verdict |= collect_facts(_read_outputs(config), folder)
                verdict |= judge_model(_read_outputs(config), config.bulk)
        except DataRefused as error:
            verdict |= {"status": "refused", "exit_code": error.exit_code, "reason": str(error)}
            verdict |= {"gate": {"accepted": False, "findings": error.findings}}
        except KeyboardInterrupt:
            verdict |= {"status": "interrupted", "exit_code": EXIT_INTERRUPTED}
            verdict["reason"] = "the same command goes on from the finished components"
        except Exception as error:
            os.write(2, traceback.format_exc().encode())  # into the log, whatever sys.stderr is
            exit_code, reason = explain(error)
            verdict |= {"status": "failed", "exit_code": exit_code, "reason": reason}
        finally:
            verdict["components"] = view.timings
            verdict["seconds"] = round(time.monotonic() - began, 2)
            run_folders.write_verdict(folder, verdict)
        outputs = functools.partial(_read_outputs, config) if view.timings else dict
        leave_report(folder, verdict, outputs, earlier, terminal.err)
        print_summary(terminal.err if verdict["status"] in ("failed", "refused") else terminal.out, verdict, folder)
    return verdict["exit_code"]


def _prepare(view: RunView, verdict: Verdict, config: PipelineConfig, run_id: str, data: DataSource) -> LocalInputs:
    view.say("looking for the encoder")
    inputs = prepare_inputs(config, run_id, data)
    verdict["encoder"]["digest"] = inputs.encoder.digest
    view.say("checking the encoder")
    with uncollected_imports("tensorflow"):
        from trainer.encoders.checked import facts_of

    facts = facts_of(inputs.encoder, fine_tune=config.training.fine_tune)
    verdict["encoder"] |= {"dimension": facts.dimension, "parameters": facts.parameters}
    return inputs


def _run_dag(
    view: RunView, config: PipelineConfig, inputs: RunInputs, from_node: str | None, to_node: str | None
) -> None:
    view.say("importing TFX")
    with uncollected_imports("tfx.v1"):
        import tfx.v1 as tfx
        from absl import logging as absl_logging
        from tfx.orchestration.pipeline import RunOptions

        from pipeline.pipeline import create_pipeline

    absl_logging.set_verbosity(absl_logging.INFO)  # RunView hears what TFX says at this level
    # TFX's Beam components read absl's flags from the command line, where -v is ours.
    sys.argv = sys.argv[:1]
    options = None
    if from_node or to_node:
        options = RunOptions(from_nodes=from_nodes(config, from_node) or None, to_nodes=[to_node] if to_node else None)
    try:
        tfx.orchestration.LocalDagRunner().run(create_pipeline(config, inputs), run_options=options)
    except RuntimeError as error:
        # So Beam tells of a Ctrl-C that fell into one of its steps.
        if str(error).startswith("KeyboardInterrupt"):
            raise KeyboardInterrupt from error
        raise
    except LookupError as error:
        if from_node is None:
            raise
        raise PartialRunError(
            f"--from goes on from the last run. Received: --from {from_node}, and a last run that did not get so far. "
            "Leave out --from: what has not changed comes from the cache."
        ) from error


def _read_outputs(config: PipelineConfig) -> Outputs:
    from pipeline.results import lineage

    return lineage.read_outputs(OutputPaths.of(config).metadata, config.model_name)
