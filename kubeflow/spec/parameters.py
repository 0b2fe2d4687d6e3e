"""The runtime parameters of a compiled run, and the settings that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from components.evaluator.policy import BOUNDS
from kubeflow.spec.messages import Json
from pipeline.config.pipeline_config import ConfigError, PipelineConfig, load_config


class RunParameter(NamedTuple):
    """A runtime parameter."""

    name: str
    kind: type
    setting: str
    """Its key in the configuration, whose value is the default; none where there is no such key."""
    description: str
    optional: bool = False
    """In a spec only where the configuration has the setting."""


PARAMETERS = (
    RunParameter("data", str, "data.path", "CSV file, folder or pattern, as --data; also s3://, gs:// or minio://."),
    RunParameter("eval_data", str, "data.eval_data", "Of the rows that evaluate, as data.", optional=True),
    RunParameter("label_fixes", str, "data.label_fixes", "Of the answers to labels, as data.", optional=True),
    RunParameter("data_digest", str, "", "sha256 of the data; the cache goes by it, and other content is refused."),
    RunParameter("encoder", str, "encoder.source", "Text encoder, as --encoder."),
    RunParameter("epochs", int, "training.epochs", "Passes over the training rows."),
    RunParameter("seed", int, "training.seed", "Seed of weights, shuffling and casing."),
    RunParameter("min_eval_accuracy", float, "evaluation.min_eval_accuracy", "Least accuracy, evaluation rows."),
    RunParameter("min_eval_auc", float, "evaluation.min_eval_auc", "Least area under the ROC curve, evaluation rows."),
    RunParameter("max_accuracy_drop", float, "evaluation.max_accuracy_drop", "Most that accuracy may fall."),
    RunParameter("min_train_accuracy", float, "evaluation.min_train_accuracy", "Least accuracy, training rows."),
    RunParameter("push_destination", str, "kubeflow.push_destination", "Folder or URL that TF Serving watches."),
    RunParameter("accepted_data", str, "kubeflow.accepted_data", "Folder or URL of accepted data's statistics."),
)


def parameters_of(config: PipelineConfig) -> list[RunParameter]:
    """Returns the parameters of the spec that a configuration is compiled to."""
    values = default_values(config)
    return [parameter for parameter in PARAMETERS if not parameter.optional or parameter.name in values]


def default_values(config: PipelineConfig) -> dict[str, Json]:
    """Returns the values that a configuration gives; the others must be given when a run starts.

    No parameter is null: for a threshold that is, there is 0.
    """
    settings = config.model_dump()
    values = {}
    for parameter in PARAMETERS:
        section, _, key = parameter.setting.partition(".")
        value = settings[section][key] if parameter.setting else None
        if value is None and key in BOUNDS:
            value = 0.0
        if value is not None:
            values[parameter.name] = value
    return values


class ParameterError(Exception):
    """A value cannot be a parameter's."""

    exit_code = 2


def check_bounds(values: Mapping[str, Json]) -> None:
    """Checks values against the bounds of the settings that they stand for.

    Raises:
      ParameterError: a value is out of bounds.
    """
    flags = {item.setting: values[item.name] for item in PARAMETERS if item.setting and item.name in values}
    try:
        load_config(flags=flags, environ={})
    except ConfigError as error:
        _, _, problems = str(error).partition("\n")
        raise ParameterError(f"A parameter must be within the bounds of its setting. Received:\n{problems}") from error
