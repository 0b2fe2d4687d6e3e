"""The configuration: one validated `PipelineConfig`, made of layers of which the later wins.

Layers: preset < file < environment (`CLICKBAIT__TRAINING__EPOCHS=3`) < `--set training.epochs=3` < the CLI's own flags.
All layers are flat maps of dotted keys until the end, so that a value that is refused can name where it came from.
"""

import difflib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

PRESETS_DIR = Path(__file__).parent / "presets"
ENV_PREFIX = "CLICKBAIT__"


class ConfigError(Exception):
    """The configuration cannot be used. The message holds every problem, a line each."""

    exit_code = 2


class _Section(BaseModel):
    # Strict: "3" or True never passes for a number; what is text at its source is parsed before it gets here.
    # protected_namespaces: `model_name` is TF Serving's word, and no clash with pydantic's methods.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


class DataConfig(_Section):
    """Where the headlines come from and how they are split."""

    path: str | None = Field(
        None, min_length=1, description="CSV file, folder or glob; null: the fetched CSV, else the bundled sample."
    )
    text_column: str = Field("title", min_length=1, description="Name of the CSV column that holds the headline.")
    label_column: str = Field("label", min_length=1, description="Name of the CSV column that holds the label, 0 or 1.")
    limit_rows: int | None = Field(None, ge=10, description="Use at most this many rows; null: all rows.")
    train_buckets: int = Field(
        7,
        ge=1,
        le=99,
        description="Hash buckets of titles whose rows train; 7 buckets beside 3 are a 70/30 split.",
    )
    eval_buckets: int = Field(3, ge=1, le=99, description="Hash buckets of titles whose rows evaluate.")


class EncoderConfig(_Section):
    """The text encoder that is fine-tuned."""

    source: str = Field(
        "embedded",
        min_length=1,
        description="`embedded` (USE multilingual 3), a hub URL, a Kaggle handle, a SavedModel folder or a .tar.gz.",
    )
    offline: bool = Field(False, description="Never download: use the encoder cache or fail.")


class TrainingConfig(_Section):
    """The recipe. It has no defaults here: each preset spells it out whole."""

    fine_tune: bool = Field(description="Train the encoder's weights too; false: only the dense layer on top.")
    epochs: int = Field(ge=1, le=1000, description="Epochs: passes over the training rows.")
    batch_size: int = Field(ge=1, le=65536, description="Headlines per training step.")
    learning_rate: float = Field(gt=0, le=1, description="Adam's step size at the first step (a factor, no unit).")
    learning_rate_decay: Literal["constant", "linear"] = Field(
        description="How the learning rate goes on: `constant`, or `linear` down to 0 at the last step of the run."
    )
    optimizer: Literal["lazy_adam", "adam"] = Field(
        description="`lazy_adam` updates only the embedding rows of the batch; `adam` is Keras's."
    )
    casing: Literal["as_is", "lower", "augment"] = Field(
        description="Casing of the headlines: untouched, lower-cased (in the served model too), or varied in training."
    )
    length_buckets: int = Field(
        ge=1, le=32, description="Length buckets per shuffle window, so that batches pad less; 1 bucket: no bucketing."
    )
    shuffle_buffer_rows: int = Field(ge=1, le=10_000_000, description="Shuffle window, in rows; 1 row: no shuffling.")
    seed: int = Field(ge=0, le=2**31 - 1, description="Seed of weights, shuffling and casing (any number, no unit).")


class EvaluationConfig(_Section):
    """What a model must reach to be blessed."""

    min_eval_accuracy: float = Field(
        0.9846, ge=0, le=1, description="Least accuracy on the evaluation rows, as a share from 0 to 1."
    )
    min_train_accuracy: float = Field(
        0.9962, ge=0, le=1, description="Least accuracy on the training rows, as a share from 0 to 1."
    )
    min_eval_auc: float = Field(
        0.99, ge=0, le=1, description="Least area under the ROC curve on the evaluation rows, as a share from 0 to 1."
    )
    max_accuracy_drop: float = Field(
        0.0025,
        ge=0,
        le=1,
        description="How far evaluation accuracy may lie below the last blessed model's, as a share from 0 to 1. "
        "0.0025 is the 95 % half-width of an accuracy of 0.9846 on the article's 9,600 rows.",
    )
    batch_size: int = Field(256, ge=1, le=65536, description="Headlines scored at a time.")


