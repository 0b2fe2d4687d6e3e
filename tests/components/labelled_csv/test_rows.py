"""Rows come out of a CSV as they went in, and every fault says where it is. All that can be bad: `test_bad_inputs`."""

import csv
import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.errors import InputError
from components.headline_example_gen.settings import DataConfig
from components.labelled_csv.rows import Fault, Row, read_header, read_rows
from components.titles import normalize
from serving import untrusted
from serving.untrusted import MAX_FIELD_CHARACTERS
from tests.components.headline_example_gen.ingests import DATA


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes, name: str = "a.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


def read(path: str, **rules) -> list[Row | Fault]:
    return list(read_rows(path, DataConfig(**rules)))


def test_gzip_that_is_a_bomb_is_refused(write, monkeypatch):
    monkeypatch.setattr(untrusted, "_FREE_BYTES", 1 << 12)
    path = write(gzip.compress(b"title,label\n" + b"One,1\n" * 100_000))
    with pytest.raises(
        InputError, match="a.csv: the file must be a readable CSV.*Received: it unpacks to more than 50 times its size"
    ):
        list(read_rows(path, DATA))


# ---- What is read


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("title,label\nOne,1\nTwo,0\n", [(2, "One", 1), (3, "Two", 0)]),
        ("title,label\nOne,1\nTwo,0", [(2, "One", 1), (3, "Two", 0)]),
        ("title,label\r\nOne,1\r\nTwo,0\r\n", [(2, "One", 1), (3, "Two", 0)]),
        ("title,label\rOne,1\rTwo,0\r", [(2, "One", 1), (3, "Two", 0)]),
        ('title,label\n"One, two",1\n', [(2, "One, two", 1)]),
        ('title,label\n"He said ""no""",0\n', [(2, 'He said "no"', 0)]),
        ('title,label\nA 6" pizza,1\n', [(2, 'A 6" pizza', 1)]),
        ('title,label\n"One\ntwo\r\nthree",1\nFour,0\n', [(2, "One\ntwo\r\nthree", 1), (5, "Four", 0)]),
        ("title,label\n\nOne,1\n\r\n\nTwo,0\n\n", [(3, "One", 1), (6, "Two", 0)]),
        ("\n\r\ntitle,label\nOne,1\n", [(4, "One", 1)]),
        ('"the\ntitle",label,title\n,1,One\n', [(3, "One", 1)]),
        ("\ufefftitle,label\nOne,1\n", [(2, "One", 1)]),
        ('\ufeff"title","label"\n"One","1"\n', [(2, "One", 1)]),
        ("title,label\nÜber “uns” 日本,1\n", [(2, "Über “uns” 日本", 1)]),
        ("title,label\n  One  , 1 \n", [(2, "  One  ", 1)]),
        ("title,label\nOne,\u00a01\u3000\n", [(2, "One", 1)]),
        ("title,label\n2020,1\n1e3,0\n", [(2, "2020", 1), (3, "1e3", 0)]),
        ("id,label,source,title\n7,1,web,One\n8,0,,Two\n", [(2, "One", 1), (3, "Two", 0)]),
        ("title,,label,\nOne,x,1,y\n", [(2, "One", 1)]),
        ("title,label\nOne,1\nOne,1\nOne,0\n", [(2, "One", 1), (3, "One", 1), (4, "One", 0)]),
        (f"title,label\n{'é' * 10_000},1\n", [(2, "é" * 10_000, 1)]),
        (f"title,label,source\nOne,1,{'x' * MAX_FIELD_CHARACTERS}\n", [(2, "One", 1)]),
        ("title,label\n\u200bOne\u0301\u00a0,1\n", [(2, "\u200bOne\u0301\u00a0", 1)]),
        ("title,label\nOne\x1b[1m\x07,1\n", [(2, "One\x1b[1m\x07", 1)]),
        ("title,label\n", []),
        ("title,label", []),
    ],
    ids=[
        "plain",
        "no-last-newline",
        "crlf",
        "cr",
        "comma",
        "doubled-quotes",
        "quote-inside-plain-text",
        "newlines",
        "blank-lines",
        "blank-lines-before-the-header",
        "header-of-two-lines",
        "bom",
        "bom-and-quotes",
        "not-ascii",
        "spaces",
        "wide-spaces-around-a-label",
        "numeric-titles",
        "extra-columns-in-any-order",
        "columns-without-a-name",
        "repeats-are-not-its-business",
        "longest-title",
        "longest-field",
        "invisible-characters-are-kept",
        "control-characters-are-kept",
        "header-only",
        "header-only-without-a-newline",
    ],
)
def test_rows_come_as_they_were_written(write, content, expected):
    assert read(write(content)) == [Row(*row) for row in expected]


