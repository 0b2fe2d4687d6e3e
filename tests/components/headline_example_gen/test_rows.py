"""Rows come out of a CSV as they went in, and every fault says where it is."""

import csv
import gzip
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.errors import DataRefused, InputError
from components.headline_example_gen.rows import Fault, Row, check_rows, read_header, read_rows, sampling_key


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes, name: str = "a.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


@pytest.fixture
def write_rows(tmp_path):
    def write_rows(rows, name: str = "a.csv") -> str:
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("title", "label"), *rows])
        return str(tmp_path / name)

    return write_rows


def read(path, text_column="title", label_column="label"):
    return list(read_rows(path, text_column, label_column))


def many(count: int) -> list[tuple[str, int]]:
    return [(f"Headline {number}", number % 2) for number in range(count)]


def sampled(paths, limit) -> list[Row]:
    """The rows that the executor would take."""
    left_out = check_rows(paths, "title", "label", limit)
    rows = [row for path in paths for row in read(path)]
    return [row for row in rows if left_out is None or sampling_key(row.title) < left_out]


# ---- What is read


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("title,label\nOne,1\nTwo,0\n", [("One", 1), ("Two", 0)]),
        ("title,label\nOne,1\nTwo,0", [("One", 1), ("Two", 0)]),
        ("title,label\r\nOne,1\r\nTwo,0\r\n", [("One", 1), ("Two", 0)]),
        ('title,label\n"One, two",1\n', [("One, two", 1)]),
        ('title,label\n"He said ""no""",0\n', [('He said "no"', 0)]),
        ('title,label\nA 6" pizza,1\n', [('A 6" pizza', 1)]),
        ('title,label\n"One\ntwo\r\nthree",1\n', [("One\ntwo\r\nthree", 1)]),
        ("title,label\n\nOne,1\n\r\n\nTwo,0\n\n", [("One", 1), ("Two", 0)]),
        ("\ufefftitle,label\nOne,1\n", [("One", 1)]),
        ('\ufeff"title","label"\n"One","1"\n', [("One", 1)]),
        ("title,label\nÜber “uns” 日本,1\n", [("Über “uns” 日本", 1)]),
        ("title,label\n  One  , 1 \n", [("  One  ", 1)]),
        ("title,label\n2020,1\n1e3,0\n", [("2020", 1), ("1e3", 0)]),
        ("id,label,source,title\n7,1,web,One\n8,0,,Two\n", [("One", 1), ("Two", 0)]),
        ("title,label\n", []),
    ],
    ids=[
        "plain",
        "no-last-newline",
        "crlf",
        "comma",
        "doubled-quotes",
        "quote-inside-plain-text",
        "newlines",
        "blank-lines",
        "bom",
        "bom-and-quotes",
        "not-ascii",
        "spaces",
        "numeric-titles",
        "extra-columns-in-any-order",
        "header-only",
    ],
)
def test_rows_come_as_they_were_written(write, content, expected):
    assert read(write(content)) == [Row(*row) for row in expected]


def test_columns_may_have_other_names(write):
    path = write("clickbait,head line\n1,One\n")
    assert read(path, "head line", "clickbait") == [Row("One", 1)]


def test_gz_is_read_as_its_content(write):
    assert read(write(gzip.compress(b"title,label\nOne,1\n"), "a.csv.gz")) == [Row("One", 1)]


def test_read_header_returns_all_columns_in_order(write):
    assert read_header(write("\ufeffid,label,title\n1,1,One\n"), "title", "label") == ["id", "label", "title"]


titles = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).filter(str.strip)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(titles, st.integers(0, 1))), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_the_csv_module_writes_is_read_back_exactly(tmp_path, rows, quoting):
    path = tmp_path / "generated.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, quoting=quoting).writerows([("title", "label"), *rows])
    assert read(str(path)) == [Row(*row) for row in rows]


