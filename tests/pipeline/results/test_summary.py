"""A verdict reads in the terminal as what was run, what it reached, where it went and what to type next."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from components.data_gate.policy import Finding
from components.evaluator.compose import compose_verdict
from components.evaluator.measures import measure
from components.evaluator.policy import Slice
from components.evaluator.results import BehaviourResult, OperatingThreshold, SliceColumn
from components.local_infra_validator.policy import Finding as InfraFinding
from data.fetch import CSV_SHA256
from pipeline.results.diagnosis import cause_of
from pipeline.results.summary import next_command, print_challenges, print_head, print_summary, run_table, shorten
from pipeline.results.verdict import Verdict
from tests.helpers.evaluations import a_policy, a_slice, good_slices
from tests.helpers.verdicts import a_challenge, a_verdict, an_infra_verdict


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(function, *arguments) -> str:
    screen = io.StringIO()
    function(Console(file=screen, width=120), *arguments)
    return screen.getvalue()


def summary(**changes) -> str:
    return shown(print_summary, a_verdict(**changes), Path("output/runs/r1"))


def rule(**changes):
    return replace(a_verdict().thresholds[0], **changes)


def test_the_first_line_says_which_data():
    first, second, third = shown(print_head, a_verdict(), Path("output/runs/r1")).splitlines()[:3]
    assert first.split() == ["data", "headlines.csv", "·", "by", "--data"]
    assert second.split(maxsplit=1) == ["encoder", "embedded, fine-tuned · preset default"]
    assert third.split(maxsplit=1) == ["run", "20260101-000000-aaaa · log output/runs/r1/log.txt"]


def test_the_report_is_named_where_there_is_one(work):
    assert "report.html" not in summary()
    page = work / "output" / "runs" / "r1" / "report.html"
    page.parent.mkdir(parents=True)
    page.touch()
    assert ["report", "output/runs/r1/report.html"] in [line.split() for line in summary().splitlines()]


def test_a_frozen_encoder_is_said_to_be_frozen():
    verdict = a_verdict(encoder={"source": "[my]/encoder", "fine_tuned": False})
    assert "[my]/encoder, frozen" in shown(print_head, verdict, Path("r1"))


def test_rows_are_counted_per_split_with_the_share_of_the_positive_class():
    rows = {"train": {"rows": 22_400, "clickbait": 11_000}, "eval": {"rows": 9_600, "clickbait": 5_000}}
    assert "train 22,400 · eval 9,600 · 50.0% positive" in summary(rows=rows)


@pytest.mark.parametrize(
    ("judged", "line"),
    [
        (rule(), "eval   accuracy   >= 0.9846     0.9900  0.9878–0.9918  passed"),
        (
            rule(observed=0.9, outcome="broken", passed=False),
            "eval   accuracy   >= 0.9846     0.9000  0.9878–0.9918  failed",
        ),
        (
            rule(observed=0.9, outcome="broken", passed=False, gates=False),
            "eval   accuracy   >= 0.9846     0.9000  0.9878–0.9918  failed, not gating",
        ),
        (
            rule(metric="ece", bound=0.03, direction="<=", observed=0.01, interval=None),
            "eval   ECE   <= 0.0300     0.0100  passed",
        ),
        (rule(metric="auc", observed=None, interval=None, outcome="broken"), "eval AUC >= 0.9846 no number failed"),
        (
            rule(against="last blessed model", bound=-0.0025, observed=-0.01, interval=None, outcome="broken"),
            "eval   vs last blessed  >= -0.0025   -0.0100  failed",
        ),
        (
            rule(against="last blessed model", bound=-0.0025, observed=None, interval=None, outcome="not judged"),
            "eval   vs last blessed  >= -0.0025   not judged",
        ),
        (rule(slice={"says_you": "yes"}), "eval says_you=yes >= 0.9846 0.9900 0.9878–0.9918 passed"),
    ],
)
def test_each_threshold_is_a_row_with_bound_and_observed_value(judged, line):
    rows = [row.split() for row in summary(thresholds=[judged]).splitlines()]
    assert line.split() in rows


CAUSE = {"name": "overfitted", "detail": "validation loss rose", "step": "clickbait run --epochs 1"}


def evaluated(*slices, **policy):
    """A verdict's part that comes from the Evaluator, of a model with `slices` in place of its own."""
    found = compose_verdict(
        good_slices(**{str(place): part for place, part in enumerate(slices)}), ["tfidf_lower"], a_policy(**policy)
    )
    return {"thresholds": found.thresholds, "evaluation": found.evaluation}