class BeamConfig(_Section):
    """How Apache Beam runs the data components."""

    pipeline_args: list[str] = Field(
        default_factory=lambda: ["--direct_running_mode=in_memory", "--direct_num_workers=1"],
        description="Flags handed to Beam as they are.",
    )


class PipelineConfig(_Section):
    """Everything a run can be told. Made by `load_config`; frozen.

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
    encoder: EncoderConfig = Field(default_factory=EncoderConfig)
    training: TrainingConfig
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)
    beam: BeamConfig = Field(default_factory=BeamConfig)

    def to_yaml(self) -> str:
        """Every value as YAML; `load_config(file=...)` reads it back to an equal configuration."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False, allow_unicode=True, width=120)


class Setting(NamedTuple):
    """One key of the configuration, for help and documentation."""

    key: str
    type: str
    default: Any
    description: str


class _Given(NamedTuple):
    """A value and the layer it came from."""

    value: Any
    source: str


_Layer = dict[str, _Given]


def load_config(
    preset: str = "default",
    file: Path | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] = {},
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
    problems: list[str] = []
    file_layer = _read_yaml(Path(file), f"file {file}", problems) if file is not None else {}
    preset = _choose_preset(preset, file_layer.pop("preset", None), problems)
    layers = [
        _read_yaml(PRESETS_DIR / f"{preset}.yaml", f"preset {preset}", problems),
        file_layer,
        _environment_layer(environ, problems),
        _override_layer(overrides, problems),
        _flag_layer(flags, problems),
    ]
    given = {key: value for layer in layers for key, value in layer.items()}
    tree: dict[str, Any] = {}
    for key, (value, _) in given.items():
        section, _, leaf = key.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[leaf] = value
    config = None
    try:
        config = PipelineConfig.model_validate(tree)
    except ValidationError as error:
        problems += _refused_values(error, given, preset)
    if problems or config is None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigError("\n".join([f"The configuration cannot be used ({count}):", *(f"  {p}" for p in problems)]))
    return config


def preset_names() -> list[str]:
    """The presets that there are."""
    return sorted(path.stem for path in PRESETS_DIR.glob("*.yaml"))


def describe_config() -> list[Setting]:
    """Every key with what it takes, the default preset's value and its meaning, in the order of the model."""
    defaults = load_config(environ={}).model_dump()
    settings = []
    for key, schema in _keys().items():
        section, _, leaf = key.rpartition(".")
        default = (defaults[section] if section else defaults)[leaf]
        settings.append(Setting(key, _allowed(schema), default, schema["description"]))
    return settings


# ---- What the schema says


@lru_cache(maxsize=1)
def _keys() -> dict[str, dict[str, Any]]:
    """Dotted key -> JSON schema of its value."""
    schema = PipelineConfig.model_json_schema()
    keys: dict[str, dict[str, Any]] = {}
    for name, prop in schema["properties"].items():
        if "$ref" in prop:
            section = schema["$defs"][prop["$ref"].rpartition("/")[2]]
            keys.update({f"{name}.{leaf}": leaf_schema for leaf, leaf_schema in section["properties"].items()})
        else:
            keys[name] = prop
    return keys


def _sections() -> list[str]:
    return list(dict.fromkeys(key.partition(".")[0] for key in _keys() if "." in key))


