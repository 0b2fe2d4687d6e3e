"""People's answers that stand for labels: read strictly, applied by exact title, counted, and undone by leaving out."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import pytest

from components.data_gate.policy import GateConfig
from components.data_gate.rules import judge_label_fixes
from components.errors import InputError
from components.headline_example_gen.files import data_digest
from components.headline_example_gen.fixes import LabelFixes, read_fixes
from components.headline_example_gen.report import Tally
from components.headline_example_gen.settings import DataConfig
from components.labelled_csv.digests import file_digest
from components.labelled_csv.rows import REVIEW_NOTES, Fault, Row, read_rows
from serving.untrusted import inert_cell
from tests.components.headline_example_gen.ingests import run_executor, write_csv

WORDS = DataConfig(labels={"news": 0, "clickbait": 1})
HEADER = ("title", "label", *REVIEW_NOTES)


def review_rows(*answers: tuple[str, str]):
    return [(inert_cell(title), "news", "0.5", "1", "", answer) for title, answer in answers]


@pytest.fixture
def write(tmp_path):
    """Writes a review file of titles and answers, and returns its path."""

    def write(*answers: tuple[str, str], name: str = "review.csv") -> str:
        return write_csv(tmp_path / name, review_rows(*answers), HEADER)

    return write


def test_answers_are_words_of_the_labels_or_0_and_1_and_an_empty_one_is_none(write):
    path = write(("Café", " Clickbait"), ("=1+1", "0"), ("-5 Ways", "1"), ("None", ""), ("None", " "), ("Two", "news"))
    fixes = read_fixes(path, WORDS)
    assert fixes.labels == {"Café": 1, "=1+1": 0, "-5 Ways": 1, "Two": 0}
    assert fixes.places["Two"] == f"{path}:7"
    assert fixes.digests == [file_digest(path)]
    assert read_fixes(None, WORDS) == LabelFixes()


def test_a_label_that_the_data_calls_0_is_what_the_data_means_by_it(write):
    assert read_fixes(write(("A", "0")), DataConfig(labels={"0": 1, "1": 0})).labels == {"A": 1}


def test_more_files_may_agree_on_a_title(write, tmp_path):
    write(("A", "1"), name="in/a.csv"), write(("A", "clickbait"), ("B", "0"), name="in/b.csv")
    assert read_fixes(str(tmp_path / "in"), WORDS).labels == {"A": 1, "B": 0}


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (
            [("A", "1"), ("B", "maybe")],
            r"csv:3: an answer of .* 1 or news or clickbait, .* the answer is 'maybe', expect",
        ),
        (
            [("A", "1"), ("A", ""), ("A", "0")],
            r"csv:4: a title must have one answer .* 0 here and 1 in \S+csv:2 for 'A'",
        ),
        ([("", "1")], r"csv:2: an answer of data.label_fixes must be .* Received: the title is blank. Mend the row."),
    ],
    ids=["no label", "two answers", "no title"],
)
def test_answers_that_cannot_be(write, answers, message):
    with pytest.raises(InputError, match=message):
        read_fixes(write(*answers), WORDS)


def test_files_that_cannot_be(tmp_path):
    with pytest.raises(InputError, match=r"gone.csv, where there is nothing. Give data.label_fixes FILE"):
        read_fixes(str(tmp_path / "gone.csv"), WORDS)
    path = write_csv(tmp_path / "a.csv", [("A", 1)])
    with pytest.raises(
        InputError, match="'title' and 'answer'. Received: title, label. Name the right column with `answ"
    ):
        read_fixes(path, WORDS)


def test_a_review_file_is_data_whose_label_is_the_answer_where_there_is_one(write):
    read = read_rows(write(("@me", "clickbait"), ("B", ""), ("C", "1")), WORDS)
    fault = Fault(4, "unknown_label", "the label is '1', expected news or clickbait", "C", "1")
    assert list(read) == [Row(2, "@me", 1), Row(3, "B", 0), fault]


def test_what_answers_did_is_in_the_report():
    total = Tally()
    total.count(0, "answered", 3)
    total.count(1, "relabelled", 2)
    fixes = LabelFixes({"A": 1, "B": 0, "C": 1}, {"A": "r.csv:2", "B": "r.csv:3", "C": "r.csv:4"}, ["sha256:1"])
    assert fixes.report({"A"}, total) == {
        "answers": 3,
        "answered": 3,
        "relabelled": 2,
        "absent": 2,
        "shown": [{"place": "r.csv:3", "title": "B"}, {"place": "r.csv:4", "title": "C"}],
    }
    assert LabelFixes().report(set(), total) is None


def test_answers_for_titles_that_are_not_there_are_a_finding():
    report = {
        "answers": 2,
        "answered": 4,
        "relabelled": 1,
        "absent": 1,
        "shown": [{"place": "r.csv:3", "title": "Bo 1"}],
    }
    (finding,) = judge_label_fixes(report, GateConfig())
    assert (finding.kept, finding.observed, finding.examples) == (False, 1, ["r.csv:3: Bo 1"])
    assert finding.detail == "2 answers: 1 rows have another label by them, and 1 titles are no row's exactly"
    (masked,) = judge_label_fixes(report, GateConfig(mask_examples=True))
    assert masked.examples == ["r.csv:3: Xx 0"]
    (kept,) = judge_label_fixes({**report, "absent": 0, "shown": []}, GateConfig())
    assert kept.kept
    assert not list(judge_label_fixes(None, GateConfig()))


def test_the_digest_goes_by_the_answers(write, tmp_path):
    data = write_csv(tmp_path / "a.csv", [("A", 1)])
    plain, fixed = data_digest([data]), data_digest([data], fix_paths=[write(("A", "1"))])
    other = data_digest([data], fix_paths=[write(("A", "0"))])
    assert plain == file_digest(data)
    assert len({plain, fixed, other, data_digest([data], [write(("A", "0"))])}) == 4


def test_the_ingest_applies_answers_by_exact_title_and_counts_them(write, tmp_path):
    rows = [
        ("One", 0),
        ("one", 0),
        ("Both", 0),
        ("Both", 1),
        ("Same", 1),
        ("Blank", ""),
        *((f"T{n}", 1) for n in range(9)),
    ]
    data = write_csv(tmp_path / "data.csv", rows)
    path = write(("One", "1"), ("Both", "1"), ("Same", "1"), ("Gone", "0"), ("Blank", "1"), ("T1", ""))
    expected = data_digest([data], fix_paths=[path])
    left = run_executor(data, tmp_path / "out", label_fixes=path, content_digest=expected)
    assert dict(left.rows) == {"One": 1, "one": 0, "Both": 1, "Same": 1, **{f"T{n}": 1 for n in range(9)}}
    assert left.report["rows"] | {"rejected_lines": 1} == left.report["rows"]
    assert left.report["rows"]["duplicates"] == 1
    fixes = left.report["label_fixes"]
    assert fixes == {
        "answers": 5,
        "answered": 4,
        "relabelled": 2,
        "absent": 2,
        "shown": [{"place": f"{path}:5", "title": "Gone"}, {"place": f"{path}:6", "title": "Blank"}],
    }
    with pytest.raises(InputError, match="The data must not change while a run reads it"):
        run_executor(data, tmp_path / "changed", label_fixes=write(("One", "0")), content_digest=expected)