# ---- Faults of single rows


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("One", "expected 2 fields, found 1"),
        ("One, two,1", "expected 2 fields, found 3"),
        (",1", "the title is blank"),
        ("a" * 10_001 + ",1", "the title has 10,001 characters, expected at most 10,000"),
        ("  \t,1", "the title is blank"),
        ('"\n",1', "the title is blank"),
        ("One,yes", "the label is 'yes', expected 0 or 1"),
        ("One,2", "the label is '2', expected 0 or 1"),
        ("One,0.5", "the label is '0.5', expected 0 or 1"),
        ("One,1.0", "the label is '1.0', expected 0 or 1"),
        ("One,True", "the label is 'True', expected 0 or 1"),
        ("One,", "the label is blank, expected 0 or 1"),
        ("One,  ", "the label is blank, expected 0 or 1"),
    ],
)
def test_a_bad_row_is_a_fault_and_the_rows_around_it_stay(write, line, reason):
    path = write(f"title,label\nBefore,0\n{line}\nAfter,1\n")
    assert read(path) == [Row("Before", 0), Fault(path, 3, reason), Row("After", 1)]


def test_a_fault_names_the_columns_as_the_file_does(write):
    path = write("headline,clickbait\n,1\nOne,yes\n")
    reasons = [fault.reason for fault in read(path, "headline", "clickbait")]
    assert reasons == ["the headline is blank", "the clickbait is 'yes', expected 0 or 1"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_line_numbers_count_as_an_editor_does(write, newline):
    lines = ["title,label", '"spans', "two", 'three lines",1', "", "bad,9", "", '"also', 'spans",8', ",1"]
    path = write(newline.join(lines) + newline)
    found = read(path)
    assert found[0] == Row(newline.join(["spans", "two", "three lines"]), 1)
    assert [fault.line for fault in found[1:]] == [6, 8, 10]


def test_a_header_of_several_lines_counts(write):
    path = write('"the\ntitle",label\n,1\n')
    assert read(path, "the\ntitle")[0].line == 3


def test_a_fault_prints_as_file_line_reason():
    assert str(Fault("a.csv", 3, "the title is blank")) == "a.csv:3: the title is blank"


# ---- Files that cannot be read


@pytest.mark.parametrize(
    ("content", "name", "found"),
    [
        (b"", "a.csv", "a.csv, which is empty"),
        (b"\xef\xbb\xbf", "a.csv", "a.csv, which is empty"),
        (b"title,label\nZ\xfcrich,1\n", "a.csv", r"a.csv: bytes that are not UTF-8 (b'\xfcric')"),
        ("title,label\nOne,1\n".encode("utf-16"), "a.csv", "a.csv: bytes that are not UTF-8"),
        (bytes(range(128, 256)) * 9, "a.csv", "a.csv: bytes that are not UTF-8"),
        (gzip.compress(b"title,label\n"), "a.csv", "a.csv: bytes that are not UTF-8"),
        (
            b"title,label\nOne,1\nT\0wo,0\n",
            "a.csv",
            "a.csv: in the row from line 3, line contains NUL; the file is binary or UTF-16",
        ),
        (
            b'title,label\nOne,1\n"Two,0\nThree,1\n',
            "a.csv",
            "a.csv: in the row from line 3, unexpected end of data; look for an unbalanced quote",
        ),
        (
            b'title,label\n"Two" words,0\n',
            "a.csv",
            "a.csv: in the row from line 2, ',' expected after '\"'; look for an unbalanced quote",
        ),
        (
            b'title,label\n"Two,0\n' + b"x" * (2 << 20),
            "a.csv",
            "a.csv: in the row from line 2, field larger than field limit (1048576); look for an unbalanced quote",
        ),
        (gzip.compress(b"title,label\n" + b"One,1\n" * 999)[:-9], "a.csv.gz", "a.csv.gz: Compressed file ended before"),
        (b"title,label\nOne,1\n", "a.csv.gz", "a.csv.gz: Not a gzipped file"),
        (gzip.compress(b"title,label\n")[:10] + b"\xff" * 40, "a.csv.gz", "a.csv.gz: Error -3 while decompressing"),
    ],
    ids=[
        "empty",
        "bom-only",
        "latin-1",
        "utf-16",
        "binary",
        "gzip-without-its-ending",
        "nul",
        "unbalanced-quote",
        "text-after-a-quote",
        "huge-field",
        "truncated-gz",
        "no-gz",
        "corrupt-gz",
    ],
)
def test_a_file_that_is_no_csv_is_refused_by_its_name(write, content, name, found):
    with pytest.raises(InputError) as caught:
        read(write(content, name))
    assert found in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_folder_in_place_of_a_file_is_refused_by_its_name(tmp_path):
    for function in (read_header, check_rows):
        with pytest.raises(InputError, match=f"{tmp_path}: Is a directory"):
            function([str(tmp_path)] if function is check_rows else str(tmp_path), "title", "label")


@pytest.mark.parametrize("function", [read_header, read_rows])
@pytest.mark.parametrize(
    ("header", "problem", "columns", "option"),
    [
        ("headline,label", "the column 'title' is not there", "headline, label", "--text-column"),
        ("title,clickbait", "the column 'label' is not there", "title, clickbait", "--label-column"),
        ("title,label,title", "the column 'title' is there more than once", "title, label, title", "--text-column"),
        ("label,title,label", "the column 'label' is there more than once", "label, title, label", "--label-column"),
        ("title;label", "the column 'title' is not there", "title;label", "--text-column"),
    ],
)
def test_a_column_that_is_missing_or_double_names_the_option_and_the_columns(
    write, function, header, problem, columns, option
):
    path = write(f"{header}\nOne,1,x\n")
    with pytest.raises(InputError) as caught:
        list(function(path, "title", "label"))
    assert str(caught.value) == f"{path}: {problem}. The file's columns: {columns}. Name the right one with {option}."


# ---- The data as a whole


def test_faults_are_counted_over_all_files_and_the_first_five_are_shown(write_rows):
    good = write_rows(many(20), "good.csv")
    bad = write_rows([("", 1), *many(3), *[("x", 7)] * 6], "bad.csv")
    with pytest.raises(DataRefused) as caught:
        check_rows([good, bad], "title", "label")
    lines = str(caught.value).splitlines()
    assert lines[0] == "Every row needs a title and a label 0 or 1. Received: 7 bad of 30 rows."
    assert lines[1] == f"  {bad}:2: the title is blank"
    assert lines[2:6] == [f"  {bad}:{line}: the label is '7', expected 0 or 1" for line in (6, 7, 8, 9)]
    assert lines[6] == "  and 2 more"
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([], "needs at least 10 rows. Received: 0 in"),
        (many(9), "needs at least 10 rows. Received: 9 in"),
        ([("One", 1)] * 12, "needs rows of both classes. Received: 12 rows, all labelled 1."),
        ([("One", 0)] * 12, "needs rows of both classes. Received: 12 rows, all labelled 0."),
    ],
)
def test_too_few_rows_or_one_class_are_refused(write_rows, rows, problem):
    with pytest.raises(DataRefused, match=problem):
        check_rows([write_rows(rows)], "title", "label")