def _allowed(schema: Mapping[str, Any]) -> str:
    """The values that a key takes, in words."""
    if "anyOf" in schema:
        return " or ".join(_allowed(option) for option in schema["anyOf"])
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if schema["type"] == "string" and "pattern" in schema:
        return f"text that matches {schema['pattern']}"
    words = {
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
        "array": "list of texts",
        "null": "null",
    }
    text = words.get(schema["type"], "text, not empty")
    bounds = [
        f"{word} {schema[bound]:g}" if isinstance(schema[bound], float) else f"{word} {schema[bound]}"
        for bound, word in {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most"}.items()
        if bound in schema
    ]
    return f"{text}, {' and '.join(bounds)}" if bounds else text


def _takes(schema: Mapping[str, Any], kind: str) -> bool:
    return any(option.get("type") == kind for option in schema.get("anyOf", [schema]))


def _is_free_text(schema: Mapping[str, Any]) -> bool:
    return _takes(schema, "string") and "enum" not in schema


# ---- What is read


class _Loader(yaml.SafeLoader):
    """YAML with the scalars of version 1.2: `4e-4` is a number, `010` is ten, `1:30` and dates stay text."""

    yaml_implicit_resolvers: dict[str | None, list] = {}


_SCALARS = {
    "tag:yaml.org,2002:null": (r"(?:~|null|Null|NULL|)$", lambda text: None),
    # yes/no/on/off as in YAML 1.1: what people type for a switch.
    "tag:yaml.org,2002:bool": (
        r"(?i:true|yes|on|false|no|off)$",
        lambda text: text.lower() in ("true", "yes", "on"),
    ),
    "tag:yaml.org,2002:int": (r"[-+]?[0-9](?:_?[0-9])*$", int),
    "tag:yaml.org,2002:float": (r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", float),
}
for _tag, (_pattern, _) in _SCALARS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), None)


def _from_node(node: yaml.Node | None, schema: Mapping[str, Any]) -> Any:
    """The value of a YAML node for a key. Where the key takes text, `2020` stays the text it was written as."""
    if node is None:
        return None
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _from_node(value, {}) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_from_node(item, schema.get("items", {})) for item in node.value]
    if _is_free_text(schema) and not node.tag.endswith(":null"):
        return node.value
    convert = _SCALARS.get(node.tag, ("", str))[1]
    try:
        return convert(node.value)
    except ValueError:  # an explicit tag that does not fit, as in `!!int three`
        return node.value


def _from_text(text: str, schema: Mapping[str, Any]) -> Any:
    """The value of a text from the environment or `--set` for a key."""
    if _is_free_text(schema):
        # Not parsed: a glob, a Windows path or a column named `yes` means itself.
        return None if _takes(schema, "null") and text.strip().lower() in ("", "~", "null") else text
    try:
        return _from_node(yaml.compose(text, _Loader), schema)
    except yaml.YAMLError:
        return text  # the type check refuses it and shows it as it came


