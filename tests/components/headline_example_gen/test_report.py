"""The report counts every row once, whichever part of an ingest saw it."""

import json

from components.headline_example_gen.report import Tally, make_report, sum_tallies

PATHS = ["a.csv", "b.csv", "c.csv"]
SPLITS = ["train", "eval"]
SPLIT = {"by": ""}
NONE = {"read": 0, "accepted": 0, "duplicates": 0, "in_eval": 0, "rejected": 0, "rejected_lines": 0, "left_out": 0}


def tally(*counts, rules=(), splits=()) -> str:
    made = Tally()
    for file, outcome, number in counts:
        made.count(file, outcome, number)
    made.rules.update(dict(rules))
    for split, label in splits:
        made.count_split(split, label)
    return made.to_json()


def test_an_ingest_of_nothing_is_all_zeros():
    report = make_report(sum_tallies([]), ["a.csv"], SPLITS, [], SPLIT)
    assert report == {
        "rows": NONE,
        "rejected_by_rule": {},
        "splits": {"train": {"rows": 0, "clickbait": 0}, "eval": {"rows": 0, "clickbait": 0}},
        "files": [{"path": "a.csv", **NONE}],
        "faults": [],
        "split": {"by": ""},
        "in_eval": [],
    }


def test_parts_add_up_by_file_rule_and_split():
    parts = [
        tally((0, "read", 10), (0, "rejected", 2), rules={"nul": 1, "blank_title": 1}),
        tally((2, "read", 5), (2, "rejected", 1), rules={"nul": 1}),
        tally((0, "accepted", 5), (0, "duplicates", 1), splits=[("train", 1), ("train", 0), ("eval", 1)]),
        tally((0, "rejected", 2), (2, "accepted", 4), (2, "left_out", 3), rules={"conflict": 2}, splits=[("train", 1)]),
    ]
    fault = {"file": "a.csv", "line": "2"}
    report = make_report(sum_tallies(parts), PATHS, SPLITS, [fault], SPLIT)
    assert report["files"] == [
        {
            "path": "a.csv",
            "read": 10,
            "accepted": 5,
            "duplicates": 1,
            "in_eval": 0,
            "rejected": 4,
            "rejected_lines": 0,
            "left_out": 0,
        },
        {"path": "b.csv", **NONE},
        {"path": "c.csv", **NONE, "read": 5, "accepted": 4, "rejected": 1, "left_out": 3},
    ]
    assert report["rows"] == {
        "read": 15,
        "accepted": 9,
        "duplicates": 1,
        "in_eval": 0,
        "rejected": 5,
        "rejected_lines": 0,
        "left_out": 3,
    }
    assert list(report["rejected_by_rule"].items()) == [("blank_title", 1), ("conflict", 2), ("nul", 2)]
    assert report["splits"] == {"train": {"rows": 3, "clickbait": 2}, "eval": {"rows": 1, "clickbait": 1}}
    assert report["faults"] == [fault]
    assert make_report(sum_tallies(parts[::-1]), PATHS, SPLITS, [fault], SPLIT) == report
    assert json.loads(json.dumps(report)) == report


def test_a_rule_that_took_its_last_row_is_not_named():
    report = make_report(sum_tallies([tally((0, "read", 1), (0, "accepted", 1))]), ["a.csv"], SPLITS, [], SPLIT)
    assert report["rejected_by_rule"] == {}
    assert report["rows"] == {**NONE, "read": 1, "accepted": 1}
