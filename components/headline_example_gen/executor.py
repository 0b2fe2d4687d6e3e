"""The Beam side of HeadlineExampleGen."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

import apache_beam as beam
import tensorflow as tf
from google.protobuf import json_format, struct_pb2
from tfx import types
from tfx.components.example_gen import base_example_gen_executor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.errors import DataRefused
from components.headline_example_gen.rows import Row, check_rows, read_rows, sampling_key
from trainer import features


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """Checks all rows, then reads them into tf.Examples; the base class splits them by hash and writes them."""

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:  # noqa: N802  TFX's name
        return _headlines_to_examples

    def Do(  # noqa: N802  TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        super().Do(input_dict, output_dict, exec_properties)
        for split in (features.TRAIN_SPLIT, features.EVAL_SPLIT):
            if not _has_rows(output_dict[standard_component_specs.EXAMPLES_KEY], split):
                raise DataRefused(
                    f"Each split needs rows. Received: data that leaves the split {split} empty; equal titles always "
                    "fall into one split. Give more rows, or other shares with --set data.train_buckets=... and "
                    "data.eval_buckets=..."
                )


@beam.ptransform_fn
@beam.typehints.with_input_types(beam.Pipeline)
@beam.typehints.with_output_types(tf.train.Example)
def _headlines_to_examples(pipeline: beam.Pipeline, exec_properties: dict[str, Any], pattern: str) -> beam.PCollection:
    options = _options(exec_properties)
    text_column, label_column = options["text_column"], options["label_column"]
    limit = options["limit_rows"]
    base = exec_properties[standard_component_specs.INPUT_BASE_KEY]
    paths = sorted(path for path in glob.glob(str(Path(base) / pattern)) if Path(path).is_file())
    left_out = check_rows(paths, text_column, label_column, None if limit is None else int(limit))

    def rows(path: str):
        for row in read_rows(path, text_column, label_column):
            # Faults were refused above, before anything was written.
            if isinstance(row, Row) and (left_out is None or sampling_key(row.title) < left_out):
                yield row

    return pipeline | "Files" >> beam.Create(paths) | "Rows" >> beam.FlatMap(rows) | "Examples" >> beam.Map(_to_example)


def _has_rows(examples: list[types.Artifact], split: str) -> bool:
    files = [file for uri in artifact_utils.get_split_uris(examples, split) for file in Path(uri).iterdir()]
    records = tf.data.TFRecordDataset([str(file) for file in files], compression_type="GZIP")
    return any(True for _ in records.take(1))


def _to_example(row: Row) -> tf.train.Example:
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                features.TITLE: tf.train.Feature(bytes_list=tf.train.BytesList(value=[row.title.encode()])),
                features.LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[row.label])),
            }
        )
    )


def _options(exec_properties: dict[str, Any]) -> dict[str, Any]:
    config = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY], config)
    options = struct_pb2.Struct()
    config.custom_config.Unpack(options)
    return json_format.MessageToDict(options)