def _read_yaml(path: Path, source: str, problems: list[str]) -> _Layer:
    """A preset or a file as a layer; a `preset` key is kept for the caller."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        problems.append(f"{source}: cannot be read ({error.strerror}). Give the path of a YAML file.")
        return {}
    except UnicodeDecodeError:
        problems.append(f"{source}: is not UTF-8 text. Give the path of a YAML file.")
        return {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problems.append(f"{source}: is not YAML{where} ({getattr(error, 'problem', None) or 'unreadable character'}).")
        return {}
    if not isinstance(root, yaml.MappingNode):
        received = "nothing" if root is None else _shown(_from_node(root, {}))
        problems.append(f"{source}: must be a mapping such as `training: {{epochs: 3}}`, received {received}.")
        return {}
    layer: _Layer = {}
    for key, node in _leaves(root):
        value = _from_node(node, _keys().get(key, {"type": "string"} if key == "preset" else {}))
        if key in layer:
            problems.append(f"{key} ({source}): given twice, keep one.")
        elif key == "preset":
            layer[key] = _Given(value, source)
        else:
            _put(layer, key, value, source, problems)
    return layer


def _leaves(root: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
    for key_node, node in root.value:
        key = str(key_node.value)
        empty = isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")
        if key in _sections() and isinstance(node, yaml.MappingNode):
            yield from ((f"{key}.{leaf.value}", value) for leaf, value in node.value)
        elif not (key in _sections() and empty):  # a section whose keys are all commented out says nothing
            yield key, node


def _environment_layer(environ: Mapping[str, str], problems: list[str]) -> _Layer:
    layer: _Layer = {}
    for name in sorted(environ):
        if name.upper().startswith(ENV_PREFIX):
            key = name[len(ENV_PREFIX) :].lower().replace("__", ".")
            value = _from_text(environ[name], _keys().get(key, {}))
            _put(layer, key, value, f"environment variable {name}", problems)
    return layer


def _override_layer(overrides: Sequence[str], problems: list[str]) -> _Layer:
    layer: _Layer = {}
    for override in overrides:
        key, equals, text = override.partition("=")
        key = key.strip()
        if not equals or not key:
            problems.append(f"--set: must be key=value, as in training.epochs=3, received {_shown(override)}.")
        else:
            _put(layer, key, _from_text(text, _keys().get(key, {})), "--set", problems)
    return layer


def _flag_layer(flags: Mapping[str, Any], problems: list[str]) -> _Layer:
    layer: _Layer = {}
    for key, value in flags.items():
        if value is not None:
            value = os.fspath(value) if isinstance(value, os.PathLike) else value
            _put(layer, key, list(value) if isinstance(value, tuple) else value, "flag", problems)
    return layer


# ---- What is refused


def _put(layer: _Layer, key: str, value: Any, source: str, problems: list[str]) -> None:
    if key in _keys():
        layer[key] = _Given(value, source)
    elif key in _sections():
        problems.append(f"{key} ({source}): is a section, received {_shown(value)}. {_keys_of(key)}")
    elif key == "preset":
        problems.append(f"{key} ({source}): a preset is chosen with --preset, or by `preset:` in the file.")
    else:
        problems.append(f"{key} ({source}): is not a key, received {_shown(value)}. {_nearest(key)}")


def _choose_preset(asked: str, in_file: _Given | None, problems: list[str]) -> str:
    name, source = asked, "call"
    if in_file is not None:
        if asked not in ("default", in_file.value):
            problems.append(
                f"preset ({in_file.source}): received {_shown(in_file.value)}, but the call asks for "
                f"{_shown(asked)}. Keep one of the two."
            )
        else:
            name, source = in_file
    names = preset_names()
    if name in names:
        return name
    close = difflib.get_close_matches(name, names, n=1) if isinstance(name, str) else []
    hint = f" Did you mean {close[0]}?" if close else ""
    problems.append(f"preset ({source}): received {_shown(name)}, allowed: one of {', '.join(names)}.{hint}")
    return "default"  # so that the problems of the other layers are found too


def _refused_values(error: ValidationError, given: _Layer, preset: str) -> list[str]:
    # Keyed by dotted key: a list with two wrong items is one problem.
    lines: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        path = [str(part) for part in detail["loc"]]
        key = next((k for k in (".".join(path[:2]), path[0]) if k in _keys()), ".".join(path))
        allowed = _allowed(_keys()[key]) if key in _keys() else detail["msg"]
        value, source = given.get(key, (None, f"preset {preset}"))
        received = _shown(value) if key in given else "nothing"
        lines[key] = f"{key} ({source}): received {received}, allowed: {allowed}."
    return list(lines.values())


def _nearest(key: str) -> str:
    """The way out for an unknown key: the nearest known one, else the valid keys."""
    wanted = key.lower().replace("-", "_")
    section, _, leaf = wanted.rpartition(".")
    siblings = {k.rpartition(".")[2]: k for k in _keys() if k.rpartition(".")[0] == section}
    matches = [siblings[name] for name in difflib.get_close_matches(leaf, siblings, n=1)]
    matches = matches or [k for k in _keys() if k.rpartition(".")[2] == leaf]
    if not matches and section not in _sections():
        matches = difflib.get_close_matches(wanted, [*_keys(), *_sections()], n=1, cutoff=0.7)
    if matches:
        return f"Did you mean {' or '.join(matches)}?"
    return _keys_of(section if section in _sections() else "")


def _keys_of(section: str) -> str:
    if section:
        return f"Its keys: {', '.join(key for key in _keys() if key.startswith(f'{section}.'))}."
    top = [key for key in _keys() if "." not in key]
    return f"Valid keys: {', '.join(top)}; sections: {', '.join(_sections())}."


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."
