"""The configuration: one validated `PipelineConfig`, made of layers of which the later wins.

Layers: preset < file < environment (`CLICKBAIT__TRAINING__EPOCHS=3`) < `--set training.epochs=3` < the CLI's own flags.
"""

import difflib
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from components.data_gate.policy import GateConfig
from components.evaluator.policy import EvaluationConfig
from components.local_infra_validator.policy import InfraConfig
from pipeline.config.beam_options import beam_problems
from pipeline.config.layers import Given, Layer, LayerReader, allowed, shown
from pipeline.config.monitor import MonitorConfig
from trainer.section import Section

PRESETS_DIR = Path(__file__).parent / "presets"


class ConfigError(Exception):
    """The configuration cannot be used. The message holds every problem, a line each."""

    exit_code = 2


class DataConfig(Section):
    """Where the headlines come from and how they are split."""

    path: str | None = Field(
        None,
        min_length=1,
        description="CSV file, folder or glob, with {SPAN}, {DATE} or {YYYY}, {MM}, {DD}, and {VERSION}, where data "
        "comes in spans; null: the fetched CSV, else the bundled sample.",
    )
    window_spans: int = Field(1, ge=1, description="How many spans are taken, the newest version of each.")
    last_span: str | None = Field(
        None, min_length=1, description="Newest span that is taken, a number or an ISO date; null: the newest there is."
    )
    text_column: str = Field("title", min_length=1, description="Name of the CSV column that holds the headline.")
    label_column: str = Field("label", min_length=1, description="Name of the CSV column that holds the label.")
    labels: dict[str, Literal[0, 1]] = Field(
        {"0": 0, "1": 1},
        min_length=2,
        description="The label column's values, in any casing, to 0 and 1 (1 is clickbait).",
    )
    max_title_characters: int = Field(
        10_000, ge=1, le=1_000_000, description="Longer titles are rejected, in characters."
    )
    max_row_lines: int = Field(
        20,
        ge=1,
        description="A row that spans more lines is rejected: its quote was closed by another row's.",
    )
    schema_file: str | None = Field(
        None, min_length=1, description="Schema that the data is held to; null: data/schema.pbtxt."
    )
    limit_rows: int | None = Field(None, ge=10, description="Use at most this many rows; null: all rows.")
    train_buckets: int = Field(
        7,
        ge=1,
        le=99,
        description="Hash buckets of titles whose rows train; 7 buckets beside 3 are a 70/30 split.",
    )
    eval_buckets: int = Field(3, ge=1, le=99, description="Hash buckets of titles whose rows evaluate.")

    @property
    def train_share(self) -> float:
        """Share of the rows that the split train should have."""
        return self.train_buckets / (self.train_buckets + self.eval_buckets)

    @field_validator("labels")
    @classmethod
    def _both_classes(cls, labels: dict[str, int]) -> dict[str, int]:
        mapped = {name.strip().lower(): label for name, label in labels.items()}
        contradictory = any(mapped[name.strip().lower()] != label for name, label in labels.items())
        if set(mapped.values()) != {0, 1} or "" in mapped or contradictory:
            raise ValueError("names both classes, each label once")
        return mapped


class EncoderConfig(Section):
    """The text encoder that is fine-tuned."""

    source: str = Field(
        "embedded",
        min_length=1,
        description="`embedded` (USE multilingual 3), a hub URL, a Kaggle handle, a SavedModel folder or a .tar.gz.",
    )
    offline: bool = Field(False, description="Never download: use the encoder cache or fail.")
    digest: str | None = Field(
        None,
        pattern="^sha256:[0-9a-f]{64}$",
        description="Load no encoder but the one of that digest, which `clickbait encoder digest` tells; null: any.",
    )


