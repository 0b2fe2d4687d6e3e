"""The configuration: layers, what is refused and in which words, presets."""

import re
import subprocess
import sys
from pathlib import Path

import pydantic
import pytest
import yaml

from pipeline.config.pipeline_config import (
    PRESETS_DIR,
    ConfigError,
    PipelineConfig,
    preset_names,
)
from pipeline.config.pipeline_config import load_config as load_with_environment


def load_config(*args, environ=None, **kwargs):
    """`load_config` that does not see the environment of whoever runs the tests."""
    return load_with_environment(*args, environ=environ or {}, **kwargs)


def get(config, key):
    for part in key.split("."):
        config = getattr(config, part)
    return config


def problems(**kwargs) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(**kwargs)
    head, *lines = str(caught.value).splitlines()
    assert head.startswith("The configuration must be valid. Received: ")
    assert "http" not in str(caught.value)
    assert "pydantic" not in str(caught.value)
    return [line.strip() for line in lines]


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


# ---- Presets


def test_presets_are_these_and_load():
    assert preset_names() == ["article", "default", "own", "smoke"]
    for name in preset_names():
        assert isinstance(load_config(name), PipelineConfig)


@pytest.mark.parametrize("name", ["default", "article", "own", "smoke"])
def test_each_preset_says_only_what_differs(name):
    raw = yaml.safe_load((PRESETS_DIR / f"{name}.yaml").read_text(encoding="utf-8"))
    sections, defaults = load_config(name, environ={}).model_dump(), PipelineConfig().model_dump()
    for section, values in raw.items():
        for key in values:
            assert sections[section][key] != defaults[section][key], f"{section}.{key}"


def test_article_preset_is_the_article():
    config = load_config("article")
    assert config.encoder.source == "https://tfhub.dev/google/universal-sentence-encoder/4"
    training = config.training.model_dump()
    recipe = {
        "fine_tune": True,
        "head_scale": 1.0,
        "epochs": 2,
        "batch_size": 32,
        "learning_rate": 0.001,
        "learning_rate_decay": "constant",
        "warmup_share": 0.0,
        "encoder_learning_rate_factor": 1.0,
        "clip_norm": None,
        "frozen_epochs": 0,
        "warm_start": False,
        "early_stopping_patience": None,
        "validation_rows": None,
        "precision": "float32",
        "optimizer": "exact_adam",  # the article's Adam, see tests/trainer/test_optimizer.py
        "casing": "as_is",
        "length_buckets": 1,
    }
    assert {key: training[key] for key in recipe} == recipe
    assert (config.data.train_buckets, config.data.eval_buckets) == (7, 3)
    assert (config.evaluation.min_train_accuracy, config.evaluation.min_eval_accuracy) == (0.9962, 0.9846)


def test_the_default_preset_changes_nothing():
    assert load_config(environ={}) == PipelineConfig()


def test_own_has_no_threshold_of_the_articles_and_every_relative_one():
    evaluation = load_config("own", environ={}).evaluation
    absolute = ("min_eval_accuracy", "min_train_accuracy", "min_eval_auc", "max_eval_ece", "max_eval_brier")
    assert not any(getattr(evaluation, name) for name in absolute)
    assert evaluation.gate_chance and evaluation.gate_baseline and evaluation.max_ece_over_chance
    assert evaluation.baselines == ["tfidf_lower", "tfidf_cased"]
    assert {"lower", "upper", "title"} <= {*evaluation.gated_variants}


def test_smoke_is_small_and_blesses_any_model():
    config = load_config("smoke")
    assert config.data.limit_rows == 300
    assert config.training.epochs == 1
    evaluation = config.evaluation
    assert evaluation.min_eval_accuracy == evaluation.min_train_accuracy == evaluation.min_eval_auc == 0
    assert evaluation.max_accuracy_drop == 1


# ---- Layers


def test_later_layers_win(write):
    file = write("training: {epochs: 11}\npreset: article\n")
    environ = {"CLICKBAIT__TRAINING__EPOCHS": "12"}
    overrides = ["training.epochs=13", "training.epochs=14"]
    flags = {"training.epochs": 15}
    assert load_config("article").training.epochs == 2
    assert load_config("article", file).training.epochs == 11
    assert load_config("article", file, environ=environ).training.epochs == 12
    assert load_config("article", file, overrides, environ=environ).training.epochs == 14
    assert load_config("article", file, overrides, flags, environ=environ).training.epochs == 15
    assert load_config("article", file, overrides, {"training.epochs": None}).training.epochs == 14


