"""Reads what a spec was compiled with, and a run's parameters, which are checked before anything is sent or run."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping

from components.challenges import ChallengeConfig, settings_from_json
from components.headline_example_gen.settings import DataConfig
from kubeflow.spec.messages import Json, ParameterDefinition, Spec
from kubeflow.spec.parameters import PARAMETERS, ParameterError, check_bounds

_WHOLE = re.compile("[+-]?[0-9]{1,16}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MOST_EXACT = 2**53

INGEST = "HeadlineExampleGen"


def definitions(spec: Spec) -> Mapping[str, ParameterDefinition]:
    """Returns the definitions of a spec's parameters by name."""
    return spec["root"].get("inputDefinitions", {}).get("parameters", {})


def ingest_settings(spec: Spec) -> DataConfig | None:
    """Returns the section `data` that a spec was compiled with; None of a spec without our ingest."""
    settings = _settings_of(spec, INGEST)
    return DataConfig.model_validate_json(settings) if isinstance(settings, str) else None


def challenge_settings(spec: Spec) -> list[ChallengeConfig]:
    """Returns the challenges that a spec was compiled with."""
    settings = _settings_of(spec, "ChallengeExampleGen")
    return settings_from_json(settings) if isinstance(settings, str) else []


def _settings_of(spec: Spec, task: str) -> Json:
    parameters = spec["root"]["dag"]["tasks"].get(task, {}).get("inputs", {}).get("parameters", {})
    return parameters.get("settings", {}).get("runtimeValue", {}).get("constant")


def check_values(spec: Spec, texts: Iterable[str]) -> dict[str, Json]:
    """Reads values from `name=value` each, of which the later wins; every parameter has one then, or a default.

    Raises:
      ParameterError: the spec has no such parameter, a value is not of its type or out of bounds, or one has no value.
    """
    values = parse_values(spec, texts)
    missing = [
        name
        for name, definition in definitions(spec).items()
        if name not in values and "defaultValue" not in definition and not definition.get("isOptional")
    ]
    if missing:
        raise ParameterError(
            f"Each parameter without a default must have a value. Received: none for {', '.join(missing)}. "
            f"Give {' '.join(f'--parameter {name}=...' for name in missing)}, or compile with defaults."
        )
    return values


def parse_values(spec: Spec, texts: Iterable[str]) -> dict[str, Json]:
    """Reads values from `name=value` each, of which the later wins.

    Raises:
      ParameterError: the spec has no such parameter, or a value is not of its type or out of bounds.
    """
    known = definitions(spec)
    values: dict[str, Json] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if name not in known or not equals:
            names = ", ".join(known) or "none"
            raise ParameterError(
                f"--parameter must be NAME=VALUE, with a name of the spec. Received: {text}. Give one of {names}."
            )
        word, read = _TYPES.get(known[name]["parameterType"], _TYPES["STRING"])
        try:
            values[name] = read(value)
        except ValueError as error:
            raise ParameterError(f"The parameter {name} must be {word}. Received: {value}. Give another.") from error
    ours = {item.name for item in PARAMETERS if item.setting and not item.optional}
    if ours <= {*known}:  # the compiled pipeline, and nobody else's
        check_bounds(values)
    return values


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError("of another type")
    number = int(text)
    if abs(number) > _MOST_EXACT:
        raise ValueError("too large for the messages of Kubeflow Pipelines, whose numbers are doubles")
    return number


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):  # Python takes more, as nan and 1_000
        raise ValueError("of another type")
    return _finite(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("JSON has none")
    return number


def _json(kind: type) -> Callable[[str], Json]:
    def read(text: str) -> Json:
        try:
            value: Json = json.loads(text, parse_float=_finite, parse_constant=_finite)
        except RecursionError as error:
            raise ValueError("nested too deep") from error
        if not isinstance(value, kind):
            raise ValueError("of another type")
        return value

    return read


_TYPES: dict[str, tuple[str, Callable[[str], Json]]] = {
    "STRING": ("a text", str),
    "NUMBER_INTEGER": ("a whole number", _whole),
    "NUMBER_DOUBLE": ("a number", _number),
    "BOOLEAN": ("true or false", _json(bool)),
    "LIST": ("a list as JSON", _json(list)),
    "STRUCT": ("a mapping as JSON", _json(dict)),
}
