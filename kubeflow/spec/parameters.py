"""The runtime parameters of a compiled run, and the settings that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import ValidationError

from components.challenges import sources_from_json
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
    RunParameter(
        "challenges",
        str,
        "evaluation.challenges",
        "JSON: name, path (a URL) and sha256 of each challenge; the cache goes by it, and other content is refused.",
        optional=True,
    ),
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
    return [parameter for parameter in PARAMETERS if not parameter.optional or _setting(config, parameter)]


def default_values(config: PipelineConfig) -> dict[str, Json]:
    """Returns the values that a configuration gives; the others must be given when a run starts.

    No parameter is null: for a threshold that is, there is 0. That of the challenges has digests, which no
    configuration knows.
    """
    values: dict[str, Json] = {}
    for parameter in PARAMETERS:
        value = _setting(config, parameter)
        if value is None and parameter.setting.partition(".")[2] in BOUNDS:
            value = 0.0
        if value is not None and not isinstance(value, list):
            values[parameter.name] = value
    return values


def _setting(config: PipelineConfig, parameter: RunParameter) -> Json:
    section, _, key = parameter.setting.partition(".")
    value: Json = config.model_dump()[section][key] if parameter.setting else None
    return value


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
        if challenges := flags.pop("evaluation.challenges", None):
            sources_from_json(str(challenges))
    except ValidationError as error:
        raise ParameterError(
            f"The parameter challenges must be JSON, a list of name, path and sha256. Received: {challenges}. Give one."
        ) from error
    try:
        load_config(flags=flags, environ={})
    except ConfigError as error:
        _, _, problems = str(error).partition("\n")
        raise ParameterError(f"A parameter must be within the bounds of its setting. Received:\n{problems}") from error