def test_file_names_its_base_and_keeps_the_rest_of_it(write):
    config = load_config(file=write("preset: article\ntraining:\n  epochs: 5\ndata:\n"))
    assert config.training.epochs == 5
    assert config.training.optimizer == "exact_adam"


def test_environment_ignores_case_and_other_variables():
    environ = {"clickbait__Data__Limit_Rows": "50", "CLICKBAIT_CACHE": "/x", "CLICKBAIT__CACHE": "no", "PATH": "/bin"}
    config = load_config(environ=environ)
    assert config.data.limit_rows == 50
    assert config.cache is False


def test_the_real_environment_is_read(monkeypatch):
    monkeypatch.setenv("CLICKBAIT__MODEL_NAME", "from-env")
    assert load_with_environment().model_name == "from-env"


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("training.learning_rate", "4e-4", 4e-4),
        ("training.learning_rate", "1e-3", 1e-3),
        ("training.learning_rate", ".5", 0.5),
        ("training.learning_rate", "1", 1.0),
        ("training.epochs", "3", 3),
        ("training.epochs", "010", 10),
        ("training.shuffle_buffer_rows", "10_000", 10_000),
        ("training.fine_tune", "false", False),
        ("cache", "off", False),
        ("data.limit_rows", "null", None),
        ("data.limit_rows", "10", 10),
        ("data.text_column", "2020", "2020"),
        ("data.text_column", "0x1F", "0x1F"),
        ("data.text_column", "yes", "yes"),
        ("data.text_column", "1e3", "1e3"),
        ("data.text_column", "null", "null"),
        ("data.path", "null", None),
        ("data.path", "", None),
        ("data.path", "*.csv", "*.csv"),
        ("data.path", "a=b: c #d.csv", "a=b: c #d.csv"),
        ("beam.pipeline_args", "[--direct_num_workers=2, 3]", ["--direct_num_workers=2", "3"]),
        ("beam.pipeline_args", "[]", []),
        (
            "beam.options",
            "{flink_version: 1.20, a: [1, b], c: null}",
            {"flink_version": "1.20", "a": ["1", "b"], "c": None},
        ),
        ("beam.components", "{DataGate: {parallelism: 08}}", {"DataGate": {"parallelism": "08"}}),
    ],
)
def test_text_becomes_what_the_key_takes(key, text, expected):
    name = "CLICKBAIT__" + key.upper().replace(".", "__")
    for config in (load_config(overrides=[f"{key}={text}"]), load_config(environ={name: text})):
        assert get(config, key) == expected
        assert type(get(config, key)) is type(expected)


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("training: {learning_rate: 4e-4}", "training.learning_rate", 4e-4),
        ("training.epochs: 4", "training.epochs", 4),
        ("data: {text_column: 2020}", "data.text_column", "2020"),
        ("data: {text_column: 007}", "data.text_column", "007"),
        ("data: {label_column: 'null'}", "data.label_column", "null"),
        ("data: {path: ~}", "data.path", None),
        ("output: Ünïcode", "output", "Ünïcode"),
        ("beam: {pipeline_args: [--a=1, 2]}", "beam.pipeline_args", ["--a=1", "2"]),
    ],
)
def test_file_values(write, text, key, expected):
    assert get(load_config(file=write(text)), key) == expected


def test_flags_take_paths_and_tuples():
    config = load_config(flags={"data.path": Path("a/b.csv"), "beam.pipeline_args": ("--x",), "training.seed": 3})
    assert config.data.path == "a/b.csv"
    assert config.beam.pipeline_args == ["--x"]
    assert config.training.seed == 3


# ---- What is refused

