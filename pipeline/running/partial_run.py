"""`--from` and `--to`: runs a part of the DAG, with the outputs of the last run before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from components.challenges import ChallengeSource
from components.headline_example_gen.settings import LOCATIONS, DataConfig
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.results.verdict import Data, Verdict

if TYPE_CHECKING:
    from pipeline.inputs import ChallengeInputs

#: In the DAG where there is a file to be scored.
BULK_NODES = ("BulkExampleGen", "BulkInferrer")

#: In the DAG where there are recipes to be tried.
TUNER_NODE = "Tuner"

#: In the DAG where there are texts from elsewhere to measure the model on.
CHALLENGE_NODE = "ChallengeExampleGen"

#: The components in the order of the DAG, known without importing TFX.
NODES = (
    "HeadlineExampleGen",
    "ImportSchemaGen",
    "StatisticsGen",
    "ExampleValidator",
    "DataGate",
    TUNER_NODE,
    "Trainer",
    "LatestBlessedModel",
    CHALLENGE_NODE,
    "VariantExampleGen",
    "BaselineScorer",
    "ModelScorer",
    "Evaluator",
    "LocalInfraValidator",
    "VersionedPusher",
    *BULK_NODES,
)

#: The digest of the rows, and the settings of the section `data` that do not only locate files.
_DATA_KEYS = (
    "sha256",
    *(name for name in DataConfig.model_fields if name not in (*LOCATIONS, "window_spans", "last_span")),
)


#: What depends on the data or the serving folder and not on the Trainer: the baseline, and the rows to be evaluated.
_ALONGSIDE = ("LatestBlessedModel", CHALLENGE_NODE, "VariantExampleGen")


class PartialRunError(Exception):
    """`--from` or `--to` cannot be used so."""

    exit_code = 2


def check_nodes(config: PipelineConfig, from_node: str | None, to_node: str | None) -> None:
    """Refuses names that no component has, and an end before the beginning.

    Raises:
      PartialRunError: with the names that there are.
    """
    for node in (from_node, to_node):
        if node is not None and node not in NODES:
            raise PartialRunError(
                f"--from and --to must name a component. Received: {node!r}. Give one of {', '.join(NODES)}."
            )
        if node in BULK_NODES and config.bulk.path is None:
            raise PartialRunError(f"{node} must have a file to score. Received: none. Give --bulk FILE.")
        if node == TUNER_NODE and not config.tuner.trials:
            raise PartialRunError("Tuner must have recipes to try. Received: none. Give --tune N.")
    if from_node and to_node and NODES.index(from_node) > NODES.index(to_node):
        raise PartialRunError(
            f"--from must come before --to. Received: --from {from_node} --to {to_node}. The order: {', '.join(NODES)}."
        )


def check_challenges(challenges: Sequence[ChallengeSource], from_node: str | None, to_node: str | None) -> None:
    """Refuses to begin or end with the challenges where there are none.

    Raises:
      PartialRunError: with the way out.
    """
    if not challenges and CHALLENGE_NODE in (from_node, to_node):
        raise PartialRunError(f"{CHALLENGE_NODE} must have a challenge. Received: none. Give --challenge NAME=PATH.")


def reuse_last(
    config: PipelineConfig,
    from_node: str,
    verdict: Verdict,
    earlier: Sequence[Verdict],
    challenges: ChallengeInputs | None = None,
) -> Verdict:
    """Takes over the last run's results of the components before `from_node`, which do not run again.

    A run of other data is refused; after the Trainer, one of another encoder or training; and after a component that
    judges, one of other rules.

    Args:
      config: of the run that begins.
      from_node: its first component.
      verdict: its verdict so far.
      earlier: the verdicts of the runs before it, oldest first.
      challenges: that it measures on; None: on none.

    Returns:
      The verdict with the counts of rows and the gate's findings of the last run that had them of the same data.

    Raises:
      PartialRunError: names what differs.
    """
    way_out = "Leave out --from: what has not changed comes from the cache."
    ran = [run for run in earlier if run.components]
    if not ran:
        raise PartialRunError(f"--from must follow an earlier run. Received: --from {from_node}, and no run. {way_out}")
    last = ran[-1]
    # TFX would continue from a killed run's artifacts, and no verdict describes them.
    if killed := [run.run_id for run in earlier[earlier.index(last) + 1 :] if run.components is None]:
        raise PartialRunError(
            f"--from must follow a run with a verdict. Received: --from {from_node}, and a last run, {killed[-1]}, "
            f"that left none. {way_out}"
        )
    differing = [f"data.{key}" for key in _differing_data(last, verdict)]
    for section, judge, judged_by, policy in (
        ("gate", "DataGate", last.gate_policy, config.gate),
        ("evaluation", "Evaluator", last.evaluation_policy, config.evaluation),
        ("infra", "LocalInfraValidator", last.infra_policy, config.infra),
    ):
        if NODES.index(from_node) > NODES.index(judge):
            known = judged_by or {}
            differing += [f"{section}.{key}" for key, value in policy.model_dump().items() if known.get(key) != value]
    if NODES.index(from_node) > NODES.index("DataGate") and _schema(last) != _schema(verdict):
        differing.append("schema")
    if NODES.index(from_node) > NODES.index("Trainer"):
        if last.training is None:
            raise PartialRunError(
                f"--from must follow a run that got so far. Received: --from {from_node}, and a last run, "
                f"{last.run_id}, that did not. {way_out}"
            )
        # Of a tuned run the configured values, not those that the search found.
        trained = {**last.training.settings, **(last.training.asked or {})}
        differing += [
            f"training.{key}" for key, value in config.training.model_dump().items() if trained.get(key) != value
        ]
        if last.tuner_policy is not None and last.tuner_policy != config.tuner.model_dump():
            differing.append("tuner")
        if (verdict.encoder and verdict.encoder.digest) != last.training.settings.get("encoder_digest"):
            differing.append("encoder")
    if NODES.index(from_node) > NODES.index(CHALLENGE_NODE):
        measured = [(challenge.name, challenge.sha256, [*challenge.slice_columns]) for challenge in last.challenges]
        read = zip(challenges.settings, challenges.sources, strict=True) if challenges else ()
        if measured != [(source.name, source.sha256, settings.slice_columns or []) for settings, source in read]:
            differing.append("evaluation.challenges")
    if differing:
        raise PartialRunError(
            f"--from must have the settings and data of the last run, {last.run_id}. Received: --from {from_node} "
            f"with another {', '.join(dict.fromkeys(differing))}. {way_out}"
        )
    counted = next((run for run in reversed(ran) if run.rows is not None and not _differing_data(run, verdict)), None)
    if counted is None:
        return verdict
    gate = counted.gate if NODES.index(from_node) > NODES.index("DataGate") else None
    return replace(verdict, ingest=counted.ingest, rows=counted.rows, gate=gate)


def _differing_data(verdict: Verdict, other: Verdict) -> list[str]:
    data, others = verdict.data or Data(), other.data or Data()
    # A run of a version without a setting that is a list has null for it.
    return [key for key in _DATA_KEYS if (data.setting(key) or None) != (others.setting(key) or None)]


def _schema(verdict: Verdict) -> str | None:
    return verdict.data.schema_sha256 if verdict.data else None


def from_nodes(config: PipelineConfig, from_node: str | None, *, has_challenges: bool = False) -> list[str]:
    """Returns TFX's `from_nodes`: also the roots that come later in the DAG's order and do not depend on it."""
    if from_node is None:
        return []
    alongside = (node for node in _ALONGSIDE if has_challenges or node != CHALLENGE_NODE)
    roots = [node for node in alongside if NODES.index(from_node) < NODES.index(node)]
    if config.bulk.path is not None and from_node not in BULK_NODES:
        roots.append("BulkExampleGen")
    return [from_node, *roots]
