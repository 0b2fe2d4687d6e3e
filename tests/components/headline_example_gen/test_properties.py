"""Whatever a CSV holds: each row is accepted, a repeat or rejected, once, and nothing about the order matters."""

from __future__ import annotations

import csv
import io
import tempfile
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import InputError
from components.headline_example_gen.rejects import PartWriter, merge_parts
from components.labelled_csv.rows import Fault, Row
from components.titles import normalize
from serving.untrusted import MAX_FIELD_CHARACTERS, inert_cell
from tests.components.headline_example_gen.ingests import DATA, Account, account, run_executor, write_csv

pytestmark = pytest.mark.slow

# Enough for no generated file to look like a binary one.
GOOD = [(f"A quite ordinary headline about the number {number}", number % 2) for number in range(40)]

# ---- What is generated: rows as bytes, without their line ends

_words = st.sampled_from(
    ["Budget", "Straße", "café", "Ａ１", "ΟΔΟΣ", "ﬁve", "日本", "won’t", "😀", "İ", "a\u0301\u0323"]
)
_spelt = st.builds(
    lambda words, gap, form, recase: unicodedata.normalize(form, recase(gap.join(words))),
    st.lists(_words, min_size=1, max_size=2),
    st.sampled_from([" ", "  ", "\u00a0", " \u200b", "\n", "\r\n", ", ", '"', "\t"]),
    st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
    st.sampled_from([str, str.upper, str.lower, str.title]),
)
_titles = _spelt | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
_labels = st.sampled_from(["0", "1", " 1", "0\u00a0"])
_bad_labels = st.sampled_from(["", " ", "2", "yes", "1.0", "１", "0\u200b"])
_bad_titles = st.sampled_from(["", "  ", "\u200b\u00a0", "\ufffd", "lost \ufffd", "x" * 10_001])


def _written(fields, quoting=csv.QUOTE_MINIMAL) -> bytes:
    line = io.StringIO()
    csv.writer(line, quoting=quoting, lineterminator="").writerow(fields)
    return line.getvalue().encode()


