"""HeadlineExampleGen in TFX: what lands in which split, and that the report accounts for every row."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import gzip
import itertools
import json
import random
from pathlib import Path

import pytest

from components.errors import InputError
from components.headline_example_gen.files import data_digest
from components.titles import normalize, title_key
from tests.components.headline_example_gen.ingests import DATA, Ingested, run_executor, write_csv

pytestmark = pytest.mark.slow

ROWS = [(f"Headline {number}, “quoted”", number % 2) for number in range(1000)]


@pytest.fixture
def ingest(tmp_path):
    """Runs the executor over a file, a folder or a pattern, by default the folder `in`, each time anew."""
    numbers = itertools.count()

    def ingest(data: Path | str = tmp_path / "in", **settings) -> Ingested:
        return run_executor(data, tmp_path / f"out{next(numbers)}", **settings)

    return ingest


# ---- Examples


def test_features_are_title_and_label_whatever_the_columns_are_called(ingest, tmp_path):
    rows = [(label, number, title) for number, (title, label) in enumerate(ROWS[:40])]
    write_csv(tmp_path / "in" / "a.csv", rows, header=("click bait", "id", "headline"))
    left = ingest(text_column="headline", label_column="click bait")
    assert json.loads(left.examples.split_names) == ["train", "eval"]
    for example in left.records("train") + left.records("eval"):
        features = example.features.feature
        kinds = {name: feature.WhichOneof("kind") for name, feature in features.items()}
        assert kinds == {"title": "bytes_list", "label": "int64_list"}
        assert len(features["title"].bytes_list.value) == len(features["label"].int64_list.value) == 1
    assert left.rows == sorted(ROWS[:40])


def test_titles_that_look_like_numbers_stay_the_text_that_they_are(ingest, tmp_path):
    rows = [(f"{number:03}", number % 2) for number in range(20)]
    write_csv(tmp_path / "in" / "a.csv", rows)
    assert ingest().rows == rows


def test_labels_may_be_words(ingest, tmp_path):
    words = ["news", "Clickbait"]
    write_csv(tmp_path / "in" / "a.csv", [*((title, words[label]) for title, label in ROWS[:40]), ("One", 1)])
    left = ingest(labels={"news": 0, "clickbait": 1})
    assert left.rows == sorted(ROWS[:40])
    assert [reject["reason"] for reject in left.rejects] == ["the label is '1', expected news or clickbait"]


def test_a_title_with_both_labels_can_be_mended_in_the_words_of_the_column(ingest, tmp_path):
    write_csv(tmp_path / "in" / "a.csv", [("One", "news"), ("One", "clickbait")])
    labels = {"news": 0, "clickbait": 1}
    left = ingest(labels=labels)
    assert [(reject["title"], reject["label"]) for reject in left.rejects] == [("One", "news"), ("One", "clickbait")]
    kept, _ = left.rejects
    write_csv(tmp_path / "in" / "a.csv", [kept.values()], header=kept)
    assert ingest(labels=labels).rows == [("One", 0)]


def test_longer_titles_than_configured_are_set_aside(ingest, tmp_path):
    write_csv(tmp_path / "in" / "a.csv", [("x" * 20, 0), ("x" * 21, 1)])
    left = ingest(max_title_characters=20)
    assert left.rows == [("x" * 20, 0)]
    assert left.report["rejected_by_rule"] == {"long_title": 1}


# ---- Splits


@pytest.mark.parametrize(("train", "evaluation"), [(7, 3), (1, 9)])
def test_buckets_are_shared_out_as_configured(ingest, tmp_path, train, evaluation):
    write_csv(tmp_path / "in" / "a.csv", ROWS)
    left = ingest(train_buckets=train, eval_buckets=evaluation)
    assert left.rows == sorted(ROWS)
    assert abs(len(left.split("train")) - 100 * train) < 40
    assert all(title_key(title).split % 10 < train for title, _ in left.split("train"))


def test_titles_that_are_one_to_a_reader_land_in_one_split_even_from_two_files_and_with_other_labels(ingest, tmp_path):
    write_csv(tmp_path / "in" / "a.csv", ROWS[:200])
    write_csv(tmp_path / "in" / "b.csv", [(f" {title.upper()}\u200b", 1 - label) for title, label in ROWS[:200]])
    left = ingest()
    train, evaluation = ({normalize(title) for title, _ in left.split(name)} for name in ("train", "eval"))
    assert not train & evaluation
    assert len(train) + len(evaluation) == 200
    assert left.report["rows"]["accepted"] == 400


def test_the_order_of_the_records_says_nothing_of_the_files(ingest, tmp_path):
    write_csv(tmp_path / "in" / "a.csv", ROWS)
    one = ingest()
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    write_csv(tmp_path / "in" / "a.csv", shuffled[:300])
    write_csv(tmp_path / "in" / "b.csv", shuffled[300:])
    other = ingest()
    for name in ("train", "eval"):
        rows = one.split(name)
        assert other.split(name) == rows
        assert rows != sorted(rows, key=ROWS.index)


def test_files_without_rows_leave_empty_splits_that_can_be_read(ingest, tmp_path):
    write_csv(tmp_path / "in" / "a.csv", [])
    left = ingest()
    for name in ("train", "eval"):
        assert len(list(Path(left.examples.uri, f"Split-{name}").iterdir())) == 1
        assert left.split(name) == []
    assert set(left.report["rows"].values()) == {0}
    assert left.rejects == []


def test_a_split_without_rows_can_be_read(ingest, tmp_path):
    write_csv(tmp_path / "in" / "a.csv", [("The same title", 1)] * 40)
    left = ingest()
    assert sorted(map(len, (left.split("train"), left.split("eval")))) == [0, 1]


# ---- The report


def test_the_report_adds_up_by_file_and_in_total(ingest, tmp_path):
    write_csv(tmp_path / "in" / "a.csv", [*ROWS[:50], ("", 1), ("Bad", 7), ("Both", 1), *ROWS[:5]])
    write_csv(tmp_path / "in" / "b.csv", [*ROWS[40:90], ("Both", 0), ("Both", 1), ("Bad",)])
    write_csv(tmp_path / "in" / "c.csv", [])
    left = ingest()
    a, b, c = (str(tmp_path / "in" / name) for name in ("a.csv", "b.csv", "c.csv"))
    report = left.report
    assert report["files"] == [
        {
            "path": a,
            "read": 58,
            "accepted": 50,
            "duplicates": 5,
            "in_eval": 0,
            "rejected": 3,
            "rejected_lines": 3,
            "left_out": 0,
        },
        {
            "path": b,
            "read": 53,
            "accepted": 40,
            "duplicates": 10,
            "in_eval": 0,
            "rejected": 3,
            "rejected_lines": 3,
            "left_out": 0,
        },
        {
            "path": c,
            "read": 0,
            "accepted": 0,
            "duplicates": 0,
            "in_eval": 0,
            "rejected": 0,
            "rejected_lines": 0,
            "left_out": 0,
        },
    ]
    assert report["rows"] == {
        "read": 111,
        "accepted": 90,
        "duplicates": 15,
        "in_eval": 0,
        "rejected": 6,
        "rejected_lines": 6,
        "left_out": 0,
    }
    assert report["rejected_by_rule"] == {"blank_title": 1, "conflict": 3, "field_count": 1, "unknown_label": 1}
    for name, counts in report["splits"].items():
        rows = left.split(name)
        assert counts == {"rows": len(rows), "clickbait": sum(label for _, label in rows)}
    places = [(a, "52"), (a, "53"), (a, "54"), (b, "52"), (b, "53"), (b, "54")]
    assert [(reject["file"], reject["line"]) for reject in left.rejects] == places
    assert report["faults"] == left.rejects
    assert not Path(left.ingest.uri, "parts").exists()


def test_the_report_shows_the_first_faults_and_rejects_has_all(ingest, tmp_path):
    write_csv(tmp_path / "in" / "a.csv", [*ROWS[:40], *[("x" * 20_000, "y")] * 30])
    left = ingest()
    assert [fault["line"] for fault in left.report["faults"]] == [str(line) for line in range(42, 62)]
    assert {len(fault["title"]) for fault in left.report["faults"]} == {4096}
    assert [len(reject["title"]) for reject in left.rejects] == [20_000] * 30


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_line_breaks_inside_titles_come_through(ingest, tmp_path, break_):
    write_csv(tmp_path / "in" / "a.csv", [(f"One{break_}two", 1), (f"Three{break_}four", 2)])
    left = ingest()
    assert left.rows == [(f"One{break_}two", 1)]
    assert left.rejects[0]["title"] == left.report["faults"][0]["title"] == f"Three{break_}four"


# ---- Samples


@pytest.fixture
def sample(ingest, tmp_path):
    """The rows that are taken of `rows`, in one file or cut into several."""

    def sample(rows, limit: int, files: int = 1) -> list[tuple[str, int]]:
        folder = Path(tmp_path / f"in{files}-{limit}-{len(rows)}")
        for number in range(files):
            write_csv(folder / f"{number}.csv", rows[number::files])
        left = ingest(folder, limit_rows=limit)
        counts = left.report["rows"]
        assert counts["accepted"] - counts["left_out"] == len(left.rows)
        return left.rows

    return sample


@pytest.mark.parametrize("limit", [10, 11, 199, 200, 5000])
def test_a_sample_has_exactly_the_rows_asked_for_or_all(sample, limit):
    assert len(sample(ROWS[:200], limit)) == min(limit, 200)


def test_a_sample_does_not_depend_on_the_order_of_rows_and_files(sample):
    rows = random.Random(1).sample(ROWS[:200], 200)
    assert sample(rows, 50, files=3) == sample(rows[::-1], 50, files=2) == sample(ROWS[:200], 50)


def test_a_larger_sample_holds_the_smaller_one(sample):
    assert set(sample(ROWS, 20)) < set(sample(ROWS, 60)) < set(ROWS)


def test_a_sample_is_spread_over_the_file(sample):
    numbers = [ROWS.index(row) for row in sample(ROWS, 200)]
    assert 400 < sum(numbers) / len(numbers) < 600


def test_titles_that_are_one_to_a_reader_go_together_and_never_beyond_the_limit(sample):
    spellings = [str, str.upper, str.lower, "{}\u00a0".format]
    rows = [(spell(f"Headline {number}"), number % 2) for number in range(50) for spell in spellings]
    for limit in (10, 21, 22, 23, 24):
        titles = [normalize(title) for title, _ in sample(rows, limit)]
        assert limit - 4 < len(titles) <= limit
        assert all(titles.count(title) == 4 for title in titles)


def test_a_sample_counts_no_row_that_is_a_repeat_or_set_aside(ingest, tmp_path):
    write_csv(tmp_path / "in" / "a.csv", [*ROWS[:60], *ROWS[:60], *[("", 1)] * 60, ("Both", 0), ("Both", 1)])
    left = ingest(limit_rows=50)
    assert len(left.rows) == 50
    assert left.report["rows"] == {
        "read": 182,
        "accepted": 60,
        "duplicates": 60,
        "in_eval": 0,
        "rejected": 62,
        "rejected_lines": 62,
        "left_out": 10,
    }


# ---- Shards


@pytest.mark.parametrize("limit", [None, 123])
def test_more_shards_make_more_files_of_the_same_rows(ingest, tmp_path, monkeypatch, limit):
    from components.headline_example_gen import executor, transforms

    rows = [*ROWS, *ROWS[:100], *[(title, 1 - label) for title, label in ROWS[:10]], ("", 1)]
    write_csv(tmp_path / "in" / "a.csv", rows[::2])
    write_csv(tmp_path / "in" / "b.csv", rows[1::2])
    one = ingest(limit_rows=limit)
    monkeypatch.setattr(executor, "_SHARD_BYTES", 5_000)
    monkeypatch.setattr(transforms, "_BATCH_ROWS", 7)
    many = ingest(limit_rows=limit)
    assert len(list(Path(many.examples.uri, "Split-train").iterdir())) > 5
    for name in ("train", "eval"):
        assert sorted(many.split(name)) == sorted(one.split(name))
    assert many.report == one.report
    assert many.rejects == one.rejects


# ---- Files


def test_gzip_and_plain_files_are_read_together(ingest, tmp_path):
    path = Path(write_csv(tmp_path / "in" / "a.csv", ROWS[:30]))
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    write_csv(path, ROWS[30:60])
    left = ingest()
    assert left.rows == sorted(ROWS[:60])
    assert [Path(file["path"]).name for file in left.report["files"]] == ["a.csv", "a.csv.gz"]


def test_a_folder_named_like_a_file_is_no_data(ingest, tmp_path):
    write_csv(tmp_path / "in" / "a.csv", ROWS[:40])
    (tmp_path / "in" / "b.csv").mkdir()
    assert len(ingest().rows) == 40


@pytest.mark.parametrize("name", ["out [1]", "{SPAN}", "a*b", "über"])
def test_the_artifacts_may_lie_in_a_folder_of_any_name(tmp_path, name):
    write_csv(tmp_path / name / "a.csv", [*ROWS[:40], ("", 1)])
    left = run_executor(tmp_path / name / "a.csv", tmp_path / name)
    assert left.rows == sorted(ROWS[:40])
    assert left.report["rows"]["rejected"] == len(left.rejects) == 1
    (tmp_path / name / "a.csv").write_bytes(b'title,label\n"One,1\n')
    with pytest.raises(InputError, match="a quoted field must be closed"):
        run_executor(tmp_path / name / "a.csv", tmp_path / name / "again")


def test_the_newest_spans_are_read_and_named_on_the_examples(ingest, tmp_path):
    for number, name in enumerate(("span-7/v1", "span-8/v1", "span-8/v3", "span-9/v2")):
        write_csv(tmp_path / "in" / name / "a.csv", ROWS[40 * number : 40 * number + 40])
    pattern = tmp_path / "in" / "span-{SPAN}" / "v{VERSION}" / "*.csv"
    newest = ingest(pattern)
    assert (newest.examples.span, newest.examples.version) == (9, 2)
    assert newest.rows == sorted(ROWS[120:160])
    window = ingest(pattern, window_spans=2)
    assert (window.examples.span, window.examples.version) == (9, 2)
    assert window.rows == sorted(ROWS[80:160])
    earlier = ingest(pattern, window_spans=2, last_span="8")
    assert (earlier.examples.span, earlier.examples.version) == (8, 3)
    assert earlier.rows == sorted(ROWS[:40] + ROWS[80:120])


def test_a_day_is_the_span_of_a_date_and_no_version_is_version_0(ingest, tmp_path):
    for day in (1, 2, 3):
        write_csv(tmp_path / "in" / f"2024-01-0{day}.csv", ROWS[40 * day : 40 * day + 40])
    left = ingest(tmp_path / "in" / "{DATE}.csv", last_span="2024-01-02")
    assert (left.examples.span, left.examples.version) == (19724, 0)
    assert left.rows == sorted(ROWS[80:120])


def test_data_that_changed_since_the_run_began_is_refused(ingest, tmp_path):
    paths = [write_csv(tmp_path / "in" / f"{name}.csv", ROWS[:40]) for name in "ab"]
    digest = data_digest(paths)
    assert len(ingest(content_digest=digest).rows) == 40
    write_csv(Path(paths[1]), ROWS[:41])
    with pytest.raises(InputError, match=f"must not change while a run reads it. Received: 2 files from {paths[0]} on"):
        ingest(content_digest=digest)
    assert not [path for path in (tmp_path / "out1").rglob("*") if path.is_file()]


def test_it_runs_in_a_pipeline_from_a_folder_with_any_name_and_reuses_its_output(tmp_path):
    import tfx.v1 as tfx

    from components.headline_example_gen.component import HeadlineExampleGen
    from components.headline_example_gen.files import find_csv_files

    file = Path(write_csv(tmp_path / "in [1]" / "a [2].csv", ROWS[:40]))
    write_csv(tmp_path / "in 1" / "a 2.csv", ROWS[:20])

    def run() -> dict[str, list[Path]]:
        found = find_csv_files(str(file))
        component = HeadlineExampleGen(
            input_base=found.base,
            pattern=found.pattern,
            settings=DATA.model_dump_json(),
            content_digest=data_digest(found.paths),
        )
        pipeline = tfx.dsl.Pipeline(
            pipeline_name="p",
            pipeline_root=str(tmp_path / "tfx"),
            components=[component],
            enable_cache=True,
            metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
                str(tmp_path / "metadata.db")
            ),
            beam_pipeline_args=[],
        )
        tfx.orchestration.LocalDagRunner().run(pipeline)
        outputs = tmp_path / "tfx" / "HeadlineExampleGen"
        return {name: sorted((outputs / name).iterdir()) for name in ("examples", "ingest")}

    first = run()
    (examples,), (report,) = first.values()
    assert len(list(examples.glob("Split-*/*.gz"))) == 2
    assert json.loads((report / "report.json").read_text(encoding="utf-8"))["rows"]["accepted"] == 40
    assert run() == first
    write_csv(file, ROWS[:41])
    assert [len(rows) for rows in run().values()] == [2, 2]
