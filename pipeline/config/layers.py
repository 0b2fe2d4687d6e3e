"""The layers of a configuration: flat maps of dotted keys, each value with its source."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

import yaml
from pydantic import JsonValue

from serving.untrusted import compose_yaml

ENV_PREFIX = "CLICKBAIT__"
_MOST_FILE_BYTES = 1 << 20


class ValueSchema(TypedDict, total=False):
    """JSON schema of one value, as pydantic writes it (https://json-schema.org/draft/2020-12)."""

    type: str
    description: str
    default: JsonValue
    anyOf: list[ValueSchema]
    enum: list[str]
    pattern: str
    words: str
    minimum: float
    exclusiveMinimum: float
    maximum: float
    items: ValueSchema
    additionalProperties: ValueSchema
    properties: dict[str, ValueSchema]
    propertyNames: ValueSchema
    examples: list[JsonValue]


class Given(NamedTuple):
    """A value and the layer it came from."""

    value: object
    source: str


Layer = dict[str, Given]


class LayerReader:
    """Reads layers, and collects a message for each value that it refuses.

    Args:
        keys: dotted key -> JSON schema of its value.

    Attributes:
        problems: a line each, in the order of reading.
    """

    def __init__(self, keys: Mapping[str, ValueSchema]):
        self.problems: list[str] = []
        self._keys = keys
        self._sections = list(dict.fromkeys(key.partition(".")[0] for key in keys if "." in key))

    def file(self, path: Path, source: str) -> Layer:
        """Reads a YAML mapping with nested sections; a `preset` key is left to the caller."""
        try:
            if path.stat().st_size > _MOST_FILE_BYTES:
                raise yaml.MarkedYAMLError(problem=f"more than {_MOST_FILE_BYTES:,} bytes")
            root = _composed(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            self.problems.append(f"{source}: {_unreadable(error)}")
            return {}
        if not isinstance(root, yaml.MappingNode):
            received = "nothing" if root is None else shown(_from_node(root, {}))
            self.problems.append(
                f"{source}: must be a mapping such as `training: {{epochs: 3}}`. Received: {received}."
            )
            return {}
        layer: Layer = {}
        for key, node in self._leaves(root):
            if key in layer:
                self.problems.append(f"{key} ({source}): must be given once. Received: it twice. Keep one.")
            elif key == "preset":
                layer[key] = Given(_from_node(node, {"type": "string"}), source)
            else:
                self._put(layer, key, _from_node(node, self._keys.get(key, {})), source)
        return layer

    def environment(self, environ: Mapping[str, str]) -> Layer:
        """Reads variables named `CLICKBAIT__SECTION__KEY`, in any case."""
        layer: Layer = {}
        for name in sorted(environ):
            if name.upper().startswith(ENV_PREFIX):
                key = name[len(ENV_PREFIX) :].lower().replace("__", ".")
                value = _from_text(environ[name], self._keys.get(key, {}))
                self._put(layer, key, value, f"environment variable {name}")
        return layer

    def overrides(self, overrides: Sequence[str]) -> Layer:
        """Reads `key=value` each, of which the later wins."""
        layer: Layer = {}
        for override in overrides:
            key, equals, text = override.partition("=")
            key = key.strip()
            if equals and key:
                self._put(layer, key, _from_text(text, self._keys.get(key, {})), "--set")
            else:
                self.problems.append(f"--set: must be key=value, as in training.epochs=3. Received: {shown(override)}.")
        return layer

    def flags(self, flags: Mapping[str, object]) -> Layer:
        """Reads values that have their type already; None counts as not given."""
        layer: Layer = {}
        for key, value in flags.items():
            if isinstance(value, os.PathLike):
                value = os.fspath(value)
            elif isinstance(value, tuple):
                value = list(value)
            if value is not None:
                self._put(layer, key, value, "flag")
        return layer

    def _leaves(self, root: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
        for key_node, node in root.value:
            key = str(key_node.value)
            if key in self._sections and isinstance(node, yaml.MappingNode):
                yield from ((f"{key}.{leaf.value}", value) for leaf, value in node.value)
            elif key not in self._sections or not _is_null(node):  # an empty section says nothing
                yield key, node

    def _put(self, layer: Layer, key: str, value: object, source: str) -> None:
        if key in self._keys:
            layer[key] = put_over(layer.get(key), Given(value, source), self._keys[key])
            return
        if key in self._sections:
            problem = f"must be set by its keys. Received: {shown(value)}. {self._keys_of(key)}"
        elif key == "preset":
            problem = f"must be chosen with --preset, or by `preset:` in the file. Received: {shown(value)}."
        else:
            problem = f"must be an existing key. Received: {shown(value)}. {self._nearest(key)}"
        self.problems.append(f"{key} ({source}): {problem}")

    def _nearest(self, key: str) -> str:
        """Returns the way out for an unknown key: the nearest known key, else the valid keys."""
        wanted = key.lower().replace("-", "_")
        section, _, leaf = wanted.rpartition(".")
        siblings = {known.rpartition(".")[2]: known for known in self._keys if known.rpartition(".")[0] == section}
        matches = [siblings[name] for name in difflib.get_close_matches(leaf, siblings, n=1)]
        matches = matches or [known for known in self._keys if known.rpartition(".")[2] == leaf]
        groups = [known for known in self._keys if leaf in group_fields(self._keys[known])]
        if not matches and groups:
            inside = key.removeprefix(f"{groups[0]}.").rpartition(".")[0]
            group = inside if key.startswith(f"{groups[0]}.") and inside else "NAME"
            return f"Give {groups[0]}={{{group}: {{{leaf}: ...}}}}."
        if not matches and section not in self._sections:
            matches = difflib.get_close_matches(wanted, [*self._keys, *self._sections], n=1, cutoff=0.7)
        if matches:
            return f"Did you mean {' or '.join(matches)}?"
        return self._keys_of(section)

    def _keys_of(self, section: str) -> str:
        if section in self._sections:
            return f"Its keys: {', '.join(key for key in self._keys if key.startswith(f'{section}.'))}."
        top = [key for key in self._keys if "." not in key]
        return f"Valid keys: {', '.join(top)}; sections: {', '.join(self._sections)}."


def group_fields(schema: ValueSchema) -> dict[str, ValueSchema]:
    """Returns the fields of each value, by name, where a key takes a mapping to sections; else none."""
    return schema.get("additionalProperties", {}).get("properties", {})


def inner_fields(schema: ValueSchema) -> dict[str, ValueSchema]:
    """Returns the fields of each value, by name, where a key takes a mapping to sections or a list of them."""
    options = schema.get("anyOf", [schema])
    lists = (option["items"].get("properties", {}) for option in options if "items" in option)
    return group_fields(schema) or next(lists, {})


def put_over(lower: Given | None, upper: Given, schema: ValueSchema) -> Given:
    """Returns what a key has when `upper` is given after `lower`: it wins, in mappings to sections field by field."""
    if lower is None or not group_fields(schema):
        return upper
    source = upper.source if upper.source == lower.source else f"{lower.source}, {upper.source}"
    return Given(merge_groups(lower.value, upper.value), source)


def merge_groups(lower: object, upper: object) -> object:
    """Returns two mappings to mappings as one: `upper` wins, key by key of the inner ones; what is no mapping wins."""
    if not (isinstance(lower, Mapping) and isinstance(upper, Mapping)):
        return upper
    merged = {**lower, **upper}
    for name, below in lower.items():
        above = upper.get(name)
        if isinstance(below, Mapping) and isinstance(above, Mapping):
            merged[name] = {**below, **above}
    return merged


def shown(value: object) -> str:
    """Returns a value as a message shows it, in 80 characters at most."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def allowed(schema: ValueSchema) -> str:
    """Returns in words the values that a key takes."""
    if "anyOf" in schema:
        return " or ".join(allowed(option) for option in schema["anyOf"])
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}" if len(schema["enum"]) > 1 else schema["enum"][0]
    if "words" in schema:
        return schema["words"]
    if "pattern" in schema:
        return f"text that matches {schema['pattern']}"
    words = {
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "array": _allowed_list(schema),
        "object": _allowed_mapping(schema),
        "null": "null",
        "string": "text, not empty",
    }
    ends = [
        ("at least", schema.get("minimum")),
        ("above", schema.get("exclusiveMinimum")),
        ("at most", schema.get("maximum")),
    ]
    bounds = " and ".join(f"{word} {end:.15g}" for word, end in ends if end is not None)
    return ", ".join(filter(None, [words[schema["type"]], bounds]))


def schema_at(schema: ValueSchema, path: Sequence[str]) -> ValueSchema:
    """Returns the schema of what lies at a path in a value; an empty one where there is nothing."""
    for part in path:
        schema = next((option for option in schema.get("anyOf", []) if option.get("type") != "null"), schema)
        values = schema.get("items") or schema.get("additionalProperties") or ValueSchema()
        schema = schema["properties"].get(part, ValueSchema()) if "properties" in schema else values
    return schema


def _allowed_list(schema: ValueSchema) -> str:
    fields = schema.get("items", {}).get("properties")
    return f"a list of mappings of {', '.join(fields)}" if fields else "a list of texts"


def _allowed_mapping(schema: ValueSchema) -> str:
    if "examples" in schema:
        return f"a mapping such as {schema['examples'][0]}"
    if "properties" in schema:
        return f"a mapping of {', '.join(schema['properties'])}"
    values = schema.get("additionalProperties", {})
    if "properties" in values:
        return f"a mapping to mappings of {', '.join(values['properties'])}"
    if values.get("type") == "string":
        return "a mapping to texts"
    if "propertyNames" in schema:
        names = ", ".join(schema["propertyNames"]["enum"])
        return f"a mapping such as {{StatisticsGen: {{parallelism: 8}}}}, of {names}"
    if "anyOf" in values:
        return "a mapping such as {parallelism: 8}"
    if "enum" in values:
        return "a mapping such as {news: 0, clickbait: 1} that has both 0 and 1"
    return "a mapping"


# ---- YAML


class _Loader(yaml.SafeLoader):
    """YAML with the scalars of version 1.2: `4e-4` is a number, `010` is ten, `1:30` and dates stay text."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}


_SCALARS: dict[str, tuple[str, Callable[[str], object]]] = {
    "tag:yaml.org,2002:null": (r"(?:~|null|Null|NULL|)$", lambda text: None),
    # yes/no/on/off as in YAML 1.1: what people type for a switch.
    "tag:yaml.org,2002:bool": (r"(?i:true|yes|on|false|no|off)$", lambda text: text.lower() in ("true", "yes", "on")),
    "tag:yaml.org,2002:int": (r"[-+]?[0-9](?:_?[0-9])*$", int),
    "tag:yaml.org,2002:float": (r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", float),
}
for _tag, (_pattern, _) in _SCALARS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), None)


def _composed(text: str) -> yaml.Node | None:
    documents = compose_yaml(text, _Loader)
    if len(documents) > 1:
        raise yaml.MarkedYAMLError(problem="a second document begins", problem_mark=documents[1].start_mark)
    return documents[0] if documents else None


def _from_node(node: yaml.Node | None, schema: ValueSchema) -> object:
    """Returns the value of a YAML node for a key. Where the key takes text, `2020` stays text."""
    if node is None:
        return None
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _from_node(value, schema_at(schema, [str(key.value)])) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        options = schema.get("anyOf", [schema])
        items = next((option["items"] for option in options if "items" in option), ValueSchema())
        return [_from_node(item, items) for item in node.value]
    if _is_free_text(schema) and not _is_null(node):
        return node.value
    if node.value in schema.get("enum", ()):
        return node.value  # `off` as itself, not as YAML's false
    convert = _SCALARS.get(node.tag, ("", str))[1]
    try:
        return convert(node.value)
    except ValueError:  # an explicit tag that does not fit, as in `!!int three`
        return node.value


def _from_text(text: str, schema: ValueSchema) -> object:
    """Returns the value of a text from the environment or `--set` for a key."""
    if _is_free_text(schema):
        # Not parsed: a glob, a Windows path or a column named `yes` means itself.
        return None if _takes(schema, "null") and text.strip().lower() in ("", "~", "null") else text
    try:
        return _from_node(_composed(text), schema)
    except yaml.YAMLError:
        return text  # the type check refuses it and quotes it as it is


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")


def _is_free_text(schema: ValueSchema) -> bool:
    return _takes(schema, "string") and "enum" not in schema


def _takes(schema: ValueSchema, kind: str) -> bool:
    return any(option.get("type") == kind for option in schema.get("anyOf", [schema]))


def _unreadable(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"must be readable. Received: {error.strerror}. Give the path of a YAML file."
    if isinstance(error, UnicodeDecodeError):
        return "must be UTF-8 text. Received: other bytes. Give the path of a YAML file."
    mark = getattr(error, "problem_mark", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"must be YAML. Received: {getattr(error, 'problem', None) or 'an unreadable character'}{where}."
