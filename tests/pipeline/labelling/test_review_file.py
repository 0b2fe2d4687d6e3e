"""The file that people answer."""

from __future__ import annotations

import csv

import pytest

from components.errors import InputError
from components.headline_example_gen.fixes import read_fixes
from components.headline_example_gen.settings import DataConfig
from pipeline.labelling.review_file import ReviewRow, check_target, write_review

SETTINGS = DataConfig(text_column="Texto", label_column="clase", labels={"no": 0, "sí": 1})
ROWS = [ReviewRow("=SUM(A1)\r\n¿Qué?", "no", 0.98765, True, "sí in a.csv:3"), ReviewRow("Two, three", "", 0.5)]


def answer(path, *answers):
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        sink = csv.DictWriter(stream, rows[0])
        sink.writeheader()
        sink.writerows({**row, "answer": given} for row, given in zip(rows, answers, strict=True))


def test_answers_come_back_by_the_texts_as_they_were(tmp_path):
    path = tmp_path / "review.csv"
    check_target(path, SETTINGS, force=False)
    write_review(path, ROWS, SETTINGS)
    first, *_ = path.read_text(encoding="utf-8").splitlines()
    assert first == "Texto,clase,score,suspect,contradictions,answer"
    with path.open(encoding="utf-8", newline="") as stream:
        assert [*csv.reader(stream)][1:] == [
            ["'=SUM(A1)\r\n¿Qué?", "no", "0.9877", "1", "sí in a.csv:3", ""],
            ["Two, three", "", "0.5000", "0", "", ""],
        ]
    check_target(path, SETTINGS, force=False)  # nothing is lost by writing it anew
    answer(path, "sí", "0")
    assert read_fixes(str(path), SETTINGS).labels == {"=SUM(A1)\r\n¿Qué?": 1, "Two, three": 0}


def test_no_answer_is_overwritten_but_by_force(tmp_path):
    path = tmp_path / "review.csv"
    write_review(path, ROWS, SETTINGS)
    answer(path, "sí", "")
    with pytest.raises(InputError, match="Received: .*review.csv, which has 1 answers. Give another --out, or --force"):
        check_target(path, SETTINGS, force=False)
    check_target(path, SETTINGS, force=True)


@pytest.mark.parametrize("content", [b"title,label\na,0\n", b"\xff\xfe\x00", b""])
def test_a_file_of_another_kind_is_not_overwritten(tmp_path, content):
    (tmp_path / "data.csv").write_bytes(content)
    with pytest.raises(InputError, match="which is no review file"):
        check_target(tmp_path / "data.csv", SETTINGS, force=False)


def test_places_that_no_file_can_have(tmp_path):
    with pytest.raises(InputError, match="Received: .*, a folder. Give another."):
        check_target(tmp_path, SETTINGS, force=True)
    with pytest.raises(InputError, match="in a folder that is not there"):
        check_target(tmp_path / "no" / "a.csv", SETTINGS, force=True)
    with pytest.raises(InputError, match="--out must be writable"):
        write_review(tmp_path / "no" / "a.csv", ROWS, SETTINGS)


def test_columns_of_the_data_with_the_names_of_added_ones_are_refused(tmp_path):
    with pytest.raises(InputError, match="Received: 'score'. Rename it."):
        check_target(tmp_path / "a.csv", DataConfig(label_column="score"), force=False)
