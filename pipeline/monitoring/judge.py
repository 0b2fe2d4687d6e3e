"""Compares served texts and scores with the training data, by TFDV's comparators and the schema's thresholds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import pyarrow as pa
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList as Statistics

from components.data_gate.comparison import judge_drift, judge_skew
from components.data_gate.policy import Finding, apply_policy
from components.statistics_gen.derived import DERIVED, derive
from components.statistics_gen.in_memory import compute_statistics
from pipeline.config.monitor import MonitorConfig
from pipeline.monitoring.traffic import Row, too_few
from trainer import features

_THRESHOLD = 0.5


@dataclasses.dataclass(frozen=True)
class Training:
    """The data that a version was trained on."""

    statistics: Statistics
    """Of the train split."""
    schema: schema_pb2.Schema
    """The schema that the data had to fit."""
    scores: Sequence[float]
    """The version's scores of the evaluation split."""

    @classmethod
    def read(cls, statistics: Path, schema: Path, scores: Sequence[float]) -> Self:
        """Reads the artifacts of StatisticsGen and ImportSchemaGen."""
        return cls(tfdv.load_stats_binary(str(statistics)), tfdv.load_schema_text(str(schema)), scores)


def judge_served(
    recent: Sequence[Row], earlier: Sequence[Row], training: Training, policy: MonitorConfig
) -> list[Finding]:
    """Compares texts and scores.

    Args:
      recent: what was served.
      earlier: what was served before; may be empty.
      training: the data that the version was trained on.
      policy: the thresholds.

    Returns:
      Findings of the rules `skew` (served texts against the train split), `drift` (against those served before) and
      `scores` (against the evaluation split), with what follows from each.
    """
    if findings := too_few(len(recent), policy):
        return findings
    schema = _of_texts(training.schema)
    served = text_statistics(recent, schema)
    before = text_statistics(earlier, schema) if earlier else None
    findings = [
        *judge_skew(training.statistics, served, schema, policy, "served against train"),
        *judge_drift(
            served, before, "what was served before" if earlier else "nothing is logged before --since", schema, policy
        ),
        *_judge_scores([row.score for row in recent], training.scores, policy),
    ]
    return apply_policy(findings, policy)


def _judge_scores(served: Sequence[float], reference: Sequence[float], policy: MonitorConfig) -> Iterator[Finding]:
    feature = schema_pb2.Feature(name=features.PROBABILITY, type=schema_pb2.FLOAT)
    feature.drift_comparator.jensen_shannon_divergence.threshold = policy.max_score_divergence
    found = judge_drift(
        score_statistics(served),
        score_statistics(reference),
        "the evaluation split",
        schema_pb2.Schema(feature=[feature]),
        policy,
    )
    for finding in found:
        moved = [
            f"mean {_mean(reference):.3f} -> {_mean(served):.3f}",
            f"clickbait (>= {_THRESHOLD}): {_share(reference):.1%} -> {_share(served):.1%}",
        ]
        yield dataclasses.replace(
            finding, rule="scores", where=features.PROBABILITY, examples=moved if finding.kept is False else []
        )


def _of_texts(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    """Returns the part of a schema that is about titles: served texts have no labels."""
    kept = schema_pb2.Schema()
    kept.CopyFrom(schema)
    del kept.feature[:]
    kept.feature.extend(feature for feature in schema.feature if feature.name in (features.TITLE, *DERIVED))
    return kept


def _mean(scores: Sequence[float]) -> float:
    return sum(scores) / len(scores)


def _share(scores: Sequence[float]) -> float:
    return sum(score >= _THRESHOLD for score in scores) / len(scores)


def text_statistics(rows: Sequence[Row], schema: schema_pb2.Schema) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Computes statistics of the titles and the derived features, as StatisticsGen does.

    Args:
      rows: what was served; bytes that are no UTF-8 count as U+FFFD.
      schema: of the training data.
    """
    titles = pa.array(
        [[row.text.decode("utf-8", "replace").encode()] for row in rows], pa.large_list(pa.large_binary())
    )
    batch = derive(pa.RecordBatch.from_arrays([titles], [features.TITLE]))
    return compute_statistics([batch], schema)


def score_statistics(scores: Sequence[float]) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Computes statistics of the probabilities."""
    column = pa.array([[score] for score in scores], pa.large_list(pa.float32()))
    batch = pa.RecordBatch.from_arrays([column], [features.PROBABILITY])
    return stats_impl.generate_statistics_in_memory(batch, tfdv.StatsOptions())
