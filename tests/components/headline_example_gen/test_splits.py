"""The split that the data gives, by a column or a file, and groups of rows that stay together."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import itertools

import pytest

from components.errors import DataRefused, InputError
from components.headline_example_gen.files import FOLDER_PATTERN, CsvInput, data_digest, files_digest, find_csv_files
from components.headline_example_gen.groups import GroupCounter, GroupCounts, add_up, count_groups, require_one_split
from components.headline_example_gen.resolve import Candidate, Resolution, resolve
from components.headline_example_gen.settings import DataConfig
from components.labelled_csv.rows import Fault, Row, read_header, read_rows
from components.titles import title_key
from tests.components.headline_example_gen.ingests import Ingested, account, run_executor, write_csv

FOLD = DataConfig(split_column="分割")
SOURCE = DataConfig(group_column="источник")
HEADER = ("title", "label", "分割")


@pytest.fixture
def ingest(tmp_path):
    """Runs the executor over the file `train.csv`."""
    numbers = itertools.count()

    def ingest(**settings) -> Ingested:
        return run_executor(tmp_path / "train.csv", tmp_path / f"out{next(numbers)}", **settings)

    return ingest


# ---- The column of splits


def test_the_column_of_splits_is_read_in_its_usual_spellings(tmp_path):
    cells = {
        "train": ["train", " Training ", "ＴＲＡＩＮ"],
        "eval": ["eval", "evaluation", "Val", "valid", "validation", "dev", "TEST", "testing\u3000"],
    }
    rows = [(f"Título {cell}", 1, cell) for cell in itertools.chain.from_iterable(cells.values())]
    read = list(read_rows(write_csv(tmp_path / "a.csv", rows, HEADER), FOLD))
    assert [row.split for row in read] == ["train"] * 3 + ["eval"] * 8


def test_a_row_of_neither_split_is_set_aside_with_its_line(tmp_path):
    path = write_csv(tmp_path / "a.csv", [("Uno", 1, "trein"), ("Dos", 0, " "), ("Tres", 0, "dev")], HEADER)
    assert list(read_rows(path, FOLD)) == [
        Fault(2, "unknown_split", "the 分割 is 'trein', expected train or eval", "Uno", "1", split="trein"),
        Fault(3, "blank_split", "the 分割 is blank, expected train or eval", "Dos", "0", split=" "),
        Row(4, "Tres", 0, "eval"),
    ]


def test_a_file_without_the_column_is_refused(tmp_path):
    path = write_csv(tmp_path / "a.csv", [("Uno", 1)])
    rule = "must have the columns 'title', 'label' and '分割'. Received: title, label. Name the right column with data"
    with pytest.raises(InputError, match=f"a.csv:1: the first line {rule}"):
        read_header(path, FOLD)
    with pytest.raises(
        InputError, match=r"data.group_column must name a column of its own. Received: 'title', which --te"
    ):
        read_header(path, DataConfig(group_column="title"))


# ---- Titles in both splits


def row(title: str, line: int, split: str, label: int = 1) -> Candidate:
    return Candidate(7, title, 0, line, label, split)


@pytest.mark.parametrize("other", ["One", "one", "Ｏne"])
def test_of_a_title_in_both_splits_the_rows_of_train_give_way(other):
    train, again, held_out = row("One", 2, "train"), row("One", 3, "train"), row(other, 9, "eval")
    for shuffled in itertools.permutations([train, again, held_out]):
        found = list(resolve(shuffled, ("a.csv",), ("0", "1")))
        assert [resolution.kept for resolution in found if resolution.kept] == [held_out]
        assert [pair for resolution in found for pair in resolution.in_eval] == [(train, held_out), (again, held_out)]
        assert not any(resolution.repeats for resolution in found)


def test_a_title_that_is_in_eval_only_with_two_labels_stays_in_train():
    conflict = [row("One", 2, "eval", 0), row("One", 3, "eval", 1)]
    kept = [found.kept for found in resolve([*conflict, row("one", 4, "train")], ("a.csv",), ("0", "1"))]
    assert kept == [None, row("one", 4, "train")]


def test_within_a_split_titles_that_differ_in_casing_are_kept_as_before():
    rows = [row("One", 2, "train"), row("one", 3, "train")]
    assert list(resolve(rows, ("a.csv",), ("0", "1"))) == [Resolution(kept, [], ()) for kept in rows]


# ---- Groups


def test_rows_of_one_group_are_in_one_split_and_others_go_by_their_title(tmp_path):
    names = [f"Газета {number}" for number in range(60)]
    rows = [(f"Title {n} of {name}", n % 2, name.upper() if n else name) for name in names for n in range(3)]
    alone = [(f"Alone {number}", 1, "\u200b ") for number in range(60)]
    path = write_csv(tmp_path / "a.csv", [*rows, *alone], ("title", "label", "источник"))
    kept = [found.kept for found in account([path], SOURCE).resolutions]
    by_group = {(title_key(row.group).split, row.split) for row in kept if row.group.strip("\u200b ")}
    assert len(by_group) == 60
    assert all((split == "train") == (key % 10 < 7) for key, split in by_group)
    ungrouped = [row for row in kept if row.title.startswith("Alone")]
    assert all((row.split == "train") == (title_key(row.title).split % 10 < 7) for row in ungrouped)
    assert 20 < sum(split == "train" for _, split in by_group) < 60


def counted(*rows: tuple[str, str]) -> GroupCounts:
    counter = GroupCounter()
    for line, (group, split) in enumerate(rows, 2):
        counter.add(Candidate(0, "", 0, line, 1, split, group))
    return count_groups(counter.take())


def test_groups_of_unequal_size_count_for_fewer():
    counts = counted(*[("A", "train")] * 6, ("B", "train"), ("", "train"), ("", "eval"), (" ", "eval"))
    assert counts == GroupCounts(groups=2, rows=10, squares=36 + 1 + 3, in_both=0, shown={})
    assert counts.units == 100 / 40
    assert add_up([counts, counts]) == GroupCounts(4, 20, 80)
    assert add_up([]).units == 0


def test_a_group_in_both_splits_is_refused_with_a_row_of_each():
    counts = counted(("Ñandú", "train"), ("ñandú", "eval"), ("B", "eval"), ("Ñandú", "eval"))
    settings = DataConfig(split_column="fold", group_column="source")
    with pytest.raises(
        DataRefused, match=r"1 of 2 groups of the column 'source' in train and in eval by the column 'fo"
    ) as e:
        require_one_split(counts, settings, ["a.csv"])
    assert "'Ñandú' in a.csv:2 and a.csv:3. Move" in str(e.value)


# ---- Files


@pytest.mark.parametrize("given", ["", "/a.csv", "/*.csv", "/**/[b].csv"])
def test_a_location_leads_to_the_same_files(tmp_path, given):
    folder = tmp_path / "runs [1] {x}"
    for name in ("a.csv", "b.csv", "c.txt"):
        write_csv(folder / name, [("One", 1)])
    base = CsvInput(str(folder), given[1:] or FOLDER_PATTERN, ())
    found = find_csv_files(f"{folder}{given}") if given in ("", "/a.csv") else None
    paths = found.paths if found else tuple(str(path) for path in sorted(folder.glob(given[1:])))
    assert paths
    assert find_csv_files((found or base._replace(paths=(*paths, "more"))).location).paths == paths


def test_the_digest_knows_what_evaluates():
    one, two = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
    assert len({files_digest([one, two]), files_digest([one], [two]), files_digest([two], [one])}) == 3


# ---- Through the executor


@pytest.mark.slow
def test_a_run_by_a_column_with_groups_accounts_for_all_rows(ingest, tmp_path):
    rows = [(f"Título {n}", n % 2, ("train", "Test")[n % 5 == 0], f"grupo {n % 5}") for n in range(100)]
    extra = [
        ("título 0", 1, "train", ""),
        ("Título 5", 1, "train", ""),
        ("=Más", 0, "tren", "@x"),
        ("Otra", 1, "dev", ""),
    ]
    header = ("title", "label", "parte", "file")
    path = write_csv(tmp_path / "train.csv", [*rows, *extra], header)
    left = ingest(split_column="parte", group_column="file")
    assert left.split("eval").count(("Título 0", 0)) == 1
    assert {title for title, _ in left.split("eval")} == {"Otra", *(f"Título {n}" for n in range(0, 100, 5))}
    assert len(left.split("train")) == 80
    counts = left.report["rows"]
    assert (counts["read"], counts["accepted"], counts["duplicates"], counts["in_eval"]) == (104, 101, 2, 2)
    assert left.report["in_eval"] == [f"{path}:102 and {path}:2", f"{path}:103 and {path}:7"]
    assert left.report["split"] == {"by": "the column 'parte'", "groups": 5, "units": pytest.approx(103**2 / 2003)}
    (reject,) = left.rejects
    assert {**reject, "reason": ""} == {
        "title": "'=Más",
        "label": "0",
        "rejected_file": path,
        "line": "104",
        "rule": "unknown_split",
        "reason": "",
        "parte": "tren",
        "file": "'@x",
    }
    assert list(reject)[-2:] == ["parte", "file"]
    write_csv(tmp_path / "train.csv", [*rows, ("Nueva", 1, "train", "Grupo 0")], header)
    with pytest.raises(DataRefused, match=rf"'Grupo 0' in {path}:102 and {path}:2. Move"):
        ingest(split_column="parte", group_column="file")


@pytest.mark.slow
def test_a_run_by_a_file_trains_on_all_the_others(ingest, tmp_path):
    write_csv(tmp_path / "train.csv", [(f"Title {n}", n % 2) for n in range(50)])
    held_out = write_csv(tmp_path / "held out [1]" / "eval.csv", [("TITLE 7", 1), ("见出し", 0), ("见出し", 0)])
    digest = data_digest([str(tmp_path / "train.csv")], [held_out])
    left = ingest(eval_data=held_out, content_digest=digest)
    assert sorted(left.split("eval")) == [("TITLE 7", 1), ("见出し", 0)]
    assert sorted(left.split("train")) == sorted((f"Title {n}", n % 2) for n in range(50) if n != 7)
    counts = left.report["rows"]
    assert (counts["read"], counts["accepted"], counts["duplicates"], counts["in_eval"]) == (53, 51, 2, 1)
    assert left.report["split"] == {"by": "data.eval_data"}
    with pytest.raises(InputError, match=r"--eval-data must be no part of --data, .* Received: \S*train.csv, whose"):
        ingest(eval_data=str(tmp_path / "train.csv"))
