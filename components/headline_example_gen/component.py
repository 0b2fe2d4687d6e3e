"""HeadlineExampleGen: the DAG's first node."""

from __future__ import annotations

import glob

from google.protobuf import struct_pb2
from tfx.components.example_gen import component as example_gen
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2

from components.headline_example_gen.executor import Executor
from trainer import features


class HeadlineExampleGen(example_gen.FileBasedExampleGen):
    """Reads CSV files into tf.Examples with `title` (bytes) and `label` (int64), in the splits train and eval.

    Unlike CsvExampleGen, it infers no types (one label `yes` would turn the column into bytes, numeric titles would
    become numbers), names the features as the model does whatever the columns are called, reads quoted line breaks,
    and refuses a bad row by its file and line. Equal titles land in one split.

    Args:
      input_base: folder of the CSV files.
      pattern: of the files' names below it.
      text_column: the CSV's column of texts.
      label_column: the CSV's column of 0 and 1.
      train_buckets: hash buckets of the title that go to train; 7 with 3 for eval is 70/30.
      eval_buckets: hash buckets that go to eval.
      limit_rows: takes a sample of that many rows; None takes all.
      content_digest: of the files. TFX's cache knows a file by its size and its second of change alone, and on
        Kubeflow not at all.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        *,
        input_base: str,
        pattern: str,
        text_column: str,
        label_column: str,
        train_buckets: int,
        eval_buckets: int,
        limit_rows: int | None = None,
        content_digest: str = "",
    ):
        split = example_gen_pb2.SplitConfig
        options = struct_pb2.Struct()
        options.update(
            {
                "text_column": text_column,
                "label_column": label_column,
                "limit_rows": limit_rows,
                "content_digest": content_digest,
            }
        )
        custom_config = example_gen_pb2.CustomConfig()
        custom_config.custom_config.Pack(options)
        super().__init__(
            # TFX's driver globs base and pattern as one to see whether the files have changed.
            input_base=glob.escape(input_base),
            input_config=example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name="headlines", pattern=pattern)]),
            output_config=example_gen_pb2.Output(
                split_config=split(
                    splits=[
                        split.Split(name=features.TRAIN_SPLIT, hash_buckets=train_buckets),
                        split.Split(name=features.EVAL_SPLIT, hash_buckets=eval_buckets),
                    ],
                    partition_feature_name=features.TITLE,
                )
            ),
            custom_config=custom_config,
        )