def test_variants_stand_beside_the_simple_models_with_the_points_that_they_lose():
    upper = a_slice(wrong=386, against={"as_is": 5, "tfidf_lower": 25}, variant="upper")
    emoji = a_slice(rows=50, against={"as_is": 5}, variant="emoji")
    text = summary(**evaluated(upper, emoji, gated_variants=["upper", "emoji"]))
    rows = [row.split() for row in text.splitlines()]
    assert ["as_is", "99.50", "97.50"] in rows
    assert ["lower", "99.20", "0.30", "2.00", "passed"] in rows
    assert ["upper", "61.40", "38.10", "2.00", "97.50", "failed"] in rows
    assert ["emoji", "100.00", "-10.00", "2.00", "not", "judged"] in rows
    assert "vs as is is not judged: 50 rows, fewer than 200" in text
    assert "slices   you 99.67" in text


def test_values_of_columns_are_lines_that_say_what_is_not_shown():
    values = ["b\x1bbc", *(f"s{number}" for number in range(8)), "(other)"]
    slices = [a_slice(rows=300, wrong=3, source=value) for value in values]
    columns = (SliceColumn("language", 1, 0), SliceColumn("source", 1234, 1225))
    found = compose_verdict([*good_slices(), a_slice(language="en"), *slices], [], a_policy(), slice_columns=columns)
    text = summary(thresholds=found.thresholds, evaluation=found.evaluation)
    assert "slices   you 99.67\n         language: en 100.00\n         source: b\\u001bbc 99.00 · s0 99.00 · " in text
    assert " · s6 99.00 · 2 more in the report · (other) is 1,225 of 1,234 values\n" in text


def test_a_summary_fits_a_terminal_of_80_columns():
    slices = [a_slice(wrong=386, against={"as_is": 5, "tfidf_lower": 25}, variant="no_punctuation")]
    screen = io.StringIO()
    asked = {"min_slice_accuracy": {"length=10-14 words": 0.9}}
    verdict = a_verdict(**evaluated(*slices, **asked), reason="", pushed=None)
    print_summary(Console(file=screen, width=80), verdict, Path("output/runs/r1"))
    tables = [line for line in screen.getvalue().splitlines() if "passed" in line or "judged" in line]
    assert max(map(len, tables)) <= 80
    assert not [line for line in tables if "…" in line]


def test_scores_that_are_numbers_go_without_saying_and_others_do_not():
    assert "not finite" not in summary(**evaluated())
    lost = Slice("eval", {"variant": "typo"}, measure(np.array([0, 1]), np.array([np.nan, 1]), {"as_is": np.zeros(2)}))
    assert ["eval", "not", "finite", "<=", "0", "1", "failed"] in [
        line.split() for line in summary(**evaluated(lost)).splitlines()
    ]


def test_cases_are_a_line_and_a_group_with_a_threshold_is_a_row():
    results = [BehaviourResult("plain news", "news", None, 10, 8, []), BehaviourResult("bait", "news", None, 2, 2, [])]
    judged = compose_verdict(good_slices(), [], a_policy(min_behaviours_passed={"plain news": 0.9}), results)
    printed = summary(thresholds=judged.thresholds, evaluation=judged.evaluation, behaviours=judged.behaviours)
    assert "cases    plain news 8/10 · bait 2/2" in printed
    row = next(line.split() for line in printed.splitlines() if line.startswith("behaviours"))
    assert row == ["behaviours", "plain", "news", ">=", "0.9000", "0.8000", "failed"]


