"""Drift and skew: TFDV's comparators between two statistics, with the bounds that the schema holds."""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList as Statistics

from components.data_gate.policy import Finding, Policy, shown

_SHOWN_VALUES = 5


def judge_drift(
    current: Statistics, accepted: Statistics | None, accepted_name: str, schema: schema_pb2.Schema, policy: Policy
) -> Iterator[Finding]:
    """Judges how far the train split moved from the one that was accepted last.

    Args:
      current: of the train split.
      accepted: of the train split that was accepted last, if any.
      accepted_name: its name in findings.
      schema: with `drift_comparator`s.
      policy: the settings of the comparison.
    """
    if accepted is None:
        yield Finding("drift", "all features", "as the schema says", "nothing to compare with", None, accepted_name)
        return
    if few := _too_few(current, accepted, policy):
        yield Finding("drift", "all features", f">= {policy.min_compared_rows:,} rows on both sides", few, None)
        return
    anomalies = tfdv.validate_statistics(current, schema, previous_statistics=accepted)
    yield from _read(anomalies, "drift", f"against {accepted_name}", current, accepted, policy)


def judge_skew(
    train: Statistics,
    held_out: Statistics,
    schema: schema_pb2.Schema,
    policy: Policy,
    compared: str = "eval against train",
) -> Iterator[Finding]:
    """Judges how far other rows, by default the evaluation split, differ from the train split.

    Args:
      train: of the train split.
      held_out: of the other rows.
      schema: with `skew_comparator`s.
      policy: the settings of the comparison.
      compared: the comparison's name in findings.
    """
    if few := _too_few(train, held_out, policy):
        yield Finding("skew", "all features", f">= {policy.min_compared_rows:,} rows on both sides", few, None)
        return
    anomalies = tfdv.validate_statistics(train, schema, serving_statistics=held_out)
    yield from _read(anomalies, "skew", compared, held_out, train, policy)


def _too_few(first: Statistics, second: Statistics, policy: Policy) -> str | None:
    rows = [statistics.datasets[0].num_examples for statistics in (first, second)]
    return None if min(rows) >= policy.min_compared_rows else f"{rows[0]:,} and {rows[1]:,} rows"


def _read(
    anomalies: anomalies_pb2.Anomalies,
    rule: str,
    compared: str,
    now: Statistics,
    then: Statistics,
    policy: Policy,
) -> Iterator[Finding]:
    if not anomalies.drift_skew_info:
        yield Finding(rule, "all features", "as the schema says", f"no {rule}_comparator in the schema", None)
    for info in anomalies.drift_skew_info:
        measurements = info.drift_measurements if rule == "drift" else info.skew_measurements
        name = ".".join(info.path.step)
        for measurement in measurements:
            measure = anomalies_pb2.DriftSkewInfo.Measurement.Type.Name(measurement.type)
            passed = measurement.value <= measurement.threshold
            yield Finding(
                rule=rule,
                where=name,
                bound=f"<= {measurement.threshold:g}",
                observed=round(measurement.value, 4),
                kept=passed,
                detail=f"{measure.lower().replace('_', ' ')}, {compared}",
                examples=[] if passed else _what_moved(name, now, then, policy),
            )


def _what_moved(name: str, now: Statistics, then: Statistics, policy: Policy) -> list[str]:
    """Describes the values whose share changed most, or the change of a number's mean."""
    after, before = _feature(now, name), _feature(then, name)
    if after is None or before is None:
        return []
    if after.WhichOneof("stats") == "num_stats":
        return [f"mean {before.num_stats.mean:.1f} -> {after.num_stats.mean:.1f}"]
    shares = [_shares(feature) for feature in (before, after)]
    values = sorted({*shares[0], *shares[1]})  # of equal changes always in the same order
    values.sort(key=lambda value: -abs(shares[1].get(value, 0) - shares[0].get(value, 0)))
    return [
        f"{shown(value, policy)}: {shares[0].get(value, 0):.1%} -> {shares[1].get(value, 0):.1%}"
        for value in values[:_SHOWN_VALUES]
    ]


def _feature(statistics: Statistics, name: str) -> statistics_pb2.FeatureNameStatistics | None:
    return next(
        (feature for feature in statistics.datasets[0].features if name in (feature.name, ".".join(feature.path.step))),
        None,
    )


def _shares(feature: statistics_pb2.FeatureNameStatistics) -> dict[str, float]:
    counts = {bucket.label: bucket.sample_count for bucket in feature.string_stats.rank_histogram.buckets}
    total = sum(counts.values()) or 1.0
    return {value: count / total for value, count in counts.items()}
