"""The statistics that StatisticsGen would compute, of rows that are at hand: without Beam, Examples or artifacts."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.statistics_gen import in_memory
from components.statistics_gen.derived import derive
from trainer import features


def compute_statistics(
    rows: Iterable[tuple[str, int]], schema: schema_pb2.Schema
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Computes statistics with the derived features.

    Args:
      rows: a title and a label each.
      schema: says which features are categorical.
    """
    rows = list(rows)
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array([[title.encode()] for title, _ in rows], pa.large_list(pa.large_binary())),
            pa.array([[label] for _, label in rows], pa.large_list(pa.int64())),
        ],
        [features.TITLE, features.LABEL],
    )
    return in_memory.compute_statistics([derive(batch)], schema)
