"""Every setting, for a person: `clickbait config`, and docs/configuration.md."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import BaseModel, JsonValue

from pipeline.config.layers import ValueSchema, allowed, group_fields, inner_fields
from pipeline.config.pipeline_config import PipelineConfig, setting_schemas

_HEAD = """# Configuration

`clickbait config --markdown` writes this page from the settings themselves; `clickbait config` prints the values that a
preset, a file and `--set` lead to. Each layer wins over those before it: preset, `--config FILE`, environment
(`CLICKBAIT__TRAINING__EPOCHS=3`), `--set training.epochs=3`, and the flags of a command.
"""
_TABLE_HEAD = "| key | default | takes | meaning |\n|---|---|---|---|"
_FIELDS_HEAD = "| field | takes | meaning |\n|---|---|---|"


class Setting(NamedTuple):
    """One key of the configuration."""

    key: str
    value: JsonValue
    allowed: str
    description: str


def describe_config(config: PipelineConfig) -> list[Setting]:
    """Returns every key with its value in `config`, what it takes and its meaning, in the order of the model."""
    values: dict[str, JsonValue] = config.model_dump(mode="json")
    settings = []
    for key, schema in setting_schemas().items():
        section, _, leaf = key.rpartition(".")
        group = values[section] if section else values
        assert isinstance(group, dict)
        settings.append(Setting(key, group[leaf], allowed(schema), schema["description"]))
    return settings


def as_markdown() -> str:
    """Returns docs/configuration.md: a table a section, with the defaults."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    config = PipelineConfig()
    rows: dict[str, list[str]] = {}
    for setting in describe_config(config):
        row = _row(f"`{setting.key}`", f"`{json.dumps(setting.value)}`", setting.allowed, setting.description)
        rows.setdefault(setting.key.rpartition(".")[0], []).append(row)
    for section, lines in rows.items():
        model = getattr(config, section) if section else config
        assert isinstance(model, BaseModel)
        summary = inspect.getdoc(type(model)) if section else "What belongs to no section."
        yield "\n".join([f"## {section or 'At the top'}", "", summary or "", "", _TABLE_HEAD, *lines, ""])
        for key, schema in setting_schemas().items():
            if key.rpartition(".")[0] == section and (fields := inner_fields(schema)):
                yield "\n".join([f"### Fields of {key}", "", _FIELDS_HEAD, *_field_rows(fields), ""])


def _field_rows(fields: dict[str, ValueSchema], path: str = "") -> Iterator[str]:
    for name, schema in fields.items():
        yield _row(f"`{path}{name}`", allowed(schema), schema["description"])
        inner = next((option for option in schema.get("anyOf", []) if option.get("type") == "array"), schema)
        items = inner.get("items", {}).get("properties", {})
        yield from _field_rows(group_fields(schema) or items, f"{path}{name}.*.")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