class TrainingConfig(Section):
    """The recipe. It has no defaults here: each preset spells it out whole."""

    fine_tune: bool = Field(description="Train the encoder's weights too; false: only the dense layer on top.")
    head_scale: float = Field(
        gt=0, le=100, description="Factor on the initial weights of the dense layer (no unit); 1 is Keras's default."
    )
    epochs: int = Field(ge=1, le=1000, description="Epochs: passes over the training rows.")
    batch_size: int = Field(ge=1, le=65536, description="Headlines per training step.")
    learning_rate: float = Field(
        gt=0, le=1, description="The optimizer's step size at the first step (a factor, no unit)."
    )
    learning_rate_decay: Literal["constant", "linear", "cosine"] = Field(
        description="How the learning rate goes on: `constant`, or `linear` or `cosine` down to 0 at the run's end."
    )
    warmup_share: float = Field(
        ge=0, le=0.9, description="Share of the steps over which the learning rate rises at first; 0: none."
    )
    encoder_learning_rate_factor: float = Field(
        gt=0, le=100, description="Factor on the learning rate of the encoder's weights (no unit); 1: as the head's."
    )
    clip_norm: float | None = Field(
        gt=0, description="Longest gradient of all weights together (a norm, no unit); null: not clipped."
    )
    frozen_epochs: int = Field(
        ge=0, le=1000, description="Epochs at the beginning that train the dense layer alone; 0: none."
    )
    early_stopping_patience: int | None = Field(
        ge=1,
        description="Epochs without a lower validation loss that end training, with the best epoch's weights; "
        "null: all epochs.",
    )
    validation_rows: int | None = Field(
        ge=1,
        description="Evaluation rows, drawn by a hash, whose loss and accuracy are shown after each epoch; null: all. "
        "The thresholds judge all of them, whatever this is.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        description="Matrix products on a CPU in training: `float32`, `bfloat16` (weights stay float32), or `auto`: "
        "bfloat16 where the processor has instructions for it."
    )
    optimizer: Literal["lazy_adam", "exact_adam", "adam", "lazy_adamw", "sgd", "lazy_momentum", "adagrad"] = Field(
        description="`lazy_adam`, `lazy_adamw` (decay 0.004) and `lazy_momentum` (SGD, 0.9) update only the embedding "
        "rows of the batch; `exact_adam` equals Keras's `adam` to float tolerance, many times faster; `sgd` and "
        "`adagrad` equal Keras's."
    )
    casing: Literal["as_is", "lower", "augment"] = Field(
        description="Casing of the headlines: untouched, lower-cased (in the served model too), or varied in training."
    )
    length_buckets: int = Field(
        ge=1, le=32, description="Length buckets per shuffle window, so that batches pad less; 1 bucket: no bucketing."
    )
    shuffle_buffer_rows: int = Field(ge=1, le=10_000_000, description="Shuffle window, in rows; 1 row: no shuffling.")
    seed: int = Field(ge=0, le=2**31 - 1, description="Seed of weights, shuffling and casing (any number, no unit).")
    warm_start: bool = Field(
        description="Begin with the weights of the last blessed model, where there is one, instead of the encoder's."
    )
    deterministic: bool = Field(
        description="Train so that the same run, wherever it was broken off, gives the same model bit for bit."
    )
    checkpoint_seconds: float | None = Field(
        gt=0,
        description="Least seconds between two checkpoints, from which a training that was killed goes on; null: none.",
    )

    @model_validator(mode="after")
    def _something_is_fine_tuned(self) -> "TrainingConfig":
        if self.fine_tune and self.frozen_epochs >= self.epochs:
            raise ValueError("has fewer frozen_epochs than epochs")
        return self


class TunerConfig(Section):
    """The search for a better recipe before the training; see `docs/tuning.md`."""

    trials: int = Field(
        0, ge=0, le=1000, description="Recipes that are tried, the configuration's among them; 0: no search."
    )
    validation_share: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Part of the training rows that the recipes are judged by and not trained on, from 0 to 1.",
    )


class BulkConfig(Section):
    """Texts without labels that a run scores by its model, once that is blessed."""

    path: str | None = Field(
        None, min_length=1, description="A .csv, .jsonl, .parquet or .txt file, the first two also as .gz; null: none."
    )
    text_column: str = Field("title", min_length=1, description="Name of its column that holds the text.")


class PushConfig(Section):
    """How a blessed model becomes a version."""

    keep_versions: int = Field(
        5, ge=2, description="Versions that are kept, the newest; a server may still serve the one before the newest."
    )
    confirm_target: str = Field(
        "",
        pattern=r"^$|^\S+:\d{1,5}$|^(unix|xds):\S+$",
        description="`host:port` (gRPC) of a server that must serve the version before a run ends well; empty: none.",
    )
    confirm_seconds: float = Field(60.0, gt=0, le=3600, description="Most seconds that this may take.")


BeamComponent = Literal["HeadlineExampleGen", "StatisticsGen", "DataGate", "Evaluator", "BulkInferrer"]
"""The components whose work Beam does."""

_BeamOptions = dict[str, str | list[str] | None]


