"""Runs the DAG on this machine with TFX's LocalDagRunner, quietly, and leaves a verdict."""

from __future__ import annotations

import functools
import shutil
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from absl import logging as absl_logging

from pipeline.config.beam import require_engine
from pipeline.config.paths import OutputPaths
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.engine import describe_job_left, jobs_left
from pipeline.inputs import (
    ChallengeInputs,
    DataSource,
    LocalInputs,
    RunInputs,
    choose_challenges,
    choose_data,
    prepare_inputs,
)
from pipeline.results.summary import print_challenges
from pipeline.results.tracking import Tracker, require_tracker
from pipeline.results.verdict import Encoder
from pipeline.running.attempt import Attempt, open_attempt
from pipeline.running.partial_run import PartialRunError, check_challenges, check_nodes, from_nodes, reuse_last
from pipeline.running.progress_view import RunView
from serving.imports import uncollected_imports

if TYPE_CHECKING:
    from pipeline.results.lineage import Outputs


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
      config: all settings of the run.
      from_node: the first component to run; those before it are taken from the last run.
      to_node: the last component to run.
      verbose: shows the libraries' log on the terminal.

    Raises:
      Exception: those with an `exit_code` are messages for the user.
    """
    began = time.monotonic()
    check_nodes(config, from_node, to_node)
    require_engine(config.beam)
    require_tracker(config.tracking)
    data = choose_data(config)
    challenges = choose_challenges(config, data)
    check_challenges(challenges.sources, from_node, to_node)
    with open_attempt(config, data, began=began, verbose=verbose) as attempt:
        print_challenges(attempt.terminal.out, challenges.description)
        if not config.cache:  # nor is an interrupted training continued
            shutil.rmtree(OutputPaths.of(config).checkpoints, ignore_errors=True)
        for job in jobs_left(config):
            attempt.terminal.err.print(describe_job_left(config, job))
        attempt.terminal.out.print()
        view = RunView(attempt.terminal.out)
        tracker = Tracker(config) if config.tracking.mlflow_uri else None
        with (
            attempt.judged(view.timings, "the same command goes on from the finished components"),
            view.listening(),
        ):
            if tracker:
                view.say("opening the run in the tracker")
                attempt.verdict = tracker.begin(attempt.verdict)
            inputs = _prepare(view, attempt, config, data, challenges)
            if from_node:
                attempt.verdict = reuse_last(config, from_node, attempt.verdict, attempt.earlier, challenges)
            ended = False
            try:
                _run_dag(view, config, inputs, from_node, to_node)
                ended = True
            finally:
                if view.timings:
                    _read_outcome(attempt, config, ended=ended)
        from pipeline.results.report.write import leave_report

        outputs = functools.partial(_read_outputs, config) if view.timings else dict
        leave_report(attempt.folder, attempt.verdict, outputs, attempt.earlier, attempt.terminal.err)
        if tracker:
            attempt.verdict = tracker.end(attempt.verdict, attempt.folder)
        return attempt.print_outcome()


def _prepare(
    view: RunView, attempt: Attempt, config: PipelineConfig, data: DataSource, challenges: ChallengeInputs
) -> LocalInputs:
    view.say("looking for the encoder")
    inputs = prepare_inputs(config, attempt.run_id, data, challenges)
    encoder = Encoder(config.encoder.source, config.training.fine_tune, inputs.encoder.digest)
    attempt.verdict = replace(attempt.verdict, encoder=encoder)
    view.say("checking the encoder")
    with uncollected_imports("tensorflow"):
        from trainer.encoders.checked import facts_of

    facts = facts_of(inputs.encoder, fine_tune=config.training.fine_tune)
    encoder = replace(encoder, dimension=facts.dimension, parameters=facts.parameters)
    attempt.verdict = replace(attempt.verdict, encoder=encoder)
    return inputs


def _run_dag(
    view: RunView, config: PipelineConfig, inputs: RunInputs, from_node: str | None, to_node: str | None
) -> None:
    view.say("importing TFX")
    with uncollected_imports("tfx.v1"):
        import tfx.v1 as tfx
        from tfx.orchestration.pipeline import RunOptions

        from pipeline.pipeline import create_pipeline

    absl_logging.set_verbosity(absl_logging.INFO)  # RunView reads TFX's records of this level
    # TFX's Beam components read absl's flags from the command line, where -v is ours.
    sys.argv = sys.argv[:1]
    options = None
    if from_node or to_node:
        first = from_nodes(config, from_node, has_challenges=bool(inputs.challenges.settings))
        options = RunOptions(from_nodes=first or None, to_nodes=[to_node] if to_node else None)
    try:
        tfx.orchestration.LocalDagRunner().run(create_pipeline(config, inputs), run_options=options)
    except RuntimeError as error:
        # Beam's error for a Ctrl-C in one of its steps.
        if str(error).startswith("KeyboardInterrupt"):
            raise KeyboardInterrupt from error
        raise
    except LookupError as error:
        if from_node is None:
            raise
        raise PartialRunError(
            f"--from must follow a run that got so far. Received: --from {from_node}, and a last run that did not. "
            "Leave out --from: what has not changed comes from the cache."
        ) from error


def _read_outcome(attempt: Attempt, config: PipelineConfig, *, ended: bool) -> None:
    from pipeline.running.outcome import collect_facts, judge_model

    outputs = _read_outputs(config)
    attempt.verdict = collect_facts(attempt.verdict, outputs, attempt.folder)
    if ended:
        attempt.verdict = judge_model(attempt.verdict, outputs, config.bulk)


def _read_outputs(config: PipelineConfig) -> Outputs:
    from pipeline.results import lineage

    return lineage.read_outputs(OutputPaths.of(config).metadata, config.model_name)