def test_ten_rows_of_both_classes_are_enough(write_rows):
    assert check_rows([write_rows(many(10))], "title", "label") is None


# ---- Samples


@pytest.mark.parametrize("limit", [10, 50, 199, 200, 5000])
def test_a_sample_has_exactly_the_rows_asked_for_or_all(write_rows, limit):
    assert len(sampled([write_rows(many(200))], limit)) == min(limit, 200)


def test_a_sample_does_not_depend_on_the_order_of_rows_and_files(write_rows):
    rows = many(200)
    one = sampled([write_rows(rows)], 50)
    random.Random(1).shuffle(rows)
    two = [write_rows(rows[:60], "b.csv"), write_rows(rows[60:], "c.csv")]
    assert sorted(sampled(two, 50)) == sorted(sampled(two[::-1], 50)) == sorted(one)


def test_a_larger_sample_holds_the_smaller_one(write_rows):
    path = write_rows(many(200))
    assert set(sampled([path], 20)) < set(sampled([path], 60))


def test_a_sample_is_spread_over_the_file(write_rows):
    numbers = [int(row.title.split()[1]) for row in sampled([write_rows(many(1000))], 200)]
    assert 400 < sum(numbers) / len(numbers) < 600


def test_equal_titles_go_together_and_never_beyond_the_limit(write_rows):
    path = write_rows([(f"Headline {number // 4}", number % 2) for number in range(200)])
    for limit in range(12, 80):
        titles = [row.title for row in sampled([path], limit)]
        assert limit - 4 < len(titles) <= limit
        assert all(titles.count(title) == 4 for title in titles)


def test_a_sample_of_one_class_is_refused(write_rows):
    titles = sorted((f"Headline {number}" for number in range(100)), key=sampling_key)
    path = write_rows([(title, int(place >= 50)) for place, title in enumerate(titles)])
    with pytest.raises(DataRefused, match="a sample of 20 of 100 rows, which holds not both labels"):
        check_rows([path], "title", "label", 20)
    assert len(sampled([path], 60)) == 60
