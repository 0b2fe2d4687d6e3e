"""Statistics straight from CSV files, as StatisticsGen computes them, and their comparison with a schema, by TFDV."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.headline_example_gen.settings import DataConfig
from components.labelled_csv.rows import Fault, Row, read_rows
from components.statistics_gen import in_memory
from components.statistics_gen.derived import derive
from trainer import features

UNCHANGED = (features.TITLE, features.LABEL)
"""What the model reads: exactly one text, and 0 or 1. No data changes that; an update leaves them as they are."""

_BATCH_ROWS = 1000


class FileStatistics(NamedTuple):
    """Statistics of the accepted rows of some files, repeats included."""

    statistics: statistics_pb2.DatasetFeatureStatisticsList
    rejected: int
    """Rows that fail a rule."""


class Finding(NamedTuple):
    """A rule of the schema that the data fails."""

    feature: str
    rule: str
    """In TFDV's words."""
    message: str

    def __str__(self) -> str:
        return f"{self.feature}: {self.rule}. {self.message}"


def compute_statistics(paths: Sequence[str], settings: DataConfig, schema: schema_pb2.Schema) -> FileStatistics:
    """Computes them as a run's StatisticsGen does.

    Args:
      paths: of CSV files.
      settings: the rules of a row.
      schema: names the categorical features.

    Raises:
      InputError: a file cannot be read as a CSV.
    """
    rejected = 0

    def accepted() -> Iterator[Row]:
        nonlocal rejected
        for row in itertools.chain.from_iterable(read_rows(path, settings) for path in paths):
            if isinstance(row, Fault):
                rejected += 1
            else:
                yield row

    statistics = in_memory.compute_statistics(map(derive, _batched(accepted())), schema)
    return FileStatistics(statistics, rejected)


def find(statistics: statistics_pb2.DatasetFeatureStatisticsList, schema: schema_pb2.Schema) -> list[Finding]:
    """Returns TFDV's anomalies of the statistics, in the schema's order of features."""
    order = [feature.name for feature in schema.feature]
    found = [
        Finding(name, reason.short_description, reason.description.strip())
        for name, anomaly in tfdv.validate_statistics(statistics, schema).anomaly_info.items()
        for reason in anomaly.reason
    ]
    return sorted(found, key=lambda finding: order.index(finding.feature) if finding.feature in order else len(order))


def updated(schema: schema_pb2.Schema, statistics: statistics_pb2.DatasetFeatureStatisticsList) -> schema_pb2.Schema:
    """Returns TFDV's update of the schema to allow the data, except for the features that are `UNCHANGED`."""
    result = tfdv.update_schema(schema, statistics)
    committed = {feature.name: feature for feature in schema.feature}
    for feature in result.feature:
        if feature.name in UNCHANGED and feature.name in committed:
            feature.CopyFrom(committed[feature.name])
    return result


def inferred(schema: schema_pb2.Schema, statistics: statistics_pb2.DatasetFeatureStatisticsList) -> schema_pb2.Schema:
    """Returns the schema with the presences and domains of the data; a new feature is added as TFDV infers it."""
    result = type(schema)()
    result.CopyFrom(schema)
    known = {feature.name: feature for feature in result.feature}
    for found in tfdv.infer_schema(statistics).feature:
        feature = known.get(found.name)
        if feature is None:
            result.feature.add().CopyFrom(found)
            continue
        feature.type = found.type
        if feature.HasField("presence"):
            feature.presence.CopyFrom(found.presence)
        values = _values(statistics, found.name)
        if feature.HasField("int_domain") and values:
            feature.int_domain.min, feature.int_domain.max = min(map(int, values)), max(map(int, values))
        if feature.HasField("string_domain"):
            seen = set(values)
            in_order = [value for value in feature.string_domain.value if value in seen]
            in_order += sorted(seen.difference(in_order))
            feature.string_domain.value[:] = in_order
    return result


def _values(statistics: statistics_pb2.DatasetFeatureStatisticsList, name: str) -> list[str | float]:
    """Returns a feature's values in the statistics: those of a class, or the least and the greatest number."""
    for feature in statistics.datasets[0].features:
        if name in feature.path.step:
            if feature.HasField("num_stats"):
                return [feature.num_stats.min, feature.num_stats.max]
            return [bucket.label for bucket in feature.string_stats.rank_histogram.buckets]
    return []


def _batched(rows: Iterator[Row]) -> Iterator[pa.RecordBatch]:
    while batch := list(itertools.islice(rows, _BATCH_ROWS)):
        yield pa.RecordBatch.from_arrays(
            [
                pa.array([[row.title.encode()] for row in batch], pa.large_list(pa.large_binary())),
                pa.array([[row.label] for row in batch], pa.large_list(pa.int64())),
            ],
            [features.TITLE, features.LABEL],
        )
