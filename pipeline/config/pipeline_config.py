"""The configuration: one validated `PipelineConfig`, made of layers of which the later wins.

Layers: preset < file < environment (`CLICKBAIT__TRAINING__EPOCHS=3`) < `--set training.epochs=3` < the CLI's own flags.
"""

import difflib
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import cast

import yaml
from pydantic import Field, JsonValue, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from components.bulk_example_gen.settings import BulkConfig
from components.data_gate.policy import GateConfig
from components.evaluator.policy import EvaluationConfig
from components.headline_example_gen.settings import DataConfig
from components.local_infra_validator.policy import InfraConfig
from components.slices import NATURAL_SLICES
from components.versioned_pusher.settings import PushConfig
from pipeline.config.beam import BeamConfig
from pipeline.config.kubeflow import KubeflowConfig
from pipeline.config.layers import (
    Given,
    Layer,
    LayerReader,
    ValueSchema,
    allowed,
    inner_fields,
    put_over,
    schema_at,
    shown,
)
from pipeline.config.monitor import MonitorConfig
from pipeline.config.tracking import TrackingConfig
from trainer.section import Section
from trainer.settings import EncoderConfig, TrainingConfig, TunerConfig

PRESETS_DIR = Path(__file__).parent / "presets"


class ConfigError(Exception):
    """The configuration is invalid. The message holds every problem, one line each."""

    exit_code = 2


class PipelineConfig(Section):
    """All settings of a run. Made by `load_config`; frozen.

    Example:
        >>> load_config("article", overrides=["training.epochs=3"], environ={}).training.epochs
        3
    """

    model_name: str = Field(
        "clickbait",
        pattern="^[A-Za-z][A-Za-z0-9_-]*$",
        description="Name of the model in TF Serving and of its folder.",
    )
    output: str = Field("output", min_length=1, description="Folder that holds all that a run writes.")
    cache: bool = Field(True, description="Reuse finished components whose inputs and settings have not changed.")
    data: DataConfig = Field(default_factory=DataConfig)
    gate: GateConfig = Field(default_factory=GateConfig)
    encoder: EncoderConfig = Field(default_factory=EncoderConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    tuner: TunerConfig = Field(default_factory=TunerConfig)
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)
    infra: InfraConfig = Field(default_factory=InfraConfig)
    push: PushConfig = Field(default_factory=PushConfig)
    bulk: BulkConfig = Field(default_factory=BulkConfig)
    monitor: MonitorConfig = Field(default_factory=MonitorConfig)
    tracking: TrackingConfig = Field(default_factory=TrackingConfig)
    beam: BeamConfig = Field(default_factory=BeamConfig)
    kubeflow: KubeflowConfig = Field(default_factory=KubeflowConfig)

    _preset: str = PrivateAttr("default")

    @property
    def preset(self) -> str:
        """Name of the preset that the other layers lie on."""
        return self._preset

    def to_yaml(self) -> str:
        """Returns every value as YAML; `load_config(file=...)` reads it back to an equal configuration.

        `evaluation.bless_anyway` is left out: an override is for one run, and no later one may inherit it from a file.
        """
        values = {"preset": self.preset, **self.model_dump(exclude={"evaluation": {"bless_anyway"}})}
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)


def load_config(
    preset: str = "default",
    file: Path | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, object] = {},
    environ: Mapping[str, str] = os.environ,
) -> PipelineConfig:
    """Builds the configuration from its layers.

    Args:
        preset: name of a file in `presets/`. Left at "default", a file that names its own `preset:` decides.
        file: YAML mapping, sections nested; may name its base with `preset: article`.
        overrides: `key=value` each, the key dotted, the value a YAML scalar or list.
        flags: dotted key -> value; None means that the flag was not given.
        environ: variables named `CLICKBAIT__SECTION__KEY` count; case does not matter.

    Returns:
        The validated configuration.

    Raises:
        ConfigError: with all problems that were found, a line each.
    """
    reader = LayerReader(setting_schemas())
    problems = reader.problems
    file_layer = reader.file(Path(file), f"file {file}") if file is not None else {}
    preset = _choose_preset(preset, file_layer.pop("preset", None), problems)
    layers = [
        reader.file(PRESETS_DIR / f"{preset}.yaml", f"preset {preset}"),
        file_layer,
        reader.environment(environ),
        reader.overrides(overrides),
        reader.flags(flags),
    ]
    given: Layer = {}
    for layer in layers:
        for key, setting in layer.items():
            given[key] = put_over(given.get(key), setting, setting_schemas().get(key, {}))
    problems += _inherited(given)
    sections: dict[str, dict[str, object]] = {"": {}}
    for key, (value, _) in given.items():
        section, _, leaf = key.rpartition(".")
        sections.setdefault(section, {})[leaf] = value
    try:
        config = PipelineConfig.model_validate({**sections.pop(""), **sections})
        config._preset = preset
        problems += _slices_of_no_column(config, given)
    except ValidationError as error:
        problems += _refused_values(error, given, preset)
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigError(
            "\n".join([f"The configuration must be valid. Received: {count}:", *(f"  {p}" for p in problems)])
        )
    return config


