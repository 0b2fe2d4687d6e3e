"""The executors do in TFX what the components promise."""

from __future__ import annotations

import trainer.keras_policy  # noqa: F401  isort: skip

import csv
import datetime
import json
from pathlib import Path

import pytest

from components import versions
from components.errors import DataRefused, InputError
from components.versions import list_versions, read_card
from tests.helpers.encoders import write_shell

pytestmark = pytest.mark.slow

BEAM = []  # as the configuration has it
ROWS = [(f"Headline {number}, “quoted”", number % 2) for number in range(1000)]
TWINS = [(title, label) for title, label in ROWS[:100] for _ in range(2)]


@pytest.fixture(scope="module")
def tfx():
    import tfx.v1 as tfx

    return tfx


def write_rows(path: Path, rows, header=("title", "label")) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def read_split(uri: str, split: str) -> list:
    import tensorflow as tf

    files = [str(path) for path in Path(uri, f"Split-{split}").iterdir()]
    records = tf.data.TFRecordDataset(sorted(files), compression_type="GZIP").as_numpy_iterator()
    return [tf.train.Example.FromString(record) for record in records]


def pairs(examples) -> list[tuple[str, int]]:
    return [
        (one.features.feature["title"].bytes_list.value[0].decode(), one.features.feature["label"].int64_list.value[0])
        for one in examples
    ]


# ---- HeadlineExampleGen


@pytest.fixture
def generate(tfx, tmp_path):
    """Runs the executor as the component configures it, and returns the examples of train and eval."""
    from components.headline_example_gen.component import HeadlineExampleGen
    from components.headline_example_gen.executor import Executor

    def generate(base: Path, pattern: str = "*.csv", **settings) -> tuple[list, list]:
        component = HeadlineExampleGen(
            **{
                "input_base": str(base),
                "pattern": pattern,
                "text_column": "title",
                "label_column": "label",
                "train_buckets": 7,
                "eval_buckets": 3,
                **settings,
            }
        )
        examples = tfx.types.standard_artifacts.Examples()
        examples.uri = str(tmp_path / "examples")
        context = Executor.Context(beam_pipeline_args=BEAM, tmp_dir=str(tmp_path / "tmp"), unique_id="1")
        Executor(context).Do({}, {"examples": [examples]}, dict(component.exec_properties))
        assert json.loads(examples.split_names) == ["train", "eval"]
        return read_split(examples.uri, "train"), read_split(examples.uri, "eval")

    return generate


def test_features_are_title_and_label_whatever_the_columns_are_called(generate, tmp_path):
    rows = [(label, number, title) for number, (title, label) in enumerate(ROWS[:40])]
    write_rows(tmp_path / "in" / "a.csv", rows, header=("click bait", "id", "headline"))
    train, evaluation = generate(tmp_path / "in", text_column="headline", label_column="click bait")
    for example in [*train, *evaluation]:
        kinds = {name: feature.WhichOneof("kind") for name, feature in example.features.feature.items()}
        assert kinds == {"title": "bytes_list", "label": "int64_list"}
    assert sorted(pairs(train) + pairs(evaluation)) == sorted(ROWS[:40])


def test_titles_that_look_like_numbers_stay_the_text_that_they_are(generate, tmp_path):
    rows = [(f"{number:03}", number % 2) for number in range(20)]
    write_rows(tmp_path / "in" / "a.csv", rows)
    train, evaluation = generate(tmp_path / "in")
    assert sorted(pairs(train) + pairs(evaluation)) == rows


def test_seven_buckets_to_three_split_about_70_to_30(generate, tmp_path):
    write_rows(tmp_path / "in" / "a.csv", ROWS)
    train, evaluation = generate(tmp_path / "in")
    assert sorted(pairs(train) + pairs(evaluation)) == sorted(ROWS)
    assert 660 < len(train) < 740


def test_buckets_are_as_configured(generate, tmp_path):
    write_rows(tmp_path / "in" / "a.csv", ROWS)
    train, _ = generate(tmp_path / "in", train_buckets=1, eval_buckets=9)
    assert 70 < len(train) < 130


def test_equal_titles_land_in_one_split_even_from_two_files_and_with_other_labels(generate, tmp_path):
    write_rows(tmp_path / "in" / "a.csv", ROWS[:200])
    write_rows(tmp_path / "in" / "b.csv", [(title, 1 - label) for title, label in ROWS[:200]])
    train, evaluation = ({title for title, _ in pairs(split)} for split in generate(tmp_path / "in"))
    assert not train & evaluation
    assert len(train) + len(evaluation) == 200


