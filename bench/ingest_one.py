"""One ingest in this process, measured: `python -m bench.ingest_one COMPONENT FOLDER TARGET [BEAM FLAG ...]`.

Reads FOLDER/*.csv with columns title and label, writes to TARGET, and prints a line of JSON last: the wall and CPU
seconds of the executor's `Do` alone, and how many examples it wrote. `bench.ingest` calls it.
"""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import json
import os
import sys
import time
from pathlib import Path

import tensorflow as tf
from tfx import v1 as tfx
from tfx.components.example_gen.csv_example_gen.component import CsvExampleGen
from tfx.dsl.components.base.base_component import BaseComponent

from components.headline_example_gen.component import HeadlineExampleGen
from components.headline_example_gen.settings import DataConfig
from trainer import features

_PATTERN = "*.csv"
_BUCKETS = {features.TRAIN_SPLIT: 7, features.EVAL_SPLIT: 3}


def main() -> None:
    name, folder, target, *beam_flags = sys.argv[1:]
    component = {"HeadlineExampleGen": _ours, "CsvExampleGen": _stock}[name](folder)
    outputs = {key: [channel.type()] for key, channel in component.outputs.items()}
    for key, (artifact,) in outputs.items():
        artifact.uri = f"{target}/{key}"
    executor_class = component.executor_spec.executor_class
    executor = executor_class(
        executor_class.Context(beam_pipeline_args=beam_flags, tmp_dir=f"{target}/tmp", unique_id="1")
    )
    wall, cpu = time.monotonic(), _cpu_seconds()
    executor.Do({}, outputs, dict(component.exec_properties))
    wall, cpu = time.monotonic() - wall, _cpu_seconds() - cpu
    files = [str(file) for file in Path(target, "examples").glob("Split-*/*")]
    examples = tf.data.TFRecordDataset(files, compression_type="GZIP").reduce(0, lambda count, _: count + 1)
    print("\n" + json.dumps({"wall": wall, "cpu": cpu, "examples": int(examples)}))


def _ours(folder: str) -> BaseComponent:
    return HeadlineExampleGen(
        input_base=folder,
        pattern=_PATTERN,
        settings=DataConfig(
            train_buckets=_BUCKETS[features.TRAIN_SPLIT], eval_buckets=_BUCKETS[features.EVAL_SPLIT]
        ).model_dump_json(),
    )


def _stock(folder: str) -> BaseComponent:
    splits = [tfx.proto.SplitConfig.Split(name=name, hash_buckets=number) for name, number in _BUCKETS.items()]
    return CsvExampleGen(
        input_base=folder,
        input_config=tfx.proto.Input(splits=[tfx.proto.Input.Split(name="all", pattern=_PATTERN)]),
        output_config=tfx.proto.Output(
            split_config=tfx.proto.SplitConfig(splits=splits, partition_feature_name="title")
        ),
    )


def _cpu_seconds() -> float:
    # Beam's worker processes count once they have ended, which they have when `Do` returns.
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


if __name__ == "__main__":
    main()
