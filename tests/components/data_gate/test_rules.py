"""Each rule says what it asked, what it saw, and whether that is enough."""

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.data_gate import rules
from tests.helpers.gate import a_policy


def counts(train=(700, 350), held_out=(300, 150)):
    return {
        "train": {"rows": train[0], "clickbait": train[1]},
        "eval": {"rows": held_out[0], "clickbait": held_out[1]},
    }


def ingest(read=1000, rejected=0, faults=(), lines=None):
    rows = {"read": read, "rejected": rejected, "rejected_lines": rejected if lines is None else lines}
    by_rule = {"nul": rejected} if rejected else {}
    return {"rows": rows, "rejected_by_rule": by_rule, "faults": list(faults)}


# ---- Rejects


@pytest.mark.parametrize(
    ("read", "rejected", "kept"), [(1000, 0, True), (1000, 10, True), (1000, 11, False), (5, 5, False), (0, 0, True)]
)
def test_rejects_are_let_pass_up_to_their_share(read, rejected, kept):
    (finding,) = rules.judge_rejects(ingest(read, rejected), a_policy(max_rejected_share=0.01))
    assert finding.kept is kept
    assert finding.bound == "<= 1.00% of the rows"
    assert f"{rejected:,} of {read:,} rows" in finding.detail


def test_a_row_that_swallowed_others_counts_as_often_as_it_has_lines():
    (finding,) = rules.judge_rejects(ingest(1000, 1, lines=500), a_policy(max_rejected_share=0.01))
    assert (finding.kept, finding.observed) == (False, "33.36%")
    assert finding.detail == "1 of 1,000 rows over 500 lines: 1 nul"


def test_the_first_rejects_are_shown_by_file_line_and_reason_or_masked():
    faults = [{"file": "a.csv", "line": line, "rule": "nul", "reason": f"byte {line}"} for line in range(2, 12)]
    (shown,) = rules.judge_rejects(ingest(1000, 10, faults), a_policy())
    (masked,) = rules.judge_rejects(ingest(1000, 10, faults), a_policy(mask_examples=True))
    assert shown.examples == [f"a.csv:{line}: byte {line}" for line in range(2, 7)]
    assert masked.examples == [f"a.csv:{line}: nul" for line in range(2, 7)]
    assert shown.detail.endswith(": 10 nul")


# ---- Rows and classes


def test_each_split_needs_rows():
    found = list(rules.judge_rows(counts(train=(50, 25), held_out=(49, 25)), a_policy(min_split_rows=50)))
    assert [(finding.where, finding.observed, finding.kept) for finding in found] == [
        ("train", 50, True),
        ("eval", 49, False),
    ]


@pytest.mark.parametrize(
    ("clickbait", "kept"), [(0, False), (49, False), (50, True), (500, True), (950, True), (951, False), (1000, False)]
)
def test_each_split_needs_both_classes(clickbait, kept):
    found = list(rules.judge_classes(counts(held_out=(1000, clickbait)), a_policy(min_minority_share=0.05)))
    assert [(finding.where, finding.kept) for finding in found] == [("train", True), ("eval", kept)]


def test_a_floor_of_zero_still_needs_both_classes():
    found = rules.judge_classes(counts(train=(700, 0)), a_policy(min_minority_share=0.0))
    assert [finding.kept for finding in found] == [False, True]


def test_an_empty_split_is_judged_by_its_rows_alone():
    nothing = counts(train=(0, 0), held_out=(0, 0))
    assert not list(rules.judge_classes(nothing, a_policy()))
    assert not list(rules.judge_split(nothing, 0.7, a_policy()))
    assert [finding.kept for finding in rules.judge_rows(nothing, a_policy())] == [False, False]


@pytest.mark.parametrize(
    ("train", "held_out", "kept"),
    [
        (22_400, 9_600, True),
        (22_900, 9_100, True),
        (24_000, 8_000, False),
        (20_000, 12_000, False),
        (70, 30, True),
        (82, 18, True),  # chance does that to a hundred rows
        (93, 7, False),
        (100, 0, False),
    ],
)
def test_the_split_is_held_to_its_shares_as_closely_as_chance_allows(train, held_out, kept):
    found = counts(train=(train, train // 2), held_out=(held_out, held_out // 2))
    (finding,) = rules.judge_split(found, 0.7, a_policy(split_tolerance=0.02))
    assert finding.kept is kept


def test_of_groups_the_split_differs_by_chance_as_much_as_so_few_rows():
    found = counts(train=(550, 275), held_out=(450, 225))
    (rows,) = rules.judge_split(found, 0.7, a_policy())
    (groups,) = rules.judge_split(found, 0.7, a_policy(), {"by": "x", "groups": 40, "units": 25.0})
    assert (rows.kept, groups.kept) == (False, True)
    assert "for chance of 40 groups, as 25 of equal size, in 1,000 rows" in groups.detail


def test_a_split_that_the_data_gives_is_not_held_to_a_share():
    (finding,) = rules.judge_split(counts(), None, a_policy(), {"by": "the column 'fold'"})
    assert (finding.kept, finding.observed, finding.detail) == (None, "70.0%", "split by the column 'fold'")


def test_a_split_without_rows_names_what_decides_it():
    _, held_out = rules.judge_rows(counts(held_out=(0, 0)), a_policy(), "the column 'fold'")
    assert (held_out.kept, held_out.detail) == (False, "split by the column 'fold'")


def test_rows_of_train_that_give_way_are_named():
    (finding,) = rules.judge_leakage(0, [], a_policy(), 7, ["a.csv:2 and b.csv:3"])
    assert finding.kept
    assert finding.detail.endswith(
        "; 7 rows of train are left out, whose title is in eval, too: a.csv:2 and b.csv:3; ..."
    )


def test_leaks_are_shown():
    (none,) = rules.judge_leakage(0, [], a_policy())
    (two,) = rules.judge_leakage(2, ["One", "Two"], a_policy(mask_examples=True))
    assert none.kept
    assert (two.kept, two.observed, two.examples) == (False, 2, ["Xxx", "Xxx"])


# ---- Anomalies


def test_anomalies_go_by_their_severity():
    anomalies = anomalies_pb2.Anomalies()
    anomalies.anomaly_info["label"].severity = anomalies_pb2.AnomalyInfo.ERROR
    anomalies.anomaly_info["label"].short_description = "Out-of-range values"
    anomalies.anomaly_info["title"].severity = anomalies_pb2.AnomalyInfo.WARNING
    found = list(rules.judge_anomalies({"train": anomalies, "eval": anomalies_pb2.Anomalies()}, a_policy()))
    assert [(finding.rule, finding.where, finding.kept) for finding in found] == [
        ("schema_errors", "train label", False),
        ("schema_warnings", "train title", False),
    ]
    assert found[0].observed == "Out-of-range values"


def test_without_an_anomaly_both_rules_are_kept():
    found = rules.judge_anomalies({"train": anomalies_pb2.Anomalies()}, a_policy())
    assert {finding.rule: finding.kept for finding in found} == {"schema_errors": True, "schema_warnings": True}


def test_what_tfdv_quotes_is_left_out_on_request():
    anomalies = anomalies_pb2.Anomalies()
    anomalies.anomaly_info["title"].description = "Examples contain values missing from the schema: Storm"
    (shown,) = [finding for finding in rules.judge_anomalies({"train": anomalies}, a_policy()) if not finding.kept]
    masked = rules.judge_anomalies({"train": anomalies}, a_policy(mask_examples=True))
    assert "Storm" in shown.detail
    assert not [finding for finding in masked if "Storm" in str(finding)]