def test_columns_may_have_other_names(write):
    path = write("clickbait,head line\n1,One\n")
    assert read(path, text_column="head line", label_column="clickbait") == [Row(2, "One", 1)]


def test_labels_may_be_words_in_any_casing_and_several_for_a_class(write):
    path = write("title,label\nOne,news\nTwo, Clickbait \nThree,BAIT\nFour,1\n")
    *rows, fault = read(path, labels={"news": 0, "clickbait": 1, "bait": 1})
    assert rows == [Row(2, "One", 0), Row(3, "Two", 1), Row(4, "Three", 1)]
    assert fault == Fault(5, "unknown_label", "the label is '1', expected news or clickbait or bait", "Four", "1")


@pytest.mark.parametrize("labels", [{"news": 0, "bait": 1, "clickbait": 1}, {"bait": 1, "news": 0, "clickbait": 1}])
def test_a_class_is_named_by_its_first_value(labels):
    assert DataConfig(labels=labels).label_names == ("news", "bait")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv", "a"])
def test_gzip_is_read_as_its_content_whatever_its_name(write, name):
    one, two = gzip.compress(b"title,label\nOne,1\n"), gzip.compress(b"Two,0\n")
    assert read(write(one, name)) == [Row(2, "One", 1)]
    assert read(write(one + two, name)) == [Row(2, "One", 1), Row(3, "Two", 0)], "members, as `cat` puts them together"


@pytest.mark.slow
def test_a_file_on_one_of_the_filesystems_of_tfx_is_read_as_a_local_one(write):
    content = b'title,label\r\n"One\r\ntwo",1\r\n'
    for path in (write(content), write(gzip.compress(content), "a.csv.gz")):
        assert read(f"file://{path}") == read(path) == [Row(2, "One\r\ntwo", 1)]
    with pytest.raises(InputError, match="file:///nothing.csv: .* Received: .*No such file or directory"):
        read("file:///nothing.csv")


def test_read_header_returns_all_columns_in_order(write):
    assert read_header(write("\ufeffid,label,title\n1,1,One\n"), DATA) == ["id", "label", "title"]


letters = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffd") | st.sampled_from("\n\r\t")
titles = st.text(letters).filter(normalize)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(st.tuples(titles, st.integers(0, 1))),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_the_csv_module_writes_is_read_back_exactly(tmp_path, rows, quoting):
    path = tmp_path / "generated.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, quoting=quoting).writerows([("title", "label"), *rows])
    assert [row[1:3] for row in read(str(path))] == rows


# ---- Faults of single rows


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("One", ("field_count", "expected 2 fields, found 1", "One", "")),
        ("One, two,1", ("field_count", "expected 2 fields, found 3", "One, two,1", "")),
        ('"One, ""two""",x,1', ("field_count", "expected 2 fields, found 3", '"One, ""two""",x,1', "")),
        ("  ,1", ("blank_title", "the title is blank", "  ", "1")),
        ("\u200b,1", ("blank_title", "the title is blank", "\u200b", "1")),
        ("a" * 10_001 + ",1", ("long_title", "the title has 10,001 characters, expected at most 10,000")),
        ("One, Yes ", ("unknown_label", "the label is ' Yes ', expected 0 or 1", "One", " Yes ")),
        (f"One,{'x' * 41}", ("unknown_label", f"the label is '{'x' * 37}...', expected 0 or 1", "One", "x" * 41)),
        ("One,", ("blank_label", "the label is blank, expected 0 or 1", "One", "")),
        (b"O\xfcne,1", ("not_utf8", "the title is not UTF-8: byte 0xfc at character 2", "O\ufffdne", "1")),
        (b"\xc3\xa9\xff,1", ("not_utf8", "the title is not UTF-8: byte 0xff at character 2", "é\ufffd", "1")),
        (b"One,\xff", ("not_utf8", "the label is not UTF-8: byte 0xff at character 1", "One", "\ufffd")),
        ("O\ufffd,1", ("not_utf8", "the title has lost a character: U+FFFD at character 2", "O\ufffd", "1")),
        ("O\0ne,1", ("nul", "the title has a NUL byte at character 2", "O\ufffdne", "1")),
        (
            '"One" two,1',
            ("quoting", "text after a closing quote; quotes inside a field are doubled", '"One" two,1', ""),
        ),
        (
            '"One\ntwo" three,1',
            ("quoting", "text after a closing quote, line 4; quotes inside a field are doubled", '"One\ntwo" three,1'),
        ),
        ("a" * (MAX_FIELD_CHARACTERS + 1) + ",1", ("long_field", "a field has more than 1,048,576 characters")),
    ],
    ids=lambda value: ascii(value[:20]) if isinstance(value, str | bytes) else value[0],
)
def test_a_bad_row_is_a_fault_with_its_text_and_the_rows_around_it_stay(write, row, expected):
    row = row.encode() if isinstance(row, str) else row
    before, fault, after = read(write(b"title,label\nBefore,0\n" + row + b"\nAfter,1\n"))
    assert (before, after) == (Row(2, "Before", 0), Row(4 + row.count(b"\n"), "After", 1))
    assert fault.line == 3
    assert fault[1 : 1 + len(expected)] == expected


