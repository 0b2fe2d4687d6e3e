"""All that data can have wrong, as one table: each is told by file, line and rule, none ends in a traceback.

A bad file ends a run with exit code 2. A bad row is set aside; how many may be is for the gate, with exit code 3.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.errors import InputError
from components.headline_example_gen.resolve import CONFLICT
from components.labelled_csv.rows import Fault, Row, read_header, read_rows
from tests.components.headline_example_gen.bad_inputs import (
    BAD_FILES,
    BAD_ROWS,
    BAD_TITLES_TWICE,
    FILE,
    GOOD,
    HEADER,
    BadFile,
)
from tests.components.headline_example_gen.ingests import DATA, account, run_executor

ROOT = Path(__file__).parents[3]


def test_the_table_is_as_long_as_promised():
    every = [*BAD_ROWS, *BAD_FILES]
    assert len({bad.id for bad in BAD_ROWS}) == len(BAD_ROWS)
    assert len({bad.id for bad in BAD_FILES}) == len(BAD_FILES)
    assert len(every) + len(BAD_TITLES_TWICE) >= 60


# ---- Rows


@pytest.mark.parametrize("bad", BAD_ROWS, ids=lambda bad: bad.id)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_a_bad_row_is_set_aside_with_its_line_and_rule(tmp_path, bad, newline):
    path = tmp_path / "a.csv"
    lines = [HEADER, *GOOD[:50], bad.row + b"\n", *GOOD[50:]]
    path.write_bytes(b"".join(lines).replace(b"\n", newline))
    rows = list(read_rows(str(path), DATA))
    (fault,) = (row for row in rows if isinstance(row, Fault))
    assert (fault.line, fault.rule) == (52, bad.rule)
    assert bad.reason.format(end=52 + bad.row.count(b"\n")) in fault.reason
    assert len(rows) == 1 + len(GOOD)
    assert [row for row in rows if row != fault] == [
        Row(2 + number + (number >= 50) * (1 + bad.row.count(b"\n")), f"Headline {number}", number % 2)
        for number in range(100)
    ]


@pytest.mark.parametrize(("id", "rows"), BAD_TITLES_TWICE, ids=[case[0] for case in BAD_TITLES_TWICE])
def test_a_title_with_both_labels_is_set_aside_wherever_it_is(tmp_path, id, rows):
    paths = [_write(tmp_path / f"{file}.csv", [row for at, row in rows if at == file]) for file in (0, 1)]
    found = account([str(path) for path, _ in paths])
    assert [(file, fault.line) for file, fault in found.faults] == [
        (file, line) for file, (_, lines) in enumerate(paths) for line in lines
    ]
    assert {fault.rule for _, fault in found.faults} == {CONFLICT}
    assert len(found.accepted) == len(GOOD)


@pytest.mark.slow
def test_of_all_bad_rows_at_once_the_executor_sets_aside_each_and_no_other(tmp_path):
    halves = [[bad.row for bad in BAD_ROWS[file::2]] for file in (0, 1)]
    for _, rows in BAD_TITLES_TWICE:
        for file, row in rows:
            halves[file].append(row)
    files = [_write(tmp_path / "in" / f"{file}.csv", rows) for file, rows in enumerate(halves)]
    expected = []
    for file, (path, lines) in enumerate(files):
        rules = [bad.rule for bad in BAD_ROWS[file::2]]
        expected += [(str(path), str(line), rule) for line, rule in zip(lines, rules, strict=False)]
        expected += [(str(path), str(line), CONFLICT) for line in lines[len(rules) :]]

    left = run_executor(tmp_path / "in", tmp_path / "out")

    assert [(reject["file"], reject["line"], reject["rule"]) for reject in left.rejects] == expected
    assert left.report["rows"] == {
        "read": len(expected) + 2 * len(GOOD),
        "accepted": len(GOOD),
        "duplicates": len(GOOD),
        "in_eval": 0,
        "rejected": len(expected),
        "rejected_lines": sum(fault.lines for _, fault in account([str(path) for path, _ in files]).faults),
        "left_out": 0,
    }
    assert left.rows == sorted((f"Headline {number}", number % 2) for number in range(100))
    assert len(json.dumps(left.report)) < 1 << 20, "the report shows long texts cut"


def _write(path: Path, rows: list[bytes]) -> tuple[Path, list[int]]:
    """Writes rows, each after a good one, and all the good ones; returns the path and the rows' lines."""
    lines, text = [], HEADER
    for good, row in zip(GOOD, rows, strict=False):
        text += good
        lines.append(1 + text.count(b"\n"))
        text += row + b"\n"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text + b"".join(GOOD[len(rows) :]))
    return path, lines


# ---- Files


def _sample(*ids: str) -> list:
    return [pytest.param(bad, id=bad.id) for bad in BAD_FILES if bad.id in ids]