EPOCHS = "must be a whole number, at least 1 and at most 1000."


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({"overrides": ["training.epochs=0"]}, f"training.epochs (--set): {EPOCHS} Received: 0."),
        ({"overrides": ["training.epochs=3.0"]}, f"training.epochs (--set): {EPOCHS} Received: 3.0."),
        ({"overrides": ["training.epochs='3'"]}, f'training.epochs (--set): {EPOCHS} Received: "3".'),
        ({"overrides": ["training.epochs=true"]}, f"training.epochs (--set): {EPOCHS} Received: true."),
        ({"overrides": ["training.epochs="]}, f"training.epochs (--set): {EPOCHS} Received: null."),
        ({"overrides": ["training.epochs=[1"]}, f'training.epochs (--set): {EPOCHS} Received: "[1".'),
        (
            {"environ": {"CLICKBAIT__TRAINING__EPOCHS": "many"}},
            f'training.epochs (environment variable CLICKBAIT__TRAINING__EPOCHS): {EPOCHS} Received: "many".',
        ),
        ({"flags": {"training.epochs": 1001}}, f"training.epochs (flag): {EPOCHS} Received: 1001."),
        (
            {"overrides": ["training.learning_rate=0"]},
            "training.learning_rate (--set): must be a number, above 0 and at most 1. Received: 0.",
        ),
        (
            {"overrides": ["training.learning_rate=nan"]},
            'training.learning_rate (--set): must be a number, above 0 and at most 1. Received: "nan".',
        ),
        (
            {"flags": {"evaluation.min_eval_auc": float("nan")}},
            "evaluation.min_eval_auc (flag): must be a number, at least 0 and at most 1 or null. Received: NaN.",
        ),
        (
            {"overrides": ["training.casing=upper"]},
            'training.casing (--set): must be one of as_is, lower, augment. Received: "upper".',
        ),
        (
            {"overrides": ["data.limit_rows=9"]},
            "data.limit_rows (--set): must be a whole number, at least 10 or null. Received: 9.",
        ),
        ({"overrides": ["cache=1"]}, "cache (--set): must be true or false. Received: 1."),
        (
            {"overrides": ["push.confirm_target=localhost"]},
            "push.confirm_target (--set): must be text that matches "
            r'^$|^\S+:\d{1,5}$|^(unix|xds):\S+$. Received: "localhost".',
        ),
        (
            {"overrides": ["model_name=my model"]},
            'model_name (--set): must be text that matches ^[A-Za-z][A-Za-z0-9_-]*$. Received: "my model".',
        ),
        ({"flags": {"output": ""}}, 'output (flag): must be text, not empty. Received: "".'),
        (
            {"flags": {"beam.pipeline_args": [1, 2]}},
            "beam.pipeline_args (flag): must be a list of texts. Received: [1, 2].",
        ),
        (
            {"overrides": ["training.epoch=3"]},
            "training.epoch (--set): must be an existing key. Received: 3. Did you mean training.epochs?",
        ),
        (
            {"overrides": ["training.batch-size=3"]},
            "training.batch-size (--set): must be an existing key. Received: 3. Did you mean training.batch_size?",
        ),
        (
            {"overrides": ["epochs=3"]},
            "epochs (--set): must be an existing key. Received: 3. Did you mean training.epochs?",
        ),
        (
            {"overrides": ["batch_size=3"]},
            "batch_size (--set): must be an existing key. Received: 3. Did you mean training.batch_size or "
            "evaluation.batch_size?",
        ),
        (
            {"environ": {"CLICKBAIT__TRANING__EPOCHS": "3"}},
            "traning.epochs (environment variable CLICKBAIT__TRANING__EPOCHS): must be an existing key. Received: 3. "
            "Did you mean training.epochs?",
        ),
        (
            {"overrides": ["encoder.zzz=3"]},
            "encoder.zzz (--set): must be an existing key. Received: 3. Its keys: encoder.source, encoder.offline, "
            "encoder.digest.",
        ),
        (
            {"overrides": ["zzz=3"]},
            "zzz (--set): must be an existing key. Received: 3. Valid keys: model_name, output, cache; "
            "sections: data, gate, encoder, training, tuner, evaluation, infra, push, bulk, monitor, tracking, beam, "
            "kubeflow.",
        ),
        (
            {"overrides": ["encoder=use"]},
            'encoder (--set): must be set by its keys. Received: "use". Its keys: encoder.source, encoder.offline, '
            "encoder.digest.",
        ),
        (
            {"overrides": ["preset=article"]},
            'preset (--set): must be chosen with --preset, or by `preset:` in the file. Received: "article".',
        ),
        (
            {"overrides": ["training.epochs"]},
            '--set: must be key=value, as in training.epochs=3. Received: "training.epochs".',
        ),
        ({"overrides": ["=3"]}, '--set: must be key=value, as in training.epochs=3. Received: "=3".'),
        (
            {"preset": "artcle"},
            'preset (call): must be one of article, default, own, smoke. Received: "artcle". Did you mean article?',
        ),
        ({"preset": "../x"}, 'preset (call): must be one of article, default, own, smoke. Received: "../x".'),
    ],
)
def test_refused(kwargs, expected):
    assert problems(**kwargs) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("training:\n  epochs: '3'\n", "training.epochs (file {file}): " + EPOCHS + ' Received: "3".'),
        (
            "trainin:\n  epochs: 3\n",
            'trainin (file {file}): must be an existing key. Received: {"epochs": 3}. Did you mean training?',
        ),
        (
            "data: {limit: 3}",
            "data.limit (file {file}): must be an existing key. Received: 3. Did you mean data.limit_rows?",
        ),
        (
            "encoder: use",
            'encoder (file {file}): must be set by its keys. Received: "use". Its keys: encoder.source, '
            "encoder.offline, encoder.digest.",
        ),
        ("output:\n", "output (file {file}): must be text, not empty. Received: null."),
        ("output: [a]\n", 'output (file {file}): must be text, not empty. Received: ["a"].'),
        ("output: a\noutput: b\n", "output (file {file}): must be given once. Received: it twice. Keep one."),
        ("preset: none", 'preset (file {file}): must be one of article, default, own, smoke. Received: "none".'),
        ("preset: [smoke]", 'preset (file {file}): must be one of article, default, own, smoke. Received: ["smoke"].'),
        ("", "file {file}: must be a mapping such as `training: {epochs: 3}`. Received: nothing."),
        ("- a\n", 'file {file}: must be a mapping such as `training: {epochs: 3}`. Received: ["a"].'),
        (
            "a: [1\n",
            "file {file}: must be YAML. Received: expected ',' or ']', but got '<stream end>' at line 2, column 1.",
        ),
        ("a: \x00\n", "file {file}: must be YAML. Received: an unreadable character."),
        ("a: 1\n---\nb: 2\n", "file {file}: must be YAML. Received: a second document begins at line 3, column 1."),
        ("a: " + "[" * 500, "file {file}: must be YAML. Received: it is nested too deep."),
        ("&a [*a]", "file {file}: must be YAML. Received: its aliases make more than 100,000 values of it."),
        (
            "!!python/object/apply:os.system [ls]",
            'file {file}: must be a mapping such as `training: {epochs: 3}`. Received: ["ls"].',
        ),
        (
            f"encoder: {{digest: sha256:{'0' * 63}}}",
            "encoder.digest (file {file}): must be text that matches ^sha256:[0-9a-f]{64}$ or null. "
            f'Received: "sha256:{"0" * 63}".',
        ),
    ],
)
def test_refused_in_a_file(write, text, expected):
    file = write(text)
    assert problems(file=file) == [expected.replace("{file}", str(file))]