def test_a_fault_names_the_columns_as_the_file_does(write):
    path = write(b"headline,clickbait,where from\n,1,\nOne,yes,\nOne,1,\xff\n")
    reasons = [fault.reason for fault in read(path, text_column="headline", label_column="clickbait")]
    assert reasons == [
        "the headline is blank",
        "the clickbait is 'yes', expected 0 or 1",
        "the where from is not UTF-8: byte 0xff at character 1",
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_line_numbers_count_as_an_editor_does(write, newline):
    lines = ["title,label", '"spans', "two", 'three lines",1', "", "bad,9", "", '"also', 'spans",8', ",1", '"x"y,1']
    path = write(newline.join([*lines, "last,1"]) + newline)
    found = read(path)
    assert found[0] == Row(2, newline.join(["spans", "two", "three lines"]), 1)
    assert [fault.line for fault in found[1:-1]] == [6, 8, 10, 11]
    assert found[-1] == Row(12, "last", 1)


@pytest.mark.parametrize(
    "row",
    [
        "x" * (3 * MAX_FIELD_CHARACTERS) + ",1",
        ",".join(["x" * (MAX_FIELD_CHARACTERS - 1)] * 3),
        '"' + "x" * MAX_FIELD_CHARACTERS + '"x,1',
    ],
    ids=["long_field", "field_count", "quoting"],
)
def test_the_text_of_a_fault_is_no_longer_than_what_can_be_read_back(write, row):
    (fault,) = read(write(f"title,label\n{row}\n"))
    assert len(fault.title) == MAX_FIELD_CHARACTERS


def test_a_quote_that_another_row_closes_is_a_fault_that_counts_its_lines(write):
    rows = "".join(f"Headline {number},{number % 2}\n" for number in range(30))
    long_row = f'"Storm\n{rows}hits coast",1\n'
    path = write(f"title,label\nBefore,0\n{long_row}After,1\n")
    before, fault, after = read_rows(path, DATA)
    assert (before.title, after.title) == ("Before", "After")
    assert (fault.line, fault.rule, fault.lines) == (3, "long_row", 32)
    assert "spans 32 lines, expected at most 20" in fault.reason


def test_a_title_of_some_lines_is_a_title(write):
    text = "\n".join("line" for _ in range(20))
    (row,) = read_rows(write(f'title,label\n"{text}",1\n'), DATA)
    assert row.title == text


# ---- Files that cannot be read


@pytest.mark.parametrize("function", [read_header, read_rows])
@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("headline,label", "Received: headline, label. Name the right column with --text-column, or add the line of"),
        ("title,clickbait", "Received: title, clickbait. Name the right column with --label-column, or add the"),
        ("title;label", "Received: title;label. Separate the columns with commas, not semicolons."),
        ("title,label,title", "Received: 'title' more than once in title, label, title. Rename or remove one."),
        ("x,label,title,x", "Received: 'x' more than once in x, label, title, x. Rename or remove one."),
        (
            ",".join(map(str, range(30))),
            "Received: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 1",
        ),
        ("x" * 99, f"Received: {'x' * 37}.... Name"),
    ],
)
@pytest.mark.parametrize(("before", "line"), [("", 1), ("\n\n", 3)])
def test_a_header_that_is_not_what_was_expected_is_shown_with_the_way_out(
    write, function, header, problem, before, line
):
    path = write(f"{before}{header}\nOne,1,x\n")
    with pytest.raises(InputError) as caught:
        list(function(path, DATA))
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert problem in str(caught.value)


def test_the_text_and_the_label_are_two_columns(write):
    with pytest.raises(InputError, match="The text and the label must be two columns. Received: 'label' for both."):
        read(write("title,label\n"), text_column="label")


def test_the_rows_before_a_file_fault_are_read(write):
    rows = read_rows(write('title,label\nOne,1\n"Two,0\nThree,1\n'), DATA)
    assert next(rows) == Row(2, "One", 1)
    with pytest.raises(
        InputError, match=r"a.csv:3: a quoted field must be closed. Received: .* at the end of the file"
    ):
        next(rows)


def test_a_quote_that_stays_open_reads_no_more_than_a_field_may_have(write):
    path = write('title,label\n"One,1\n' + f"{'x' * 99},0\n" * 100_000)
    with pytest.raises(InputError, match=r"a.csv:2: .* whose quote is still open 10,2\d\d lines on. Close it"):
        read(path)
