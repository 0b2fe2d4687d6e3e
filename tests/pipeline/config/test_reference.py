"""Every setting is described, and docs/configuration.md is what the settings say."""

from __future__ import annotations

import re
from pathlib import Path

import pydantic
import pytest

from pipeline.config.kubeflow_tasks import TaskConfig
from pipeline.config.pipeline_config import PipelineConfig, load_config
from pipeline.config.reference import as_markdown, describe_config

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_page_is_what_the_settings_say():
    assert PAGE.read_text(encoding="utf-8") == as_markdown(), (
        "type `clickbait config --markdown > docs/configuration.md`"
    )


def leaf_keys(model, prefix=""):
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, pydantic.BaseModel):
            yield from leaf_keys(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_every_key_is_described():
    settings = {setting.key: setting for setting in describe_config(load_config())}
    assert list(settings) == list(leaf_keys(PipelineConfig))
    values = load_config().model_dump()
    for key, value, _, description in settings.values():
        assert description.endswith("."), key
        section, _, leaf = key.rpartition(".")
        assert value == (values[section] if section else values)[leaf]


def test_every_field_of_a_task_is_described():
    page = as_markdown()
    for name, field in TaskConfig.model_fields.items():
        assert f"| `{name}` | " in page
        assert field.description.endswith("."), name
    assert "| `secret_env.*.key` | text, not empty | Key of the Secret. |" in page
    assert "| `node_affinity.*.match_expressions.*.operator` | one of In, " in page


@pytest.mark.parametrize(
    "setting", [s for s in describe_config(load_config()) if "number" in s.allowed], ids=lambda s: s.key
)
def test_every_number_has_a_unit(setting):
    units = r"rows?|epochs?|headlines|buckets?|share|seconds|milliseconds|GB|versions|characters|spans|lines|no unit"
    units += "|CPUs|GPUs|retries|workers|recipes"
    assert re.search(rf"\b({units})\b", f"{setting.description} {setting.key.replace('_', ' ')}", re.I)
    assert "at least" in setting.allowed or "above" in setting.allowed
