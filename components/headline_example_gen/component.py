"""HeadlineExampleGen: the DAG's first node."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.headline_example_gen.executor import INGEST_KEY, Executor
from components.headline_example_gen.ingest import Ingest


class HeadlineExampleGenSpec(component_spec.ComponentSpec):
    """What HeadlineExampleGen is told and emits; each parameter as in `HeadlineExampleGen`."""

    PARAMETERS = {
        "input_base": component_spec.ExecutionParameter(type=str),
        "pattern": component_spec.ExecutionParameter(type=str),
        "window_spans": component_spec.ExecutionParameter(type=int),
        "last_span": component_spec.ExecutionParameter(type=str, optional=True),
        "text_column": component_spec.ExecutionParameter(type=str),
        "label_column": component_spec.ExecutionParameter(type=str),
        "labels": component_spec.ExecutionParameter(type=str),
        "max_title_characters": component_spec.ExecutionParameter(type=int),
        "max_row_lines": component_spec.ExecutionParameter(type=int),
        "train_buckets": component_spec.ExecutionParameter(type=int),
        "eval_buckets": component_spec.ExecutionParameter(type=int),
        "limit_rows": component_spec.ExecutionParameter(type=int, optional=True),
        "content_digest": component_spec.ExecutionParameter(type=str, optional=True),
        "location": component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        INGEST_KEY: component_spec.ChannelParameter(type=Ingest),
    }


class HeadlineExampleGen(base_beam_component.BaseBeamComponent):
    """Reads CSV files into tf.Examples with `title` (bytes) and `label` (int64), in the splits train and eval.

    Unlike CsvExampleGen it infers no types (one label `yes` would turn the column into bytes, numeric titles would
    become numbers), names the features as the model does whatever the columns are called, reads quoted line breaks,
    keeps a repeated title once, and sets a bad row aside with its file, line and reason. Titles that differ in casing,
    white space or Unicode form alone land in one split.

    It is no FileBasedExampleGen: that one's driver, which resolves spans, does not run on open-source Kubeflow
    Pipelines, and knows no window of spans outside a Resolver. The executor resolves them here.

    Args:
      input_base: folder of the CSV files.
      pattern: of the files below it: a glob, with TFX's `{SPAN}`, `{YYYY}`, `{MM}`, `{DD}`, `{VERSION}` or `{DATE}`.
      text_column: the CSV's column of texts.
      label_column: the CSV's column of labels.
      labels: the label column's values to 0 and 1.
      max_title_characters: longer titles are rejected.
      max_row_lines: rows that span more lines are rejected.
      train_buckets: hash buckets of the title that go to train; 7 with 3 for eval is 70/30.
      eval_buckets: hash buckets that go to eval.
      window_spans: how many spans are taken.
      last_span: the newest of them, as a number or an ISO date; None takes the newest there is.
      limit_rows: takes a sample of that many rows; None takes all.
      content_digest: of the files, see `files.data_digest`. The cache goes by it, and an ingest of other content fails.
      location: stands for both `input_base` and `pattern`, as `--data` does, for a run that is told its data when it
        starts.
    """

    SPEC_CLASS = HeadlineExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        *,
        input_base: str,
        pattern: str,
        text_column: str,
        label_column: str,
        labels: Mapping[str, int],
        max_title_characters: int,
        max_row_lines: int,
        train_buckets: int,
        eval_buckets: int,
        window_spans: int = 1,
        last_span: str | None = None,
        limit_rows: int | None = None,
        content_digest: str | None = None,
        location: str | None = None,
    ):
        spec = HeadlineExampleGenSpec(
            input_base=input_base,
            pattern=pattern,
            window_spans=window_spans,
            last_span=last_span,
            text_column=text_column,
            label_column=label_column,
            labels=json.dumps(labels),
            max_title_characters=max_title_characters,
            max_row_lines=max_row_lines,
            train_buckets=train_buckets,
            eval_buckets=eval_buckets,
            limit_rows=limit_rows,
            content_digest=content_digest,
            location=location,
            examples=types.Channel(type=standard_artifacts.Examples),
            ingest=types.Channel(type=Ingest),
        )
        super().__init__(spec=spec)
