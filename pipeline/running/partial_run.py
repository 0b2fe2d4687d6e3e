"""`--from` and `--to`: a part of the DAG, with what lies before it taken from the last run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.headline_example_gen.settings import DataConfig
from pipeline.config.pipeline_config import PipelineConfig

#: In the DAG where there is a file to be scored.
BULK_NODES = ("BulkExampleGen", "BulkInferrer")

#: In the DAG where there are recipes to be tried.
TUNER_NODE = "Tuner"

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
    "VariantExampleGen",
    "BaselineScorer",
    "ModelScorer",
    "Evaluator",
    "LocalInfraValidator",
    "VersionedPusher",
    *BULK_NODES,
)

#: Settings that say which files are read; these count by their digest.
_FILES = {"path", "schema_file", "window_spans", "last_span"}
_DATA_KEYS = ("sha256", *(key for key in DataConfig.model_fields if key not in _FILES))
_SCHEMA_KEY = "schema_sha256"

#: Sections of the configuration, and the first component that judges by them.
_JUDGES = {"gate": "DataGate", "evaluation": "Evaluator", "infra": "LocalInfraValidator"}


#: What depends on the data or the serving folder and not on the Trainer: the baseline, and the rows to be evaluated.
_ALONGSIDE = ("LatestBlessedModel", "VariantExampleGen")


class PartialRunError(Exception):
    """`--from` or `--to` asks for what cannot be."""

    exit_code = 2


def check_nodes(config: PipelineConfig, from_node: str | None, to_node: str | None) -> None:
    """Refuses names that no component has, and an end before the beginning.

    Raises:
      PartialRunError: with the names that there are.
    """
    for node in (from_node, to_node):
        if node is not None and node not in NODES:
            raise PartialRunError(f"--from and --to name a component. Received: {node!r}. Known: {', '.join(NODES)}.")
        if node in BULK_NODES and config.bulk.path is None:
            raise PartialRunError(f"{node} runs where there is a file to be scored. Received: none. Give --bulk FILE.")
        if node == TUNER_NODE and not config.tuner.trials:
            raise PartialRunError("Tuner runs where there are recipes to be tried. Received: none. Give --tune N.")
    if from_node and to_node and NODES.index(from_node) > NODES.index(to_node):
        raise PartialRunError(
            f"--from comes before --to. Received: --from {from_node} --to {to_node}. The order: {', '.join(NODES)}."
        )


def reuse_last(
    config: PipelineConfig, from_node: str, verdict: dict[str, Any], earlier: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What the verdict takes over from the last run, whose components before `from_node` are not run again.

    A run of other data is refused; after the Trainer, one of another encoder or training; and after a component that
    judges, one of other rules.

    Args:
      config: of the run that begins.
      from_node: its first component.
      verdict: its verdict so far.
      earlier: the verdicts of the runs before it, oldest first.

    Returns:
      The counts of rows and the gate's findings, from the last run that had them of the same data.

    Raises:
      PartialRunError: names what differs.
    """
    way_out = "Leave out --from: what has not changed comes from the cache."
    ran = [one for one in earlier if one.get("components")]
    if not ran:
        raise PartialRunError(f"--from goes on from the last run. Received: --from {from_node}, and no run. {way_out}")
    last = ran[-1]
    # TFX goes on from a killed run's artifacts, of which no verdict says what they are.
    if killed := [one["run_id"] for one in earlier[earlier.index(last) + 1 :] if "components" not in one]:
        raise PartialRunError(
            f"--from goes on from the last run. Received: --from {from_node}, and a last run, {killed[-1]}, that left "
            f"no verdict. {way_out}"
        )
    differing = [f"data.{key}" for key in _differing_data(last, verdict)]
    for section, judge in _JUDGES.items():
        if NODES.index(from_node) > NODES.index(judge):
            judged_by = last.get(f"{section}_policy", {})
            policy = getattr(config, section).model_dump()
            differing += [f"{section}.{key}" for key, value in policy.items() if judged_by.get(key) != value]
    if NODES.index(from_node) > NODES.index("DataGate"):
        differing += ["schema"] if last["data"].get(_SCHEMA_KEY) != verdict["data"].get(_SCHEMA_KEY) else []
    if NODES.index(from_node) > NODES.index("Trainer"):
        if "training" not in last:
            raise PartialRunError(
                f"--from goes on from the last run. Received: --from {from_node}, and a last run, {last['run_id']}, "
                f"that did not get so far. {way_out}"
            )
        # Of a run that was tuned, what was asked for: the configuration has no more to say.
        trained = {**last["training"]["settings"], **last["training"].get("asked", {})}
        differing += [
            f"training.{key}" for key, value in config.training.model_dump().items() if trained.get(key) != value
        ]
        differing += (
            ["tuner"] if last.get("tuner_policy", config.tuner.model_dump()) != config.tuner.model_dump() else []
        )
        differing += (
            ["encoder"] if verdict["encoder"]["digest"] != last["training"]["settings"].get("encoder_digest") else []
        )
    if differing:
        raise PartialRunError(
            f"--from goes on from the last run, {last['run_id']}, with what that run had. Received: --from {from_node} "
            f"with another {', '.join(differing)}. {way_out}"
        )
    counted = (one for one in reversed(ran) if "rows" in one and not _differing_data(one, verdict))
    reused = ["ingest", "rows"] + (["gate"] if NODES.index(from_node) > NODES.index("DataGate") else [])
    return {key: value for key, value in next(counted, {}).items() if key in reused}


def _differing_data(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [key for key in _DATA_KEYS if one["data"].get(key) != other["data"].get(key)]


def from_nodes(config: PipelineConfig, from_node: str | None) -> list[str]:
    """TFX's `from_nodes`: with the nodes that come after it in the DAG's order and do not depend on it."""
    if from_node is None:
        return []
    roots = [one for one in _ALONGSIDE if NODES.index(from_node) < NODES.index(one)]
    if config.bulk.path is not None and from_node not in BULK_NODES:
        roots.append("BulkExampleGen")
    return [from_node, *roots]