def test_limit_takes_that_many_of_all_files(generate, tmp_path):
    write_rows(tmp_path / "in" / "a.csv", ROWS[:300])
    write_rows(tmp_path / "in" / "b.csv", ROWS[300:])
    train, evaluation = generate(tmp_path / "in", limit_rows=123)
    assert len(train) + len(evaluation) == 123
    assert set(pairs(train) + pairs(evaluation)) < set(ROWS)


def test_a_folder_named_like_a_file_is_no_data(generate, tmp_path):
    write_rows(tmp_path / "in" / "a.csv", ROWS[:40])
    (tmp_path / "in" / "b.csv").mkdir()
    train, evaluation = generate(tmp_path / "in")
    assert len(train) + len(evaluation) == 40


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([*ROWS[:40], ("One", "yes")], DataRefused, "a.csv:42: the label is 'yes', expected 0 or 1"),
        (ROWS[:4], DataRefused, "at least 10 rows"),
        ([*ROWS[:40], ("T\0wo", 1)], InputError, "from line 42, line contains NUL"),
    ],
)
def test_bad_data_is_refused_before_anything_is_written(generate, tmp_path, rows, error, message):
    path = tmp_path / "in" / "a.csv"
    path.parent.mkdir()
    path.write_text("title,label\n" + "".join(f'"{title}",{label}\n' for title, label in rows), encoding="utf-8")
    with pytest.raises(error, match=message):
        generate(tmp_path / "in")
    assert not list((tmp_path / "examples").rglob("*.gz"))


def test_data_that_leaves_a_split_empty_is_refused(generate, tmp_path):
    write_rows(tmp_path / "in" / "a.csv", [("The same title", number % 2) for number in range(40)])
    with pytest.raises(DataRefused, match="leaves the split (train|eval) empty"):
        generate(tmp_path / "in")


def test_it_runs_in_a_pipeline_from_a_folder_with_any_name_and_reuses_its_output(tfx, tmp_path):
    from components.headline_example_gen.component import HeadlineExampleGen
    from components.headline_example_gen.files import find_csv_files

    file = write_rows(tmp_path / "in [1]" / "a [2].csv", ROWS[:40])
    write_rows(tmp_path / "in 1" / "a 2.csv", ROWS[:20])

    def run():
        found = find_csv_files(str(file))
        component = HeadlineExampleGen(
            input_base=found.base,
            pattern=found.pattern,
            text_column="title",
            label_column="label",
            train_buckets=7,
            eval_buckets=3,
        )
        pipeline = tfx.dsl.Pipeline(
            pipeline_name="p",
            pipeline_root=str(tmp_path / "tfx"),
            components=[component],
            enable_cache=True,
            metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
                str(tmp_path / "metadata.db")
            ),
            beam_pipeline_args=BEAM,
        )
        tfx.orchestration.LocalDagRunner().run(pipeline)
        return sorted((tmp_path / "tfx" / "HeadlineExampleGen" / "examples").iterdir())

    (first,) = run()
    assert sorted(pairs(read_split(str(first), "train")) + pairs(read_split(str(first), "eval"))) == sorted(ROWS[:40])
    assert run() == [first]
    write_rows(file, ROWS[:41])
    assert len(run()) == 2


# ---- LatestBlessedModel, VersionedPusher


def run_function(component, **arguments) -> None:
    component.EXECUTOR_SPEC.executor_class._FUNCTION(**arguments)


def write_model(folder: Path, weights: bytes = b"weights") -> None:
    write_shell(folder)
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(weights)


@pytest.fixture
def artifact(tfx, tmp_path):
    def artifact(kind: str, name: str):
        made = getattr(tfx.types.standard_artifacts, kind)()
        made.uri = str(tmp_path / name)
        return made

    return artifact


@pytest.mark.parametrize(
    ("there", "version", "expected"),
    [
        ([], "latest", "none"),
        ([], "none", "none"),
        ([3, 20], "latest", "20"),
        ([3, 20], "3", "3"),
        ([3, 20], "none", "none"),
    ],
)
def test_the_baseline_is_the_version_asked_for(artifact, tmp_path, monkeypatch, there, version, expected):
    from components.latest_blessed_model.component import LatestBlessedModel

    for number in there:
        write_model(tmp_path / "model" / str(number), b"%d" % number)
        monkeypatch.setattr(versions.time, "time", lambda number=number: number)
        card = versions.VersionCard("sha256:1", "run", "fingerprint", "now")
        versions.write_version(tmp_path / "model" / str(number), tmp_path / "serving", card)
    model = artifact("Model", "baseline")
    run_function(LatestBlessedModel, model=model, serving_model_dir=str(tmp_path / "serving"), version=version)
    assert model.get_string_custom_property("version") == expected
    weights = list(Path(model.uri, "Format-Serving").rglob("*.data-*"))
    assert [file.read_bytes() for file in weights] == ([] if expected == "none" else [expected.encode()])
    assert Path(model.uri).is_dir()


