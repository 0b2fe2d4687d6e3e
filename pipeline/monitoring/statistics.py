"""Statistics of served rows, to be compared with those that StatisticsGen computed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.statistics_gen.derived import derive
from pipeline.monitoring.traffic import Row
from trainer import features


def text_statistics(rows: Sequence[Row], schema: schema_pb2.Schema) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Of the titles and what is derived from them, by Beam as StatisticsGen's.

    TFDV counts the words of rows in memory by a sketch, which gives the frequent ones other shares than Beam does.

    Args:
      rows: what was served; bytes that are no UTF-8 count as U+FFFD.
      schema: of the training data.
    """
    titles = pa.array(
        [[row.text.decode("utf-8", "replace").encode()] for row in rows], pa.large_list(pa.large_binary())
    )
    batch = derive(pa.RecordBatch.from_arrays([titles], [features.TITLE]))
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder, "FeatureStats.pb"))
        with beam.Pipeline() as pipeline:
            _ = (
                pipeline
                | beam.Create([batch])
                | tfdv.GenerateStatistics(tfdv.StatsOptions(schema=schema))
                | tfdv.WriteStatisticsToBinaryFile(target)
            )
        return tfdv.load_stats_binary(target)


def score_statistics(scores: Sequence[float]) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Of the probabilities."""
    column = pa.array([[score] for score in scores], pa.large_list(pa.float32()))
    batch = pa.RecordBatch.from_arrays([column], [features.PROBABILITY])
    return stats_impl.generate_statistics_in_memory(batch, tfdv.StatsOptions())
