"""Saves SavedModels whose bytes depend on their computation alone.

TensorFlow numbers functions and what they capture by a counter of the process, and writes into each call of a function
how the process was configured: the options of its graphs, its devices, the addresses of its fellow workers. So the same
model, saved twice, has two digests. Here functions are numbered in the order in which the model reaches them, and calls
are configured as TensorFlow does by itself. `fingerprint.pb`, which has a random UUID and is no part of the digest, is
removed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import Message
from tensorflow.core.framework import attr_value_pb2, function_pb2, node_def_pb2
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, saved_model_pb2

_USER_NAME = "_user_specified_name"  # a captured variable is called by its number
_SHARED_NAME = "shared_name"  # the name of a resource in a process; the loader adds its counter
_CONFIGURATION = "config_proto"  # of a call; TensorFlow gives functions soft placement by default
_UNCONFIGURED = config_pb2.ConfigProto(allow_soft_placement=True).SerializeToString()
_LOADED = re.compile(rb"(.*_load)_\d+", re.DOTALL)
_NUMBERED = re.compile(r"(.*)_\d+", re.DOTALL)


def save(module: tf.Module, folder: str | Path, signatures: Any = None) -> None:
    """Writes a SavedModel, without the line in which TensorFlow says so; arguments as of `tf.saved_model.save`."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        tf.saved_model.save(module, str(folder), signatures)
    finally:
        logger.setLevel(level)
    make_canonical(folder)


def make_canonical(saved_model: str | Path) -> None:
    """Rewrites `saved_model.pb` in place: numbers and sorts functions by their use in the model, and resets calls."""
    file = Path(saved_model) / "saved_model.pb"
    parsed = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta_graph in parsed.meta_graphs:
        library = meta_graph.graph_def.library
        _configure_calls(meta_graph.graph_def.node)
        for function in library.function:
            _configure_calls(function.node_def)
            _rename_captures(function)
        functions = {function.signature.name: function for function in library.function}
        names: dict[str, str] = {}
        for name in _reached(meta_graph, functions):
            stem = match[1] if (match := _NUMBERED.fullmatch(name)) else name
            names.setdefault(name, f"{stem}_{len(names)}")
        _rename(meta_graph, names)
        ordered = sorted(library.function, key=lambda function: function.signature.name)
        del library.function[:]
        library.function.extend(ordered)
        _rename_resources(library.function)
    file.write_bytes(parsed.SerializeToString(deterministic=True))
    (file.parent / "fingerprint.pb").unlink(missing_ok=True)


def _configure_calls(nodes: Iterable[node_def_pb2.NodeDef]) -> None:
    for node in nodes:
        if _CONFIGURATION in node.attr:
            node.attr[_CONFIGURATION].s = _UNCONFIGURED


def _rename_captures(function: function_pb2.FunctionDef) -> None:
    """Numbers a function's arguments by their positions."""
    arguments = function.signature.input_arg
    taken = {node.name for node in function.node_def}
    names = {}
    for position, argument in enumerate(arguments):
        if match := _NUMBERED.fullmatch(argument.name):
            new = f"{match[1]}_{position}"
            while new in taken:
                new += "_"
            taken.add(new)
            names[argument.name] = new
            argument.name = new
        else:
            taken.add(argument.name)
        user_name = function.arg_attr[position].attr[_USER_NAME] if position in function.arg_attr else None
        if user_name is not None and user_name.s.isdigit():
            user_name.s = str(position).encode()
    for node in function.node_def:
        for position, source in enumerate(node.input):
            control, bare = ("^", source[1:]) if source.startswith("^") else ("", source)
            name, colon, output = bare.partition(":")
            if name in names:
                node.input[position] = f"{control}{names[name]}{colon}{output}"
    for output, source in function.ret.items():
        if source in names:
            function.ret[output] = names[source]


def _rename_resources(functions: Iterable[function_pb2.FunctionDef]) -> None:
    """Numbers the encoder's resources in the order in which they are first made."""
    names: dict[bytes, bytes] = {}
    for function in functions:
        for node in function.node_def:
            if _SHARED_NAME in node.attr and (match := _LOADED.fullmatch(node.attr[_SHARED_NAME].s)):
                node.attr[_SHARED_NAME].s = names.setdefault(match[0], match[1] + b"_%d" % len(names))


def _reached(meta_graph: meta_graph_pb2.MetaGraphDef, functions: dict[str, function_pb2.FunctionDef]) -> Iterator[str]:
    """Yields the names of all functions in an order that depends on no name, except for unreached functions."""
    seen: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name in functions and name not in seen:
            seen.add(name)
            yield name
            for node in functions[name].node_def:
                for called in _called(node):
                    yield from visit(called)

    roots: list[str] = []
    for node in meta_graph.object_graph_def.nodes:
        roots += node.function.concrete_functions
        roots.append(node.bare_concrete_function.concrete_function_name)
    for node in meta_graph.graph_def.node:
        roots += _called(node)
    for name in [*roots, *sorted(functions)]:
        yield from visit(name)


def _called(node: node_def_pb2.NodeDef) -> Iterator[str]:
    yield node.op
    for _, value in sorted(node.attr.items()):
        yield from _functions_of(value)


def _functions_of(value: attr_value_pb2.AttrValue) -> Iterator[str]:
    for function in (value.func, *value.list.func):
        if function.name:
            yield function.name
            for _, inner in sorted(function.attr.items()):
                yield from _functions_of(inner)


def _rename(message: Message, names: dict[str, str]) -> None:
    """Replaces each string anywhere in `message` that is one of the names."""
    for field, value in message.ListFields():
        if field.message_type and field.message_type.GetOptions().map_entry:
            _rename_map(field, value, names)
        elif field.type == field.TYPE_STRING:
            if field.is_repeated:
                value[:] = [names.get(text, text) for text in value]
            elif value in names:
                setattr(message, field.name, names[value])
        elif field.type == field.TYPE_MESSAGE:
            for inner in value if field.is_repeated else [value]:
                _rename(inner, names)


def _rename_map(field, value, names: dict[str, str]) -> None:
    inner = field.message_type.fields_by_name["value"]
    is_message = inner.type == inner.TYPE_MESSAGE
    for key in [*value]:
        if is_message:
            _rename(value[key], names)
        elif value[key] in names:
            value[key] = names[value[key]]
    if not names.keys() & set(value):
        return
    renamed = {names.get(key, key): type(value[key]).FromString(value[key].SerializeToString()) for key in value}
    for key in [*value]:
        del value[key]
    for key, entry in renamed.items():
        value[key].CopyFrom(entry)