def test_an_override_is_said():
    bad = a_slice(wrong=386, against={"as_is": 5}, variant="upper")
    text = summary(**evaluated(bad, bless_anyway="[we] must"))
    assert "override failed rules are overridden: [we] must" in text


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (
            {"threshold": 0.8, "precision": 0.99, "recall": 0.9},
            "precision 0.9900 at a threshold of 0.8000, with",
        ),
        ({"threshold": None, "precision": None, "recall": None}, "precision 0.9900 is reached by no threshold"),
    ],
)
def test_the_operating_threshold_is_said_where_one_was_wanted(found, line):
    verdict = evaluated()
    operating = OperatingThreshold(wanted_precision=0.99, **found)
    evaluation = replace(verdict["evaluation"], operating_threshold=operating)
    assert f"wanted   {line}" in summary(**{**verdict, "evaluation": evaluation})


def test_after_a_model_that_goes_by_capitals_comes_another_casing():
    bad = a_slice(wrong=386, against={"as_is": 5}, variant="upper")
    verdict = a_verdict(**evaluated(bad), status="not blessed", pushed=None)
    verdict = replace(verdict, cause=cause_of(verdict))
    assert next_command(verdict, Path("r1")).startswith("clickbait run --set training.casing=lower")


def article(**changes):
    policy = {"min_eval_accuracy": 0.9846, "min_train_accuracy": 0.9962, "min_eval_auc": 0.99}
    failed = {"status": "not blessed", "pushed": None, "cause": CAUSE, "evaluation_policy": policy}
    return summary(**{**failed, **changes}).splitlines()


def test_the_last_lines_of_a_failed_run_are_its_cause_the_step_and_the_preset_for_other_data():
    *_, cause, step, hint = article()
    assert cause == "cause    overfitted: validation loss rose"
    assert step == "next     clickbait run --epochs 1"
    assert hint.startswith("hint     these thresholds are the article's") and "--preset own" in hint


@pytest.mark.parametrize(
    "changes",
    [
        {"preset": "own"},
        {"evaluation_policy": {"min_eval_accuracy": 0.7, "min_train_accuracy": None, "min_eval_auc": None}},
        {"data": {"origin": "fetched"}},
        {"data": {"origin": "given", "sha256": f"sha256:{CSV_SHA256}"}},
        {"cause": {**CAUSE, "step": "clickbait run --preset own"}},
    ],
    ids=["own", "other-thresholds", "fetched", "stop-clickbait", "is-the-step"],
)
def test_the_preset_for_other_data_is_no_hint_where_it_does_not_fit(changes):
    assert not [line for line in article(**changes) if line.startswith("hint")]


def test_accuracy_is_in_the_table_of_runs_without_a_threshold_for_it():
    verdict = a_verdict(**evaluated(min_eval_accuracy=None, min_train_accuracy=None))
    assert shown(lambda console: console.print(run_table([verdict]))).split()[-4:-2] == ["0.9950", "0.9990"]


def test_without_rows_and_thresholds_there_is_no_table():
    text = summary(rows=None, thresholds=[], status="failed", reason="no such file", pushed=None, exit_code=2)
    assert "observed" not in text
    assert "positive" not in text
    assert "failed: no such file" in text


INGEST = {"read": 1_010, "accepted": 1_000, "duplicates": 0, "rejected": 0, "left_out": 0, "rejected_by_rule": {}}


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ({}, "1,010 rows · 1,000 accepted"),
        ({"duplicates": 7}, "1,010 rows · 1,000 accepted · 7 repeated"),
        (
            {"duplicates": 7, "in_eval": 3},
            "1,010 rows · 1,000 accepted · 7 repeated (3 of train, whose title is in eval, too)",
        ),
        (
            {"rejected": 3, "rejected_by_rule": {"nul": 1, "conflict": 2}},
            "1,010 rows · 1,000 accepted · 3 rejected (1 nul, 2 conflict), see output/runs/r1/rejects.csv",
        ),
        ({"left_out": 700}, "1,010 rows · 1,000 accepted · 700 left out by --limit"),
        (
            {"label_fixes": {"answers": 40, "answered": 39, "relabelled": 30, "absent": 2}},
            "1,010 rows · 1,000 accepted · 30 relabelled by 40 answers, 2 not in the data",
        ),
    ],
)
def test_every_row_that_was_read_is_accounted_for(counts, line):
    assert f"read     {line}" in summary(ingest={**INGEST, **counts}).splitlines()


