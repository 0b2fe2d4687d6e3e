"""Reads and quotes JSON as TF Serving does, with its leniency, its refusals and its messages."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re

from serving.json_value import JsonObject, JsonValue
from serving.server.errors import ServingError, invalid_argument

#: Above this many digits an integer is no double any more; Python's own integers know no limit.
_MAX_DIGITS = 308

_MESSAGES = (
    ("Expecting property name", "Missing a name for object member."),
    ("Illegal trailing comma", "Missing a name for object member."),
    ("Expecting ':'", "Missing a colon after a name of object member."),
    ("Unterminated string", "Missing a closing quotation mark in string."),
    ("Invalid control character", "Invalid encoding in string."),
    ("Invalid \\uXXXX escape", "Incorrect hex digit after \\u escape in string."),
    ("Invalid \\escape", "Invalid escape character in string."),
    ("Expecting value", "Invalid value."),
)
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def parse_object(body: bytes) -> JsonObject:
    """Reads a request's body, which must be one JSON object.

    As TF Serving does, it takes bytes that are no UTF-8 as they are, and NaN and Infinity. Of a name that comes twice,
    the first counts.

    Raises:
      ServingError: INVALID_ARGUMENT, it is none.
    """
    if not body:
        raise _parse_error("The document is empty", 0)
    text = body.decode("utf-8", "surrogateescape")
    try:
        value = _decode(text)
    except json.JSONDecodeError as error:
        raise _parse_error(_reason(text, error), len(text[: error.pos].encode("utf-8", "surrogateescape"))) from error
    except RecursionError as error:
        raise _parse_error("Terminate parsing due to Handler error.", 0) from error
    if not isinstance(value, dict):
        raise invalid_argument(f"JSON Value: {debug_text(value)} Is not object")
    return value


def text_bytes(text: str) -> bytes:
    """Returns the bytes of a string of the request.

    Raises:
      ServingError: INVALID_ARGUMENT, half a surrogate pair.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise _parse_error("The surrogate pair in string is invalid.", 0) from error


def is_base64(value: JsonValue) -> bool:
    """Returns whether the value is `{"b64": "..."}`."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def decode_base64(value: JsonValue) -> bytes:
    """Returns the bytes of `{"b64": "..."}`.

    Raises:
      ServingError: INVALID_ARGUMENT, it is no such thing.
    """
    text = value.get("b64") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(text, str):
        raise invalid_argument(f"JSON Value: {debug_text(value)} not formatted correctly for base64 data")
    encoded = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_argument("Unable to base64 decode") from error


def type_name(value: JsonValue) -> str:
    """Returns the kind of a JSON value, as messages name it."""
    if value is None or isinstance(value, bool):
        return {None: "Null", True: "True", False: "False"}[value]
    kinds: dict[type, str] = {dict: "Object", list: "Array", str: "String"}
    return kinds.get(type(value), "Number")


def debug_text(value: JsonValue, level: int = 0) -> str:
    """Returns a value as messages quote it: objects over several lines, lists on one."""
    if isinstance(value, dict) and value:
        inner, outer = "\n" + "    " * (level + 1), "\n" + "    " * level
        members = (f"{_dump(name)}: {debug_text(member, level + 1)}" for name, member in value.items())
        return "{" + inner + ("," + inner).join(members) + outer + "}"
    if isinstance(value, list):
        return "[" + ", ".join(debug_text(element, level + 1) for element in value) + "]"
    return _dump(value)


def to_body(value: JsonValue) -> bytes:
    """Returns the body of a response. Strings of a model that are not UTF-8 are sent as they are."""
    return _dump(value).encode("utf-8", "surrogateescape")


def _dump(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)


def _parse_error(reason: str, offset: int) -> ServingError:
    return invalid_argument(f"JSON Parse error: {reason} at offset: {offset}")


def _reason(text: str, error: json.JSONDecodeError) -> str:
    if error.msg.startswith("Expecting ','"):
        depth = []
        for token in _STRING_OR_BRACKET.findall(text[: error.pos]):
            if token in "[{":
                depth.append(token)
            elif token in "]}" and depth:
                depth.pop()
        if depth and depth[-1] == "[":
            return "Missing a comma or ] after an array element."
        return "Missing a comma or } after an object member."
    return next((message for start, message in _MESSAGES if error.msg.startswith(start)), error.msg)


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise json.JSONDecodeError("Number too big to be stored in double.", "", 0)
    return value


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise json.JSONDecodeError("Number too big to be stored in double.", "", 0)
    return int(text)


def _first_wins(members: list[tuple[str, JsonValue]]) -> JsonObject:
    found = dict(members)
    if len(found) < len(members):
        found = dict(reversed(members))
    return found


def _decode(text: str) -> JsonValue:
    """Reads one value and ignores the text after it, as TF Serving does."""
    start = len(text) - len(text.lstrip(" \t\r\n"))
    if start == len(text):
        raise json.JSONDecodeError("The document is empty.", text, start)
    value: JsonValue = _DECODER.raw_decode(text, start)[0]
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_first_wins, parse_float=_number, parse_int=_integer)