@lru_cache(maxsize=1)
def setting_schemas() -> dict[str, ValueSchema]:
    """Returns the JSON schema of each key's value, by dotted key, in the order of the model."""
    schema = PipelineConfig.model_json_schema()
    schemas: dict[str, ValueSchema] = {}
    for name, prop in schema["properties"].items():
        resolved = cast(ValueSchema, _resolve(prop, schema["$defs"]))
        if "$ref" in prop:
            schemas.update({f"{name}.{leaf}": leaf_schema for leaf, leaf_schema in resolved["properties"].items()})
        else:
            schemas[name] = resolved
    return schemas


def _resolve(schema: JsonValue, definitions: dict[str, JsonValue]) -> JsonValue:
    """Returns a schema with its references replaced; values of a mapping, and choices, in one place each."""
    if isinstance(schema, list):
        return [_resolve(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(reference := schema.get("$ref"), str):
        return _resolve(definitions[reference.rpartition("/")[2]], definitions)
    if isinstance(by_pattern := schema.get("patternProperties"), dict):
        schema = {**schema, "additionalProperties": next(iter(by_pattern.values()))}
    if "const" in schema:
        schema = {**schema, "enum": [schema["const"]]}
    return {key: _resolve(value, definitions) for key, value in schema.items()}


def preset_names() -> list[str]:
    """Returns the names of the presets, sorted."""
    return sorted(path.stem for path in PRESETS_DIR.glob("*.yaml"))


def _choose_preset(preset: str, in_file: Given | None, problems: list[str]) -> str:
    name: object = preset
    source = "call"
    if in_file is not None:
        if preset in ("default", in_file.value):
            name, source = in_file
        else:
            problems.append(
                f"preset ({in_file.source}): must be that of the call, {shown(preset)}. "
                f"Received: {shown(in_file.value)}. Keep one of the two."
            )
    names = preset_names()
    if isinstance(name, str) and name in names:
        return name
    close = difflib.get_close_matches(name, names, n=1) if isinstance(name, str) else []
    hint = f" Did you mean {close[0]}?" if close else ""
    problems.append(f"preset ({source}): must be one of {', '.join(names)}. Received: {shown(name)}.{hint}")
    return "default"  # so that the problems of the other layers are found too


def _inherited(given: Layer) -> list[str]:
    """Refuses an override from a file or the environment, where the next run would inherit it."""
    key = "evaluation.bless_anyway"
    if key not in given or given[key].value is None or given[key].source in ("flag", "--set"):
        return []
    return [f"{key} ({given[key].source}): must be given for a single run. Take it out, and give --bless-anyway."]


def _slices_of_no_column(config: PipelineConfig, given: Layer) -> list[str]:
    """Refuses a bound on a slice that no section makes; each section alone cannot know."""
    key = "evaluation.min_slice_accuracy"
    features = {*NATURAL_SLICES, *config.data.slice_columns}
    names = [name for name in config.evaluation.min_slice_accuracy if name.partition("=")[0] not in features]
    if not names:
        return []
    value, source = given[key]
    expected = allowed(setting_schemas()[key])
    return [
        f"{key} ({source}): must be {expected}, or of columns in data.slice_columns. Received: {shown(value)}. "
        f"Add the column of {names[0]!r} there, or leave that out."
    ]


def _refused_values(error: ValidationError, given: Layer, preset: str) -> list[str]:
    # Keyed by dotted key: a list with two wrong items is one problem.
    lines: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        path = [str(part) for part in detail["loc"]]
        key = next((key for key in (".".join(path[:2]), path[0]) if key in setting_schemas()), None)
        if key is None:  # of a section as a whole, whose validator has the whole message
            lines[path[0]] = f"{path[0]}: {detail['ctx']['error']}"
            continue
        source = given[key].source if key in given else f"preset {preset}"
        inside = path[key.count(".") + 1 :]
        if inside and inner_fields(setting_schemas()[key]):
            place = ".".join([key, *inside]).removesuffix(".[key]")
            lines.setdefault(place, f"{place} ({source}): {_refused_field(key, inside, detail)}")
            continue
        received = shown(given[key].value) if key in given else "nothing"
        if detail["type"] == "value_error" and inner_fields(setting_schemas()[key]):  # of all the sections together
            lines[key] = f"{key} ({source}): {detail['ctx']['error']}. Received: {received}."
            continue
        lines[key] = f"{key} ({source}): must be {allowed(setting_schemas()[key])}. Received: {received}."
    return list(lines.values())


def _refused_field(key: str, inside: Sequence[str], detail: ErrorDetails) -> str:
    if detail["type"] == "value_error":  # of a validator of ours; without the value, which may be a secret
        return f"{str(detail['ctx']['error']).rstrip('.')}."
    if detail["type"] == "extra_forbidden":
        known = schema_at(setting_schemas()[key], inside[:-1]).get("properties", {})
        close = difflib.get_close_matches(inside[-1], known, n=1)
        way_out = f"Did you mean {close[0]}?" if close else f"Its fields: {', '.join(known)}."
        return f"must be an existing field. Received: {shown(detail['input'])}. {way_out}"
    if inside[-1] == "[key]":
        return f"must be a name that matches {detail['ctx']['pattern']}. Received: {shown(detail['input'])}."
    if detail["type"] == "missing":
        return "must be given. Received: nothing."
    return f"must be {allowed(schema_at(setting_schemas()[key], inside))}. Received: {shown(detail['input'])}."
