"""What a compiled run is told when it starts: the runtime parameters, and the settings that they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from pipeline.config import PipelineConfig


class RunParameter(NamedTuple):
    """One of them."""

    name: str
    kind: type
    setting: str
    """Its key in the configuration, whose value is the default; none where there is no such key."""
    description: str


PARAMETERS = (
    RunParameter("data", str, "data.path", "CSV file, folder or pattern, as --data; also s3://, gs:// or minio://."),
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


def default_values(config: PipelineConfig) -> dict[str, Any]:
    """The values that a configuration gives; what it does not say has to be said when a run starts."""
    settings = config.model_dump()
    values = {}
    for one in PARAMETERS:
        section, _, key = one.setting.partition(".")
        if one.setting and settings[section][key] is not None:
            values[one.name] = settings[section][key]
    return values


class ParameterError(Exception):
    """A value cannot be a parameter's."""

    exit_code = 2


def parse_values(texts: Iterable[str]) -> dict[str, Any]:
    """Values from `name=value` each, of which the later wins.

    Raises:
      ParameterError: a name is not known, or a value is not of its kind.
    """
    kinds = {one.name: one.kind for one in PARAMETERS}
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if name not in kinds or not equals:
            raise ParameterError(f"A parameter is NAME=VALUE. Received: {text}. The names: {', '.join(kinds)}.")
        try:
            values[name] = kinds[name](value)
        except ValueError as error:
            raise ParameterError(f"The parameter {name} is a {_WORDS[kinds[name]]}. Received: {value}.") from error
    return values


_WORDS = {str: "text", int: "whole number", float: "number"}
