"""Values on their way: as the driver and the launcher write them into JSON, into commands and into ML Metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

from kubeflow.spec.messages import Json

_TRUTH = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "FALSE", "false", "False"), False
)
_JSON_OF_GO = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})
_MOST_DIGITS = 1e21  # from there on Go writes an exponent


def as_json(value: Json) -> Json:
    """Returns a value as JSON of protos has it: every number is a double, and a whole one is written without a point.

    Example:
        >>> as_json({"rows": 300.0, "share": [0.5, 1]})
        {'rows': 300, 'share': [0.5, 1]}
    """
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | float):
        number = float(value)
        whole = number.is_integer() and abs(number) < _MOST_DIGITS
        return int(Decimal(repr(number))) if whole else number  # the fewest digits that are that double, then zeros
    if isinstance(value, Mapping):
        return {name: as_json(item) for name, item in value.items()}
    return [as_json(item) for item in value]


def as_text(value: Json) -> str:
    """Returns a parameter as it stands in a command, and as a STRING has it that comes from another type."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return format(Decimal(repr(as_json(value))), "f")
    text = json.dumps(as_json(value), separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.translate(_JSON_OF_GO)


def from_text(text: str, kind: str) -> Json:
    """Reads a parameter that a container wrote into a file.

    Raises:
      ValueError: it is not of its type.
    """
    match kind:
        case "STRING":
            return text
        case "NUMBER_INTEGER":
            return int(text.strip())
        case "NUMBER_DOUBLE":
            return float(text.strip())
        case "BOOLEAN" if text.strip() in _TRUTH:
            return _TRUTH[text.strip()]
    value: Json = json.loads(text)
    if not isinstance(value, {"LIST": list, "STRUCT": dict}.get(kind, ())):
        raise ValueError(f"it is no {kind}")
    return value


def as_stored(value: Json) -> Json:
    """Returns a value of an artifact's metadata as ML Metadata keeps it.

    Raises:
      ValueError: it is null, which it cannot keep.
    """
    if value is None:
        raise ValueError("unknown/unsupported value type null")
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, list):
        return {"list": value}
    return {"struct": value} if isinstance(value, Mapping) else value