def finding(**changes):
    found = Finding("drift", "label", "<= 0.1", 0.2, False, "l infty", ["1: 50.0% -> 70.0%"], "warn")
    return replace(found, **changes)


def test_a_rule_that_is_let_pass_is_shown_with_what_was_seen():
    kept = finding(rule="rows", kept=True, outcome="kept")
    lines = summary(gate={"accepted": True, "findings": [kept, finding()]}).splitlines()
    assert "gate     accepted · 1 passed · 1 failed, warning only" in lines
    at = lines.index("warning  drift, label: expected <= 0.1, observed 0.2 (l infty)")
    assert lines[at + 1].strip() == "1: 50.0% -> 70.0%"
    assert not [line for line in lines if "rows, label" in line]


def test_refused_data_is_counted_here_and_explained_by_the_reason():
    refused = finding(outcome="fail")
    lines = summary(
        gate={"accepted": False, "findings": [refused]}, status="refused", reason="it drifts", pushed=None
    ).splitlines()
    assert "gate     refused · 1 failed" in lines
    assert "refused: it drifts" in lines
    assert not [line for line in lines if line.startswith("warning")]


def served(rule="memory", outcome="kept", **changes):
    kept = {"kept": True, "fail": False, "not judged": None}[outcome]
    return replace(InfraFinding(rule, "server", "at most 4 GB", "0.99 GB", kept), **changes)


def test_what_served_the_model_and_how_it_did_stands_in_a_line():
    findings = [
        served("starts", observed="ready after 8.3 s"),
        served("latency", observed="3.3 ms"),
        served(),
    ]
    by, measured = "the local server, not tensorflow_model_server", "ready after 8.3 s · p99 3.3 ms · peak 0.99 GB"
    assert f"infra    passed on {by} · {measured}" in summary(infra=an_infra_verdict(findings=findings)).splitlines()


def test_what_infra_validation_could_not_judge_is_said():
    unknown = served(outcome="not judged", observed="unknown", detail="this system does not tell a process's peak")
    text = summary(infra=an_infra_verdict(server={"kind": "path", "command": []}, findings=[unknown]))
    assert "infra    passed on tensorflow_model_server\n" in text
    assert "memory is not judged: this system does not tell a process's peak" in text


def test_a_model_that_is_not_fit_to_be_served_is_said_to_be_so():
    findings = [served(outcome="fail", observed="9.00 GB")]
    text = summary(infra=an_infra_verdict(blessed=False, findings=findings), status="infra not blessed", pushed=None)
    assert "infra    failed on the local server" in text
    assert "peak 9.00 GB" in text


def test_a_server_that_confirmed_the_version_is_named():
    pushed = {"version": 7, "path": "/models/clickbait/7", "new": True, "confirmed_by": "localhost:8500"}
    assert "version  /models/clickbait/7 · served at localhost:8500\n" in summary(pushed=pushed)


def test_a_file_that_was_scored_is_counted_and_its_scores_are_found():
    bulk = {"file": "new.csv", "rows": 1234, "path": "output/tfx/BulkInferrer/output_examples/9/Split-bulk"}
    line = "scored   1,234 texts of new.csv · output/tfx/BulkInferrer/output_examples/9/Split-bulk"
    assert line in summary(bulk=bulk).splitlines()


def test_status_and_reason_stand_in_one_line_and_are_not_read_as_markup():
    assert "not blessed: failed rules: [eval] accuracy" in summary(
        status="not blessed", reason="failed rules: [eval] accuracy", pushed=None
    )


