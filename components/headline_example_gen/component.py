"""HeadlineExampleGen: the DAG's first node."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.headline_example_gen.executor import INGEST_KEY, Executor
from components.headline_example_gen.ingest import Ingest


class HeadlineExampleGenSpec(component_spec.ComponentSpec):
    """The parameters and outputs of HeadlineExampleGen, see there."""

    PARAMETERS = {
        "input_base": component_spec.ExecutionParameter(type=str),
        "pattern": component_spec.ExecutionParameter(type=str),
        "settings": component_spec.ExecutionParameter(type=str),
        "content_digest": component_spec.ExecutionParameter(type=str, optional=True),
        "location": component_spec.ExecutionParameter(type=str, optional=True),
        "eval_location": component_spec.ExecutionParameter(type=str, optional=True),
        "label_fixes": component_spec.ExecutionParameter(type=str, optional=True),
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
    white space or Unicode form alone land in one split: that of their hash or their group's, or that which the data
    gives, where rows of train give way to rows of eval.

    It is no FileBasedExampleGen: that one's driver, which resolves spans, does not run on open-source Kubeflow
    Pipelines, and knows no window of spans outside a Resolver. The executor resolves them here.

    Args:
      input_base: folder of the CSV files.
      pattern: of the files below it: a glob, with TFX's `{SPAN}`, `{YYYY}`, `{MM}`, `{DD}`, `{VERSION}` or `{DATE}`.
      settings: the section `data`, `DataConfig` as JSON; `location` or `input_base` and `pattern` stand for its `path`,
        `eval_location` and `label_fixes` for its settings of that kind.
      content_digest: of the files, see `files.data_digest`. The cache goes by it, and an ingest of other content fails.
      location: stands for both `input_base` and `pattern`, as `--data` does, for a run whose data is known only when it
        starts.
      eval_location: of the files whose rows evaluate, where those of the others all train.
      label_fixes: of the files whose answers stand for labels.
    """

    SPEC_CLASS = HeadlineExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        *,
        input_base: str,
        pattern: str,
        settings: str,
        content_digest: str | None = None,
        location: str | None = None,
        eval_location: str | None = None,
        label_fixes: str | None = None,
    ):
        spec = HeadlineExampleGenSpec(
            input_base=input_base,
            pattern=pattern,
            settings=settings,
            content_digest=content_digest,
            location=location,
            eval_location=eval_location,
            label_fixes=label_fixes,
            examples=types.Channel(type=standard_artifacts.Examples),
            ingest=types.Channel(type=Ingest),
        )
        super().__init__(spec=spec)
