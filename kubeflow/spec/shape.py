"""Checks the shape of specs and platform documents by kfp's own protos: what is a mapping, a list or a text in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from kfp.pipeline_spec import pipeline_spec_pb2 as proto

from kubeflow.spec.messages import Json, Spec

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
    FieldDescriptor.CPPTYPE_INT64: int,
}
# Of a spec, what the proto does not know is left. A server refuses a platform document with an unknown field.
_CLOSED_PACKAGES = {"kfp_kubernetes"}
_CLOSED = {"PlatformSpec", "SinglePlatformSpec", "PlatformDeploymentConfig", "PipelineConfig"}


def find_misshapen(spec: Spec) -> list[str]:
    """Lists what in a spec is of another kind than it must be, a line each; what the proto does not know is left."""
    document = cast(Json, spec)
    faults = [*find_wrong(document, proto.PipelineSpec.DESCRIPTOR, "")]
    if not faults:
        deployment = cast(Json, spec.get("deploymentSpec", {}))
        faults += find_wrong(deployment, proto.PipelineDeploymentConfig.DESCRIPTOR, "deploymentSpec")
    return faults


def find_wrong(value: Json, shape: Descriptor, path: str) -> Iterator[str]:
    """Yields what in a JSON value is of another kind than in a message, a line each with its path."""
    if not isinstance(value, dict):
        yield _wrong(value, dict, path or "the spec")
        return
    if shape.file.package in _CLOSED_PACKAGES or shape.name in _CLOSED:
        known = {name for field in shape.fields for name in (field.json_name, field.name)}
        for name in sorted({*map(str, value)} - known):
            yield f"{path}.{name} must be a field of {shape.name}; its fields: ".lstrip(".") + ", ".join(
                field.json_name for field in shape.fields
            )
    for field in shape.fields:
        if field.json_name in value:
            yield from _check_field(value[field.json_name], field, f"{path}.{field.json_name}".lstrip("."))


def _check_field(value: Json, field: FieldDescriptor, path: str) -> Iterator[str]:
    if not field.is_repeated:
        yield from _check_value(value, field, path)
    elif field.message_type and field.message_type.GetOptions().map_entry:
        if not isinstance(value, dict):
            yield _wrong(value, dict, path)
            return
        for name, item in value.items():
            yield from _check_kind(name, str, f"the name {name} in {path}")
            yield from _check_value(item, field.message_type.fields_by_name["value"], f"{path}.{name}")
    elif not isinstance(value, list):
        yield _wrong(value, list, path)
    else:
        for number, item in enumerate(value):
            yield from _check_value(item, field, f"{path}[{number}]")


def _check_value(value: Json, field: FieldDescriptor, path: str) -> Iterator[str]:
    shape = field.message_type
    if field.enum_type is not None:
        if not isinstance(value, str) or value not in field.enum_type.values_by_name:
            yield f"{path} must be one of {', '.join(field.enum_type.values_by_name)}; received {_short(value)}"
    elif field.cpp_type == FieldDescriptor.CPPTYPE_INT64 and isinstance(value, str) and value.isdecimal():
        return  # as JSON of protos has whole numbers of 64 bits
    elif shape is None:
        yield from _check_kind(value, _KINDS.get(field.cpp_type, object), path)
    elif shape.full_name == _STRUCT:
        yield from _check_kind(value, dict, path)
    elif shape.full_name == _DURATION:
        if not isinstance(value, str) or not _SECONDS.fullmatch(value):
            yield f"{path} must be seconds, as 30s; received {_short(value)}"
    elif shape.full_name != _VALUE:
        yield from find_wrong(value, shape, path)


def _check_kind(value: Json, kind: type, path: str) -> Iterator[str]:
    if kind is int and isinstance(value, float) and value.is_integer():
        return  # `10.0`, as kfp writes whole numbers of a platform document
    kinds = (int, float) if kind is float else kind
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind in (int, float)):
        yield _wrong(value, kind, path)


def _wrong(value: Json, kind: type, path: str) -> str:
    return f"{path} must be {_WORDS[kind]}; received {_short(value)}"


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