def test_file_that_cannot_be_read(tmp_path):
    missing = tmp_path / "missing.yaml"
    assert problems(file=missing) == [
        f"file {missing}: must be readable. Received: No such file or directory. Give the path of a YAML file."
    ]
    assert problems(file=tmp_path) == [
        f"file {tmp_path}: must be readable. Received: Is a directory. Give the path of a YAML file."
    ]
    large = tmp_path / "large.yaml"
    large.write_text("# long\n" * 150_000 + "cache: false\n")
    assert problems(file=large) == [f"file {large}: must be YAML. Received: more than 1,048,576 bytes."]
    binary = tmp_path / "x.yaml"
    binary.write_bytes(b"\xff\xfe\xfd")
    assert problems(file=binary) == [
        f"file {binary}: must be UTF-8 text. Received: other bytes. Give the path of a YAML file."
    ]


@pytest.mark.parametrize(
    "url", ["https://me:mine@a.b/c.tar.gz", "http://a.b/c?x=1&access_TOKEN=mine", "https://a?Key=mine"]
)
@pytest.mark.parametrize("key", ["encoder.source", "data.path", "kubeflow.push_destination"])
def test_no_secret_becomes_part_of_a_configuration(key, url):
    (line,) = problems(flags={key: url})
    section, _, name = key.partition(".")
    assert line.startswith(f"{section}: {name} must hold no password and no token")
    assert "mine" not in line
    assert load_config(flags={"encoder.source": "https://a.b/c?tf-hub-format=compressed"}, environ={})


def test_two_presets_that_disagree(write):
    file = write("preset: smoke")
    assert problems(preset="article", file=file) == [
        f'preset (file {file}): must be that of the call, "article". Received: "smoke". Keep one of the two.'
    ]