_good_rows = st.builds(
    lambda title, label, quoting: _written((title, label), quoting),
    _titles,
    _labels,
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
_bad_rows = (
    st.builds(lambda title, label: _written((title, label)), _titles, _bad_labels)
    | st.builds(lambda title, label: _written((title, label)), _bad_titles, _labels | _bad_labels)
    | st.builds(_written, st.lists(_titles, min_size=3, max_size=4))
    | st.builds(lambda title: _written((title,), csv.QUOTE_ALL), _titles)
    | st.sampled_from(
        [b"caf\xc3,1", b"\xff,0", b"One\0,1", b"One,\xed\xa0\x80", b"# One", b"\x1a", b'"One" two,1', b'""']
    )
)
_blank_lines = st.sampled_from([b"", b"\n", b"\r\n"])
_any_bytes = st.binary(max_size=12)
_whole = _good_rows | _bad_rows | _blank_lines
"""Rows that end with their lines, so that they can be shuffled."""
_line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


def _file(rows, line_end: bytes, *, bom: bool = False, good=GOOD) -> bytes:
    lines = [b"title,label", *rows, *(_written(row) for row in good)]
    return bom * b"\xef\xbb\xbf" + b"".join(line + line_end for line in lines)


_files = st.builds(
    lambda rows, line_end, bom: _file(rows, line_end, bom=bom),
    st.lists(_whole | _any_bytes, max_size=12),
    _line_ends,
    st.booleans(),
)


def _paths(folder: str, contents: list[bytes]) -> list[str]:
    paths = [Path(folder) / f"{number}.csv" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return [str(path) for path in paths]


# ---- The oracle: the csv module itself, without our reading


def _records(content: bytes) -> list[tuple[int, list[str]]] | None:
    """Line and fields of each record that is no blank line; None where the csv module refuses the file."""
    text = content.decode("utf-8-sig", "surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records, line = [], 1
    try:
        for fields in reader:
            if fields:
                records.append((line, fields))
            line = reader.line_num + 1
    except csv.Error:
        return None
    return records[1:]


def _check_account(found: Account, contents: list[bytes]) -> None:
    assert len(found.read) == len(found.accepted) + found.duplicates + len(found.faults)
    kept = [resolution.kept for resolution in found.resolutions if resolution.kept]
    repeats = [repeat for resolution in found.resolutions for repeat in resolution.repeats]
    places = [(row.file, row.line) for row in kept + repeats] + [(file, fault.line) for file, fault in found.faults]
    assert len(set(places)) == len(places), "no row is counted twice"

    records = [_records(content) for content in contents]
    if None in records:
        return
    assert len(found.read) == sum(map(len, records))
    for row, (line, fields) in zip(found.read, (record for part in records for record in part), strict=True):
        assert row.line == line
        if isinstance(row, Row):
            assert (row.title, row.label) == (fields[0], int(fields[1].strip()))
    by_title: dict[str, set[int]] = {}
    for row in found.read:
        if isinstance(row, Row):
            by_title.setdefault(row.title, set()).add(row.label)
    assert found.accepted == sorted((title, *labels) for title, labels in by_title.items() if len(labels) == 1)


# ---- Properties


@settings(max_examples=300, deadline=None)
@given(st.lists(_files, min_size=1, max_size=3))
def test_every_row_is_accepted_a_repeat_or_rejected(contents):
    with tempfile.TemporaryDirectory() as folder:
        paths = _paths(folder, contents)
        try:
            found = account(paths)
        except InputError as error:
            # An open quote, which the csv module refuses as well.
            assert None in map(_records, contents)
            assert str(error).startswith(folder)
            return
    _check_account(found, contents)


@settings(max_examples=8, deadline=None)
@given(st.lists(_files, min_size=1, max_size=3))
def test_the_executor_finds_what_the_functions_find(contents):
    with tempfile.TemporaryDirectory() as folder:
        paths = _paths(folder, contents)
        try:
            found = account(paths)
        except InputError as error:
            with pytest.raises(InputError) as caught:
                run_executor(f"{folder}/*.csv", Path(folder) / "out")
            assert str(error) in str(caught.value)
            return
        left = run_executor(f"{folder}/*.csv", Path(folder) / "out")
        _check_account(found, contents)
        assert left.report["rows"] == {
            "read": len(found.read),
            "accepted": len(found.accepted),
            "duplicates": found.duplicates,
            "in_eval": 0,
            "rejected": len(found.faults),
            "rejected_lines": sum(fault.lines for _, fault in found.faults),
            "left_out": 0,
        }
        assert left.report["rejected_by_rule"] == dict(Counter(fault.rule for _, fault in found.faults))
        assert left.rows == found.accepted
        train, evaluation = ({normalize(title) for title, _ in left.split(name)} for name in ("train", "eval"))
        assert not train & evaluation
        assert [tuple(reject.values()) for reject in left.rejects] == [
            (inert_cell(fault.title), inert_cell(fault.label), paths[file], str(fault.line), fault.rule, fault.reason)
            for file, fault in found.faults
        ]


@settings(max_examples=200, deadline=None)
@given(st.lists(_good_rows, min_size=2, max_size=20))
def test_equal_normalized_titles_go_to_one_split(rows):
    with tempfile.TemporaryDirectory() as folder:
        found = account(_paths(folder, [_file(rows, b"\n")]))
    splits: dict[str, set[str]] = {}
    for resolution in found.resolutions:
        if resolution.kept:
            splits.setdefault(normalize(resolution.kept.title), set()).add(resolution.kept.split)
    assert all(len(names) == 1 for names in splits.values())


@settings(max_examples=200, deadline=None)
@given(st.lists(_whole, max_size=20), st.integers(1, 4), st.randoms(use_true_random=False), _line_ends)
def test_what_is_accepted_does_not_depend_on_the_order_of_rows_or_on_the_files(rows, files, chance, line_end):
    lines = [*rows, *map(_written, GOOD)]
    shuffled = chance.sample(lines, len(lines))
    with tempfile.TemporaryDirectory() as folder:
        one = account(_paths(folder, [_file(lines, line_end, good=[])]))
        cut = [_file(shuffled[number::files], line_end, good=GOOD[:20] if number else []) for number in range(files)]
        many = account(_paths(folder, cut))
    assert many.accepted == one.accepted
    assert sorted((fault.title, fault.label) for _, fault in many.faults) == sorted(
        (fault.title, fault.label) for _, fault in one.faults
    )


def _write_rejects(folder: str, found: Account, paths: list[str]) -> str:
    part, target = PartWriter(f"{folder}/part"), f"{folder}/rejects.csv"
    for file, fault in found.faults:
        part.write(file, fault)
    part.close()
    merge_parts([f"{folder}/part"] if found.faults else [], [], paths, DATA, target)
    return target


@settings(max_examples=200, deadline=None)
@given(st.lists(_files, min_size=1, max_size=2), st.integers(0, 1))
def test_rejects_are_rejected_again_until_they_are_mended_and_then_accepted_as_they_are(contents, label):
    with tempfile.TemporaryDirectory() as folder:
        paths = _paths(folder, contents)
        try:
            found = account(paths)
        except InputError:
            return
        rejects = _write_rejects(folder, found, paths)
        again = account([rejects])
        assert [(fault.title, fault.label) for _, fault in again.faults] == [
            (fault.title, fault.label) for _, fault in found.faults
        ]
        assert again.accepted == []

        with Path(rejects).open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        mended = [{**row, "title": f"Mended {at}", "label": label} for at, row in enumerate(rows)]
        with Path(rejects).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=["title", "label", "file", "line", "rule", "reason"])
            writer.writeheader()
            writer.writerows(mended)
        good = write_csv(Path(folder) / "good.csv", GOOD)
        beside = account([good, rejects])
    assert not beside.faults
    assert beside.accepted == sorted([*GOOD, *((row["title"], label) for row in mended)])


@settings(max_examples=200, deadline=None)
@given(st.lists(_any_bytes, max_size=6), st.binary(max_size=2000))
def test_bytes_of_any_kind_are_rows_or_refuse_the_file(rows, content):
    with tempfile.TemporaryDirectory() as folder:
        for data in (content, b"title,label\n" + content, _file([*rows, content], b"\n")):
            try:
                found = account(_paths(folder, [data]))
            except InputError as error:
                assert str(error).startswith(folder)
                continue
            assert len(found.read) == len(found.accepted) + found.duplicates + len(found.faults)
            for _, fault in found.faults:
                assert (fault.title + fault.label).encode()
                assert max(len(fault.title), len(fault.label)) <= MAX_FIELD_CHARACTERS
                assert isinstance(fault, Fault) and fault.rule and fault.reason and fault.line > 1