def test_paths_below_the_working_folder_are_short(work):
    pushed = {"version": 7, "path": str(work / "output/serving/clickbait/7"), "new": True}
    text = summary(pushed=pushed)
    assert "version  output/serving/clickbait/7\n" in text
    assert "verdict  output/runs/r1/verdict.json · 61 s\n" in text


def test_shorten_keeps_paths_from_elsewhere(work):
    assert shorten(work / "a" / "b") == "a/b"
    assert shorten("/elsewhere/a") == "/elsewhere/a"
    assert shorten("a/b") == "a/b"
    assert shorten("s3://bucket/serving/1") == "s3://bucket/serving/1"


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({}, "clickbait serve --model_name=clickbait --model_base_path=/models/clickbait"),
        ({"status": "not blessed", "pushed": None, "cause": CAUSE}, "clickbait run --epochs 1"),
        ({"status": "failed", "pushed": None, "exit_code": 1}, "less output/runs/r1/log.txt"),
        ({"status": "failed", "pushed": None, "exit_code": 2}, None),
        ({"status": "interrupted", "pushed": None, "exit_code": 130}, None),
        ({"status": "done", "pushed": None}, None),
        (
            {"status": "infra not blessed", "pushed": None, "infra": an_infra_verdict(blessed=False)},
            "less output/tfx/infra/server.log",
        ),
        ({"status": "rolled back", "pushed": None}, "clickbait versions"),
    ],
    ids=["pushed", "not-blessed", "unforeseen", "mistake", "interrupted", "done", "unfit", "rolled-back"],
)
def test_the_next_command_is_what_helps_after_such_a_run(changes, command):
    verdict, folder = a_verdict(**changes), Path("output/runs/r1")
    found = next_command(verdict, folder)
    assert found is None if command is None else found.startswith(command)
    assert ("next " in shown(print_summary, verdict, folder)) is (command is not None)


def test_a_summary_survives_a_run_that_left_no_verdict():
    verdict = Verdict(status="interrupted", reason="the run left no verdict", run_id="r1")
    assert "interrupted: the run left no verdict" in shown(print_summary, verdict, Path("r1"))


def test_the_table_of_runs_has_a_line_a_run_with_what_each_reached():
    failed = Verdict(status="failed", run_id="r2")
    thresholds = [
        rule(observed=0.98765),
        rule(metric="auc", observed=0.5),
        rule(against="last blessed model", observed=-0.5),
        rule(split="train", observed=1.0),
    ]
    text = shown(lambda console: console.print(run_table([a_verdict(run_id="r1", thresholds=thresholds), failed])))
    head, *lines = [line.split() for line in text.splitlines()]
    assert head == ["run", "status", "data", "eval", "train", "version", "seconds"]
    assert lines == [["r1", "pushed", "given", "0.9877", "1.0000", "7", "61"], ["r2", "failed"]]


def test_the_last_lines_say_what_the_model_is_worth_elsewhere(work):
    assert "elsewhere" not in summary()
    line = "on headlines from elsewhere: AUC 0.75 (youtube 0.75)"
    assert line in summary(challenges=[a_challenge("youtube")]).splitlines()
    (work / "output" / "runs" / "r1").mkdir(parents=True)
    (work / "output" / "runs" / "r1" / "report.html").touch()
    assert f"{line}; see report" in summary(challenges=[a_challenge("youtube")]).splitlines()


def test_the_sets_that_a_run_measures_on_are_named_where_there_are_any():
    assert shown(print_challenges, "") == ""
    assert shown(print_challenges, "a, from elsewhere").split(maxsplit=1) == ["sets", "a, from elsewhere\n"]


def test_bounds_elsewhere_stand_among_the_rules():
    judged = rule(metric="auc", rule="challenge_auc", split="challenge", slice={"challenge": "youtube"})
    below = replace(judged, against="tfidf_lower", observed=-0.05, bound=-0.01, passed=False, outcome="broken")
    shown_rules = summary(thresholds=[judged, below])
    assert "youtube AUC" in shown_rules
    assert "youtube AUC vs linear, lower" in shown_rules