def test_all_problems_in_one_message(write):
    lines = problems(
        preset="nope",
        file=write("training: {epochs: 0}\nfoo: 1\n"),
        environ={"CLICKBAIT__DATA__LIMIT_ROWS": "1"},
        overrides=["bar", "cache=3"],
        flags={"output": 4},
    )
    starts = ["foo", "preset", "--set", "output", "cache", "data.limit_rows", "training.epochs"]
    assert [re.split(r"[: ]", line)[0] for line in lines] == starts


def test_error_exits_with_2_and_shortens_long_values():
    assert ConfigError.exit_code == 2
    (line,) = problems(flags={"training.casing": "x" * 500})
    assert len(line) < 200


# ---- The model


def test_round_trip(tmp_path):
    config = load_config(
        "article",
        overrides=["data.text_column=2020", "data.label_column=4e-4", "output=null", "training.learning_rate=1e-5"],
        flags={"data.path": "yes", "encoder.source": "ü: #x", "beam.pipeline_args": ["--a=1", "2", "null", ""]},
    )
    file = tmp_path / "config.yaml"
    file.write_text(config.to_yaml(), encoding="utf-8")
    assert load_config(file=file) == config
    assert load_config(file=file).preset == "article"


def test_an_override_is_said_for_one_run_and_comes_from_no_file_and_no_environment(write, tmp_path):
    anyway = "evaluation.bless_anyway"
    assert load_config(flags={anyway: "we must"}).evaluation.bless_anyway == "we must"
    said = load_config(overrides=[f"{anyway}=we must"])
    assert said.evaluation.bless_anyway == "we must"
    path = tmp_path / "config.yaml"
    path.write_text(said.to_yaml(), encoding="utf-8")
    assert load_config(file=path).evaluation.bless_anyway is None
    inherited = "must be given for a single run. Take it out, and give --bless-anyway."
    assert inherited in problems(file=write("evaluation: {bless_anyway: we must}"))[0]
    assert inherited in problems(environ={"CLICKBAIT__EVALUATION__BLESS_ANYWAY": "we must"})[0]
    assert problems(flags={anyway: " "}) != []


@pytest.mark.parametrize(
    "override",
    [
        "evaluation.gated_variants=[lower, shouting]",
        "evaluation.gated_variants=[as_is]",
        "evaluation.max_variant_drop={lower: 0.1}",
        "evaluation.max_variant_drop={default: 2}",
        "evaluation.max_variant_drop={default: 0.1, shouting: 0.1}",
        "evaluation.min_slice_accuracy={says_me=yes: 0.9}",
        "evaluation.min_slice_accuracy={says_you=maybe: 0.9}",
        "evaluation.min_slice_accuracy={says_you: 0.9}",
    ],
)
def test_variants_and_slices_are_those_that_there_are(override):
    (problem,) = problems(overrides=[override])
    assert problem.startswith(override.partition("=")[0])


def test_slices_by_columns_are_those_of_the_data():
    bound, columns = "evaluation.min_slice_accuracy={source=a=b: 0.9}", "data.slice_columns=[source, язык]"
    config = load_config(overrides=[bound, columns], environ={})
    assert (config.evaluation.min_slice_accuracy, config.data.slice_columns) == (
        {"source=a=b": 0.9},
        ["source", "язык"],
    )
    (problem,) = problems(overrides=[bound, "data.slice_columns=[language]"])
    assert problem.endswith(
        "0.9}, or of columns in data.slice_columns. Received: {\"source=a=b\": 0.9}. Add the column of 'source=a=b' "
        "there, or leave that out."
    )
    (problem,) = problems(overrides=["data.slice_columns=[title]"])
    assert problem.startswith("data: slice_columns must name columns of slices, each once. Received: 'title', which")


def test_frozen_and_strict():
    config = load_config()
    with pytest.raises(pydantic.ValidationError):
        config.training.epochs = 4
    with pytest.raises(pydantic.ValidationError):
        PipelineConfig.model_validate({"training": {**config.training.model_dump(), "epochs": "3"}})
    with pytest.raises(pydantic.ValidationError):
        PipelineConfig.model_validate({"training": config.training.model_dump(), "other": 1})


def test_defaults_of_one_configuration_are_not_shared_with_the_next():
    load_config().beam.pipeline_args.append("--x")
    assert load_config().beam.pipeline_args == []


def test_import_is_light():
    code = (
        "import sys, pipeline.config.pipeline_config; "
        "print([m for m in ('tensorflow', 'tfx', 'apache_beam') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
