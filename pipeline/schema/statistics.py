"""The statistics that StatisticsGen would compute, straight from CSV files: without Examples, artifacts or TFX."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import apache_beam as beam
import pyarrow as pa
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.headline_example_gen.rows import Fault, Row, read_rows
from components.headline_example_gen.settings import DataConfig
from components.statistics_gen.derived import derive
from trainer import features

_BATCH_ROWS = 1000


class FileStatistics(NamedTuple):
    """Statistics of the accepted rows of some files, repeats included."""

    statistics: statistics_pb2.DatasetFeatureStatisticsList
    rejected: int
    """Rows that break a rule."""


def compute_statistics(paths: Sequence[str], settings: DataConfig, schema: schema_pb2.Schema) -> FileStatistics:
    """Streams the files through Beam, in memory.

    Args:
      paths: of CSV files.
      settings: what a row must keep.
      schema: says which features are categorical.

    Raises:
      InputError: a file cannot be read as a CSV.
    """
    # First without Beam, which would make another exception of a file's fault.
    rejected = sum(isinstance(row, Fault) for path in paths for row in read_rows(path, settings))
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder, "FeatureStats.pb"))
        with beam.Pipeline() as pipeline:
            _ = (
                pipeline
                | beam.Create(list(paths))
                | beam.FlatMap(_read_batches, settings)
                | beam.Map(derive)
                | tfdv.GenerateStatistics(tfdv.StatsOptions(schema=schema))
                | tfdv.WriteStatisticsToBinaryFile(target)
            )
        return FileStatistics(tfdv.load_stats_binary(target), rejected)


def _read_batches(path: str, settings: DataConfig) -> Iterator[pa.RecordBatch]:
    rows = (row for row in read_rows(path, settings) if isinstance(row, Row))
    while batch := list(itertools.islice(rows, _BATCH_ROWS)):
        yield pa.RecordBatch.from_arrays(
            [
                pa.array([[row.title.encode()] for row in batch], pa.large_list(pa.large_binary())),
                pa.array([[row.label] for row in batch], pa.large_list(pa.int64())),
            ],
            [features.TITLE, features.LABEL],
        )