def _check_message(error: InputError, bad: BadFile, path: Path) -> None:
    assert str(error).startswith(f"{path}:{bad.line}: " if bad.line else f"{path}: ")
    assert bad.message in str(error)
    assert len(str(error)) < 1000
    assert error.exit_code == 2


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: bad.id)
def test_a_bad_file_is_refused_by_its_name_and_line(tmp_path, bad):
    path = tmp_path / bad.name
    path.write_bytes(bad.content)
    with pytest.raises(InputError) as caught:
        list(read_rows(str(path), DATA))
    _check_message(caught.value, bad, path)


#: A file for each place at which reading breaks off.
ALONE = (
    "empty",
    "title twice",
    "header with an open quote",
    "UTF-16 in gzip",
    "random bytes",
    "ZIP, or a spreadsheet",
    "gzip with a wrong checksum",
    "not gzip, named .gz",
    "open quote in the last row",
    "16 MiB without a newline",
)


@pytest.mark.slow
@pytest.mark.parametrize("bad", _sample(*ALONE))
def test_a_bad_file_ends_the_executor_and_leaves_no_examples(tmp_path, bad):
    path, output = tmp_path / "in" / bad.name, tmp_path / "out"
    path.parent.mkdir()
    path.write_bytes(bad.content)
    with pytest.raises(InputError) as caught:
        run_executor(path, output)
    _check_message(caught.value, bad, path)
    assert not [path for path in output.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_all_bad_files_are_named_at_once_whatever_good_ones_are_beside_them(tmp_path):
    folder, paths = tmp_path / "in", []
    folder.mkdir()
    for number, bad in enumerate(BAD_FILES):
        ending = "".join(Path(bad.name).suffixes)
        paths.append(folder / f"{number:02}{ending}")
        paths[-1].write_bytes(bad.content)
        (folder / f"{number:02}-good.csv").write_bytes(FILE)
    with pytest.raises(InputError) as caught:
        run_executor(folder, tmp_path / "out")
    messages = re.split(rf"\n(?={re.escape(str(folder))}/)", str(caught.value))
    for message, bad, path in zip(messages, BAD_FILES, paths, strict=True):
        _check_message(InputError(message), bad, path)
    assert caught.value.exit_code == 2
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_a_folder_or_nothing_in_place_of_a_file_is_refused_by_its_name(tmp_path):
    for path, found in ((tmp_path, "Is a directory"), (tmp_path / "a.csv", "No such file or directory")):
        with pytest.raises(InputError, match=f"^{path}: .* Received: {found}.$"):
            list(read_rows(str(path), DATA))


def test_a_file_whose_name_is_no_text_is_refused_for_no_report_could_name_it(tmp_path):
    path = str(tmp_path / "caf\udce9.csv")
    try:
        Path(path).write_bytes(FILE)
    except OSError:
        pytest.skip("a filesystem of Unicode names")
    for function in (read_header, read_rows):
        with pytest.raises(
            InputError, match=f"^{tmp_path}/caf\ufffd.csv: a file's name must be UTF-8. Received: other bytes"
        ):
            list(function(path, DATA))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read_is_refused_by_its_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(FILE)
    path.chmod(0)
    with pytest.raises(InputError, match=f"^{path}: .* Received: Permission denied.$"):
        list(read_rows(str(path), DATA))


# ---- The command line


def _check_run(tmp_path: Path, bad: BadFile, call: Callable[..., Any], *arguments: object) -> None:
    path, output = tmp_path / bad.name, tmp_path / "output"
    path.write_bytes(bad.content)
    ran = call("run", "--preset", "smoke", "--data", path, "--output", output, *arguments)
    said = ran.stdout + ran.stderr
    assert ran.returncode == 2, said
    assert "Traceback" not in said
    # A terminal breaks long lines.
    together = "".join(ran.stderr.split())
    assert "".join((f"{path}:{bad.line}:" if bad.line else f"{path}:").split()) in together
    assert "".join(bad.message.split()) in together
    assert not (output / "serving_model").exists()


@pytest.mark.parametrize(
    "bad",
    _sample(
        "empty",
        "no header",
        "semicolons",
        "UTF-16 little-endian, marked",
        "ZIP, or a spreadsheet",
        "Cyrillic of Windows",
    ),
)
def test_a_file_without_the_columns_ends_the_command_before_anything_is_written(tmp_path, answer, bad):
    _check_run(tmp_path, bad, answer)
    assert not (tmp_path / "output").exists()


@pytest.mark.slow
@pytest.mark.parametrize("bad", _sample("open quote in the last row", "gzip with a wrong checksum"))
def test_a_file_that_breaks_off_ends_the_run_with_a_verdict_and_no_model(tmp_path, tiny_encoder, clickbait, bad):
    def call(*arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run([clickbait, *map(str, arguments)], capture_output=True, text=True, check=False)

    _check_run(tmp_path, bad, call, "--encoder", tiny_encoder)
    (verdict,) = (tmp_path / "output").rglob("verdict.json")
    verdict = json.loads(verdict.read_text(encoding="utf-8"))
    assert (verdict["status"], verdict["exit_code"]) == ("failed", 2)
    assert bad.message in verdict["reason"]
