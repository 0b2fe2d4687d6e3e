"""The shape of a pipeline spec: what is a mapping, a list or a text in it, by kfp's own proto."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?s")
_STRUCT, _VALUE, _DURATION = (f"google.protobuf.{name}" for name in ("Struct", "Value", "Duration"))
_WORDS = {
    dict: "a mapping",
    list: "a list",
    str: "a text",
    bool: "true or false",
    float: "a number",
    int: "a whole number",
}
_KINDS = {
    FieldDescriptor.CPPTYPE_STRING: str,
    FieldDescriptor.CPPTYPE_BOOL: bool,
    FieldDescriptor.CPPTYPE_DOUBLE: float,
    FieldDescriptor.CPPTYPE_INT32: int,
}


def find_misshapen(spec: Any) -> list[str]:
    """What in a spec is of another kind than it must be, a line each; what the proto does not know is left alone."""
    from kfp.pipeline_spec import pipeline_spec_pb2 as proto  # with most of kfp

    faults = [*_check(spec, proto.PipelineSpec.DESCRIPTOR, "")]
    if not faults:
        faults += _check(spec.get("deploymentSpec", {}), proto.PipelineDeploymentConfig.DESCRIPTOR, "deploymentSpec")
    return faults


def _check(value: Any, shape: Descriptor, place: str) -> Iterator[str]:
    if wrong := [*_check_kind(value, dict, place or "the spec")]:
        yield from wrong
        return
    for field in shape.fields:
        if field.json_name in value:
            yield from _check_field(value[field.json_name], field, f"{place}.{field.json_name}".lstrip("."))


def _check_field(value: Any, field: FieldDescriptor, place: str) -> Iterator[str]:
    if not field.is_repeated:
        yield from _check_one(value, field, place)
        return
    entry = field.message_type if field.message_type and field.message_type.GetOptions().map_entry else None
    if wrong := [*_check_kind(value, dict if entry else list, place)]:
        yield from wrong
    elif entry:
        for name, one in value.items():
            yield from _check_kind(name, str, f"the name {name} in {place}")
            yield from _check_one(one, entry.fields_by_name["value"], f"{place}.{name}")
    else:
        for number, one in enumerate(value):
            yield from _check_one(one, field, f"{place}[{number}]")


def _check_one(value: Any, field: FieldDescriptor, place: str) -> Iterator[str]:
    shape = field.message_type
    if field.enum_type is not None:
        if not isinstance(value, str) or value not in field.enum_type.values_by_name:
            yield f"{place} is one of {', '.join(field.enum_type.values_by_name)}; received {_short(value)}"
    elif shape is None:
        yield from _check_kind(value, _KINDS.get(field.cpp_type, object), place)
    elif shape.full_name == _STRUCT:
        yield from _check_kind(value, dict, place)
    elif shape.full_name == _DURATION:
        if not isinstance(value, str) or not _SECONDS.fullmatch(value):
            yield f"{place} is seconds, as 30s; received {_short(value)}"
    elif shape.full_name != _VALUE:
        yield from _check(value, shape, place)


def _check_kind(value: Any, kind: type, place: str) -> Iterator[str]:
    wanted = (int, float) if kind is float else kind
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind in (int, float)):
        yield f"{place} is {_WORDS[kind]}; received {_short(value)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
