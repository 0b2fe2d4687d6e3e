"""Edits a hand-written schema.pbtxt: what has not changed stays as it is, and comments stay with their fields."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tensorflow_metadata.proto.v0 import schema_pb2

_TOKENS = re.compile(
    r"(?P<comment>#[^\n]*)"
    r"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"  # a # or a brace in a string is neither
    r"|(?P<open>[{<])|(?P<close>[}>])|(?P<name>[A-Za-z_]\w*)(?=\s*[:{<])|(?P<newline>\n)"
)

_NAMED = ("feature", "string_domain")
"""The fields of a schema that are edited in place, known by their names."""

_FieldPath = tuple[str, ...]


class _Block(NamedTuple):
    """A message of the file's top level."""

    field: str
    start: int
    end: int
    order: list[_FieldPath]
    """The fields inside, in the order in which they are written."""
    comments: dict[_FieldPath, list[str]]
    """What is written above or beside each of them."""


def parse_schema(text: str) -> schema_pb2.Schema:
    """Parses a schema.

    Raises:
      google.protobuf.text_format.ParseError: the text is no schema.
    """
    return text_format.Parse(text, schema_pb2.Schema())


def edit_schema(text: str, updated: schema_pb2.Schema) -> str:
    """Makes as small a change as it can to a schema with comments.

    Args:
      text: the schema as it is written.
      updated: the new schema.

    Returns:
      Text that parses to `updated`. A feature or a domain that has changed is written anew: its fields in the order
      they had, each comment above the field that it was about. If that does not do, the whole schema is written anew,
      below all its comments.
    """
    current = parse_schema(text)
    edited, at = "", 0
    seen: Counter[str] = Counter()
    for block in _blocks(text):
        if block.field not in _NAMED:
            continue
        old = getattr(current, block.field)[seen[block.field]]
        seen[block.field] += 1
        new = _find(updated, block.field, old.name)
        if new != old:
            edited += text[at : block.start] + ("" if new is None else "\n".join(_written(block.field, new, block)))
            at = block.end
    edited += text[at:]
    for field in _NAMED:
        for new in getattr(updated, field):
            if _find(current, field, new.name) is None:
                edited += "\n" + "\n".join(_written(field, new)) + "\n"
    return edited if parse_schema(edited) == updated else _written_anew(text, updated)


def _blocks(text: str) -> Iterator[_Block]:
    path: list[str] = []
    name, start = "", 0
    order: list[_FieldPath] = []
    comments: defaultdict[_FieldPath, list[str]] = defaultdict(list)
    waiting: list[str] = []  # comments of the field that comes next
    is_new_line = True
    for token in _TOKENS.finditer(text):
        if token.lastgroup == "comment" and path:
            (waiting if is_new_line else comments[order[-1]]).append(token.group())
        elif token.lastgroup == "name":
            name = token.group()
            if not path:
                start, order, comments, waiting = token.start(), [], defaultdict(list), []
            order.append((*path, name))
            comments[order[-1]] += waiting
            waiting = []
        elif token.lastgroup == "open":
            path.append(name)
        elif token.lastgroup == "close":
            comments[tuple(path)] += waiting  # nothing follows: they are about the message
            waiting = []
            field = path.pop()
            if not path:
                yield _Block(field, start, token.end(), order, comments)
        is_new_line = token.lastgroup == "newline"


def _written(field: str, message: Message, block: _Block | None = None) -> list[str]:
    """Returns a message of the top level as lines."""
    order = block.order if block else []
    comments = dict(block.comments) if block else {}
    lines = list(_lines(field, message, order, comments))
    # Of fields that are gone.
    return [comment for left in comments.values() for comment in left] + lines


def _lines(
    field: str,
    message: Message,
    order: list[_FieldPath],
    comments: dict[_FieldPath, list[str]],
    parents: _FieldPath = (),
) -> Iterator[str]:
    """Yields the lines of a message; removes from `comments` those that it writes."""
    path, indent = (*parents, field), "  " * len(parents)

    def position(entry: tuple[FieldDescriptor, object]) -> int:
        inner = (*path, entry[0].name)
        return order.index(inner) if inner in order else len(order)

    entries = sorted(message.ListFields(), key=position)
    yield from (indent + comment for comment in comments.pop(path, []))
    if not entries:
        yield f"{indent}{field} {{}}"
        return
    yield f"{indent}{field} {{"
    for descriptor, value in entries:
        for item in value if descriptor.is_repeated else [value]:
            if isinstance(item, Message):
                yield from _lines(descriptor.name, item, order, comments, path)
            else:
                yield from (f"{indent}  {comment}" for comment in comments.pop((*path, descriptor.name), []))
                yield f"{indent}  {_scalar(descriptor, item)}"
    yield f"{indent}}}"


def _scalar(descriptor: FieldDescriptor, value: object) -> str:
    out = text_format.TextWriter(as_utf8=True)
    text_format.PrintField(descriptor, value, out, as_utf8=True, as_one_line=True)
    return out.getvalue().strip()


def _find(schema: schema_pb2.Schema, field: str, name: str) -> Message | None:
    return next((message for message in getattr(schema, field) if message.name == name), None)


def _written_anew(text: str, updated: schema_pb2.Schema) -> str:
    comments = [token.group() for token in _TOKENS.finditer(text) if token.lastgroup == "comment"]
    return "\n".join([*comments, "", text_format.MessageToString(updated, as_utf8=True)])
