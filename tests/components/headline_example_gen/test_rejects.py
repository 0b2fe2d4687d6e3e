"""rejects.csv holds what was set aside, by file and line, and can be read as data again."""

from __future__ import annotations

import csv
import resource
from pathlib import Path

import pytest

from components.headline_example_gen.rejects import PartWriter, header, merge_parts
from components.headline_example_gen.settings import DataConfig
from components.labelled_csv.rows import Fault, read_rows
from serving.untrusted import MAX_FIELD_CHARACTERS, plain_cell
from tests.components.headline_example_gen.ingests import DATA

pytestmark = pytest.mark.slow  # TFX writes the files

PATHS = ["in/a.csv", "in/b, “c”.csv"]


def a_fault(line: int, title: str = "One", label: str = "2", rule: str = "unknown_label", reason: str = "no label"):
    return Fault(line, rule, reason, title, label)


@pytest.fixture
def merge(tmp_path):
    """Writes faults into parts, merges these and returns the path of rejects.csv."""

    def write(name: str, faults) -> str:
        part = PartWriter(str(tmp_path / name))
        for file, fault in faults:
            part.write(file, fault)
        part.close()
        return str(tmp_path / name)

    def merge(files, shards=(), rules=DATA, paths=PATHS) -> str:
        by_file = [write(f"file-{number}.csv", faults) for number, faults in enumerate(files)]
        by_shard = [write(f"shard-{number}.csv", faults) for number, faults in enumerate(shards)]
        target = str(tmp_path / "rejects.csv")
        merge_parts(by_file, by_shard, paths, rules, target)
        return target

    return merge


def read(path: str) -> list[list[str]]:
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_without_faults_there_is_a_header_alone(merge):
    assert read(merge([])) == [["title", "label", "file", "line", "rule", "reason"]]


def test_faults_come_by_file_and_line_whichever_step_found_them(merge):
    path = merge(
        [[(0, a_fault(2)), (0, a_fault(10))], [(1, a_fault(3))]],
        [[(0, a_fault(9)), (1, a_fault(2))], [(0, a_fault(4)), (1, a_fault(100))]],
    )
    places = [(row[2], int(row[3])) for row in read(path)[1:]]
    assert places == [(PATHS[0], line) for line in (2, 4, 9, 10)] + [(PATHS[1], line) for line in (2, 3, 100)]


@pytest.mark.parametrize(
    "title",
    [
        "",
        "  ",
        'He said "no", twice',
        "line\nbreak",
        "line\r\nbreak\rand another",
        "Über 日本 😀 \u200b",
        "\ufffd",
        "007",
        "=1+1",
        "'=1+1",
        "@a",
        "-0.5",
        "-",
        "\x1a\x1b",
        "\u2028\x85",
        "x" * MAX_FIELD_CHARACTERS,
        '"' * MAX_FIELD_CHARACTERS,
    ],
    ids=lambda title: ascii(title[:20]),
)
def test_any_text_is_kept_to_the_letter(merge, title):
    fault = a_fault(2, title, label=title[:99], reason=title[:99])
    path = merge([[(1, fault)]])
    (_, row) = read(path)
    assert [*map(plain_cell, row)] == [title, title[:99], PATHS[1], "2", "unknown_label", title[:99]]
    assert not [cell for cell in row if cell.startswith(("=", "@"))]


@pytest.mark.parametrize("title", ["=HYPERLINK(1)", "'=1+1", "@a", "-0.5", "- a", "+", "'tis"])
def test_what_a_spreadsheet_would_run_is_read_back_to_the_letter(merge, title):
    (again,) = read_rows(merge([[(1, a_fault(2, title))]]), DATA)
    assert again.title == title


def test_what_was_set_aside_is_set_aside_again_until_it_is_mended(merge):
    path = merge([[(0, a_fault(2, "One\n", "yes")), (0, a_fault(3, "Two, 1", "")), (0, a_fault(4, " ", "1"))]])
    assert [row.rule for row in read_rows(path, DATA)] == ["unknown_label", "blank_label", "blank_title"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (("headline", "clickbait"), ["headline", "clickbait", "file", "line", "rule", "reason"]),
        (("line", "label"), ["line", "label", "file", "rejected_line", "rule", "reason"]),
        (("reason", "rule"), ["reason", "rule", "file", "line", "rejected_rule", "rejected_reason"]),
    ],
)
def test_the_texts_stand_in_the_columns_that_the_data_has(merge, columns, expected):
    rules = DataConfig(text_column=columns[0], label_column=columns[1])
    assert header(rules) == expected
    path = merge([[(0, a_fault(2, "One", "yes"))]], rules=rules)
    assert read(path)[0] == expected
    (again,) = read_rows(path, rules)
    assert (again.title, again.label) == ("One", "yes")


def test_a_part_is_there_whole_or_not_at_all_and_may_be_written_twice(tmp_path):
    path = tmp_path / "part.csv"
    first = PartWriter(str(path))
    first.write(0, a_fault(2))
    assert not path.exists()
    second = PartWriter(str(path))
    second.write(0, a_fault(3))
    second.close()
    assert "3" in path.read_text()
    PartWriter(str(tmp_path / "empty.csv")).close()
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".partial")] == ["part.csv"]


def test_there_may_be_more_parts_than_a_process_may_open(merge):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        path = merge(
            [[(number, a_fault(2))] for number in range(300)], paths=[f"{number}.csv" for number in range(300)]
        )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [row[2] for row in read(path)[1:]] == [f"{number}.csv" for number in range(300)]