@pytest.fixture
def push(artifact, tmp_path):
    """Pushes a model with these weights, and returns what the component says of it."""
    from components.versioned_pusher.component import VersionedPusher

    count = iter(range(100))

    def push(weights: bytes = b"weights", *, evaluation: int = 1, train: int = 1):
        number = next(count)
        model = artifact("Model", f"model{number}")
        write_model(Path(model.uri) / "Format-Serving", weights)
        blessings = {name: artifact("ModelBlessing", name) for name in ("eval_blessing", "train_blessing")}
        blessings["eval_blessing"].set_int_custom_property("blessed", evaluation)
        blessings["train_blessing"].set_int_custom_property("blessed", train)
        pushed = artifact("PushedModel", f"pushed{number}")
        run_function(
            VersionedPusher,
            model=model,
            **blessings,
            pushed_model=pushed,
            serving_model_dir=str(tmp_path / "serving"),
            run_id=f"run{number}",
            fingerprint="f1",
        )
        return pushed

    return push


@pytest.mark.parametrize(("evaluation", "train"), [(0, 1), (1, 0), (0, 0)])
def test_a_model_that_one_evaluation_did_not_bless_is_not_pushed(push, tmp_path, evaluation, train):
    pushed = push(evaluation=evaluation, train=train)
    assert pushed.get_string_custom_property("outcome") == "not blessed"
    assert pushed.get_int_custom_property("pushed") == 0
    assert not (tmp_path / "serving").exists()


def test_a_blessed_model_becomes_a_version_with_a_card(push, tmp_path):
    pushed = push()
    (version,) = list_versions(tmp_path / "serving")
    assert pushed.get_string_custom_property("outcome") == "pushed"
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_version") == str(version)
    assert pushed.get_string_custom_property("pushed_destination") == str(tmp_path / "serving" / str(version))
    card = read_card(tmp_path / "serving", version)
    assert (card.run_id, card.fingerprint) == ("run0", "f1")
    assert card.digest.startswith("sha256:")
    assert datetime.datetime.fromisoformat(card.pushed_at).tzinfo == datetime.timezone.utc


def test_the_same_model_again_is_unchanged_and_makes_no_version(push, tmp_path):
    push()
    again = push()
    (version,) = list_versions(tmp_path / "serving")
    assert again.get_string_custom_property("outcome") == "unchanged"
    assert again.get_int_custom_property("pushed") == 0
    assert again.get_string_custom_property("pushed_version") == str(version)
    assert read_card(tmp_path / "serving", version).run_id == "run0"


def test_a_changed_model_becomes_a_higher_version_and_so_does_the_first_one_again(push, tmp_path):
    outcomes = [push(weights).get_string_custom_property("outcome") for weights in (b"one", b"two", b"one")]
    assert outcomes == ["pushed"] * 3
    first, second, third = list_versions(tmp_path / "serving")
    digests = [read_card(tmp_path / "serving", version).digest for version in (first, second, third)]
    assert digests[0] == digests[2] != digests[1]


def test_a_version_without_a_card_does_not_count_as_the_same_model(push, tmp_path):
    write_model(tmp_path / "serving" / "7")
    assert push().get_string_custom_property("outcome") == "pushed"


# ---- Evaluator


@pytest.mark.parametrize(
    ("baseline", "kept"), [("none", False), ("empty", False), ("real", True)], ids=["none", "empty", "real"]
)
def test_the_evaluator_leaves_out_a_baseline_that_holds_no_model(artifact, tmp_path, monkeypatch, baseline, kept):
    from tfx.components.evaluator import executor as tfx_executor

    from components.evaluator.component import Executor

    seen = []
    monkeypatch.setattr(tfx_executor.Executor, "Do", lambda self, inputs, outputs, properties: seen.append(inputs))
    inputs = {"model": [artifact("Model", "candidate")], "examples": []}
    if baseline != "none":
        inputs["baseline_model"] = [artifact("Model", "baseline")]
        Path(inputs["baseline_model"][0].uri).mkdir()
    if baseline == "real":
        write_model(Path(inputs["baseline_model"][0].uri) / "Format-Serving")
    before = dict(inputs)
    Executor().Do(inputs, {}, {})
    assert seen == [before if kept else {key: value for key, value in before.items() if key != "baseline_model"}]
    assert inputs == before


def test_the_evaluator_component_uses_that_executor():
    from components.evaluator.component import Evaluator, Executor

    assert Evaluator.EXECUTOR_SPEC.executor_class is Executor
