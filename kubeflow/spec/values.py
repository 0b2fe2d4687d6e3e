"""The values of a run's parameters, held to the spec before anything is sent or run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kubeflow.spec.parameters import PARAMETERS, ParameterError, check_bounds
from kubeflow.spec.pipeline_spec import Spec


def definitions(spec: Spec) -> Mapping[str, Any]:
    """What a spec says of its parameters, by name."""
    return spec["root"].get("inputDefinitions", {}).get("parameters", {})


def check_values(spec: Spec, texts: Iterable[str]) -> dict[str, Any]:
    """Values from `name=value` each, of which the later wins; every parameter has one then, or a default.

    Raises:
      ParameterError: the spec has no such parameter, a value is not of its type or out of bounds, or one is not said.
    """
    values = parse_values(spec, texts)
    missing = [
        name
        for name, one in definitions(spec).items()
        if name not in values and "defaultValue" not in one and not one.get("isOptional")
    ]
    if missing:
        raise ParameterError(
            f"Every parameter without a default is said. Received: nothing for {', '.join(missing)}. "
            f"Give {' '.join(f'--parameter {name}=...' for name in missing)}, or compile with defaults."
        )
    return values


def parse_values(spec: Spec, texts: Iterable[str]) -> dict[str, Any]:
    """Values from `name=value` each, of which the later wins.

    Raises:
      ParameterError: the spec has no such parameter, or a value is not of its type or out of bounds.
    """
    known, values = definitions(spec), {}
    for text in texts:
        name, equals, value = text.partition("=")
        if name not in known or not equals:
            names = ", ".join(known) or "none"
            raise ParameterError(f"A parameter is NAME=VALUE. Received: {text}. The spec's names: {names}.")
        word, read = _TYPES.get(known[name]["parameterType"], _TYPES["STRING"])
        try:
            values[name] = read(value)
        except ValueError as error:
            raise ParameterError(f"The parameter {name} is a {word}. Received: {value}.") from error
    if {one.name for one in PARAMETERS if one.setting} <= {*known}:  # the compiled pipeline, and nobody else's
        check_bounds(values)
    return values


def _whole(text: str) -> int:
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("JSON has none")
    return number


def _json(kind: type) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            value = json.loads(text)
        except RecursionError as error:
            raise ValueError("nested too deep") from error
        if not isinstance(value, kind):
            raise ValueError("of another type")
        return value

    return read


_TYPES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "STRING": ("text", str),
    "NUMBER_INTEGER": ("whole number", _whole),
    "NUMBER_DOUBLE": ("number", _number),
    "BOOLEAN": ("true or false", _json(bool)),
    "LIST": ("list as JSON", _json(list)),
    "STRUCT": ("mapping as JSON", _json(dict)),
}