class BeamConfig(Section):
    """How Apache Beam runs the data components. The keys are Beam's own names of its options."""

    runner: Literal["DirectRunner", "FlinkRunner", "SparkRunner", "PortableRunner", "DataflowRunner"] = Field(
        "DirectRunner",
        description="The engine: DirectRunner is this process; PortableRunner any Beam job server.",
    )
    direct_running_mode: Literal["in_memory", "multi_threading", "multi_processing"] = Field(
        "in_memory", description="Where the DirectRunner's workers run."
    )
    direct_num_workers: int = Field(1, ge=0, le=1024, description="The DirectRunner's workers; 0: one for each core.")
    job_endpoint: str | None = Field(
        None,
        pattern=r"^\S+:\d{1,5}$",
        description="`host:port` of the Beam job server of Flink, Spark or another engine.",
    )
    environment_type: Literal["EXTERNAL", "DOCKER", "PROCESS", "LOOPBACK"] | None = Field(
        None,
        description="What a job server's workers are: a pool that runs already, containers, processes that the engine "
        "starts, or this process.",
    )
    environment_config: str | None = Field(
        None,
        min_length=1,
        description="EXTERNAL: `host:port` of the pool, as the engine sees it; DOCKER: the image; PROCESS: JSON with "
        "the command.",
    )
    sdk_container_image: str | None = Field(
        None,
        min_length=1,
        description="Dataflow's image for the workers; null: Beam's, where setup_file installs us.",
    )
    setup_file: str | None = Field(
        None, min_length=1, description="Our setup.py, which Beam installs on workers that do not run our image."
    )
    options: _BeamOptions = Field(
        default_factory=dict, description="Further options of Beam by their names, e.g. {parallelism: 8}."
    )
    components: dict[BeamComponent, _BeamOptions] = Field(
        default_factory=dict,
        description="Options of single components over these; {runner: DirectRunner} keeps one in its own process.",
    )
    pipeline_args: list[str] = Field(
        default_factory=list, description="Flags handed to Beam as they are, after all others."
    )

    @model_validator(mode="after")
    def _runs_somewhere(self) -> "BeamConfig":
        if problem := next(beam_problems(self), None):
            raise ValueError(problem)
        return self


class KubeflowConfig(Section):
    """How Kubeflow Pipelines runs it. What is said by task has the key `default` for all tasks that are not named."""

    image: str = Field(
        "clickbait-tfx:latest", min_length=1, description="Container image of all tasks, as the cluster pulls it."
    )
    pipeline_root: str | None = Field(
        None,
        pattern="^(minio|s3|gs)://",
        description="Where artifacts go, e.g. s3://bucket/artifacts; null: the cluster's own place.",
    )
    push_destination: str | None = Field(
        None,
        min_length=1,
        description="Folder or URL (s3://, gs://) of the versions that TF Serving watches; null: said when it runs.",
    )
    accepted_data: str | None = Field(
        None,
        min_length=1,
        description="Folder or URL of the statistics of accepted data; null: said when it runs.",
    )
    cpu_request: dict[str, float] = Field(
        {"default": 0.5, "Trainer": 2.0}, description="CPUs that a node must have free for a task, by task."
    )
    cpu_limit: dict[str, float] = Field({"default": 2.0, "Trainer": 8.0}, description="Most CPUs of a task, by task.")
    memory_request_gb: dict[str, float] = Field(
        {"default": 1.5, "Trainer": 4.0},
        description="Memory that a node must have free for a task, in GB (1e9 bytes), by task.",
    )
    memory_limit_gb: dict[str, float] = Field(
        {"default": 4.0, "Trainer": 8.0}, description="Most memory of a task, in GB (1e9 bytes), by task."
    )
    gpus: int = Field(0, ge=0, le=64, description="GPUs of the Trainer.")
    allow_override: bool = Field(
        False, description="Compile evaluation.bless_anyway into a pipeline, all of whose runs then push anyway."
    )
    gpu_resource: str = Field("nvidia.com/gpu", min_length=1, description="What the cluster calls a GPU.")
    retries: dict[str, int] = Field(
        # These two say no, and would say it again.
        {"default": 2, "DataGate": 0, "Verdict": 0},
        description="Most retries of a task that failed, by task.",
    )
    backoff_seconds: int = Field(30, ge=0, le=3600, description="Wait before the first retry, in whole seconds.")
    backoff_factor: float = Field(
        2.0, ge=1, le=10, description="How many times longer each further wait is (a factor, no unit)."
    )
    backoff_max_seconds: int = Field(
        3600, ge=1, description="No retry later than that after a task's first start, in whole seconds."
    )

    @field_validator("cpu_request", "cpu_limit", "memory_request_gb", "memory_limit_gb", "retries")
    @classmethod
    def _for_all_tasks(cls, by_task: dict[str, float]) -> dict[str, float]:
        if "default" not in by_task or min(by_task.values()) < 0:
            raise ValueError("names a default, and no less than 0")
        return by_task


class PipelineConfig(Section):
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
    gate: GateConfig = Field(default_factory=GateConfig)
    encoder: EncoderConfig = Field(default_factory=EncoderConfig)
    training: TrainingConfig
    tuner: TunerConfig = Field(default_factory=TunerConfig)
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)
    infra: InfraConfig = Field(default_factory=InfraConfig)
    push: PushConfig = Field(default_factory=PushConfig)
    bulk: BulkConfig = Field(default_factory=BulkConfig)
    monitor: MonitorConfig = Field(default_factory=MonitorConfig)
    beam: BeamConfig = Field(default_factory=BeamConfig)
    kubeflow: KubeflowConfig = Field(default_factory=KubeflowConfig)

    _preset: str = PrivateAttr("default")

    @property
    def preset(self) -> str:
        """Name of the preset that the other layers lie on."""
        return self._preset

    def to_yaml(self) -> str:
        """Every value as YAML; `load_config(file=...)` reads it back to an equal configuration.

        All but `evaluation.bless_anyway`: it is one run's, and none that comes later has it from a file.
        """
        values = {"preset": self.preset, **self.model_dump(exclude={"evaluation": {"bless_anyway"}})}
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)


class Setting(NamedTuple):
    """One key of the configuration, for a person."""

    key: str
    value: Any
    allowed: str
    description: str


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
    reader = LayerReader(_keys())
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
    given = {key: value for layer in layers for key, value in layer.items()}
    problems += _inherited(given)
    tree: dict[str, Any] = {}
    for key, (value, _) in given.items():
        section, _, leaf = key.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[leaf] = value
    try:
        config = PipelineConfig.model_validate(tree)
        config._preset = preset
    except ValidationError as error:
        problems += _refused_values(error, given, preset)
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigError("\n".join([f"The configuration cannot be used ({count}):", *(f"  {p}" for p in problems)]))
    return config


def preset_names() -> list[str]:
    """The presets that there are."""
    return sorted(path.stem for path in PRESETS_DIR.glob("*.yaml"))


def describe_config(config: PipelineConfig) -> list[Setting]:
    """Every key with its value in `config`, what it takes and its meaning, in the order of the model."""
    values = config.model_dump()
    settings = []
    for key, schema in _keys().items():
        section, _, leaf = key.rpartition(".")
        value = (values[section] if section else values)[leaf]
        settings.append(Setting(key, value, allowed(schema), schema["description"]))
    return settings


def _choose_preset(asked: str, in_file: Given | None, problems: list[str]) -> str:
    name, source = asked, "call"
    if in_file is not None:
        if asked in ("default", in_file.value):
            name, source = in_file
        else:
            problems.append(
                f"preset ({in_file.source}): received {shown(in_file.value)}, but the call asks for {shown(asked)}. "
                "Keep one of the two."
            )
    names = preset_names()
    if name in names:
        return name
    close = difflib.get_close_matches(name, names, n=1) if isinstance(name, str) else []
    hint = f" Did you mean {close[0]}?" if close else ""
    problems.append(f"preset ({source}): received {shown(name)}, allowed: one of {', '.join(names)}.{hint}")
    return "default"  # so that the problems of the other layers are found too


def _inherited(given: Layer) -> list[str]:
    """What one run says of itself comes from no file and no environment, by which the next would have it, too."""
    key = "evaluation.bless_anyway"
    if key not in given or given[key].value is None or given[key].source in ("flag", "--set"):
        return []
    return [f"{key} ({given[key].source}): is said for one run. Take it out, and give --bless-anyway."]


def _refused_values(error: ValidationError, given: Layer, preset: str) -> list[str]:
    # Keyed by dotted key: a list with two wrong items is one problem.
    lines: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        path = [str(part) for part in detail["loc"]]
        key = next((key for key in (".".join(path[:2]), path[0]) if key in _keys()), None)
        if key is None:  # of a section as a whole, whose validator says it all
            lines[path[0]] = f"{path[0]}: {detail['ctx']['error']}"
            continue
        source = given[key].source if key in given else f"preset {preset}"
        received = shown(given[key].value) if key in given else "nothing"
        lines[key] = f"{key} ({source}): received {received}, allowed: {allowed(_keys()[key])}."
    return list(lines.values())


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
