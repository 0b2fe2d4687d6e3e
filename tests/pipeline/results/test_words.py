"""The verdict in one title and one plain sentence, whatever became of the run."""

from dataclasses import replace

import pytest

from pipeline.results.words import BAD, GOOD, WARN, elsewhere, headline, number, percent, rule_name
from tests.helpers.reports import a_report_run
from tests.helpers.verdicts import a_challenge, a_verdict


def test_a_pushed_model_is_praised_with_its_figures():
    found = headline(a_report_run()[0])
    assert (found.tone, found.title) == (GOOD, "Blessed, and pushed as version 7")
    assert "99.50\u00a0%" in found.sentence
    assert "rules that could be judged passed" in found.sentence


def test_a_model_that_relies_on_capitals_is_called_so():
    found = headline(a_report_run(casing="as_is")[0])
    assert (found.tone, found.title) == (BAD, "Not blessed: the model is not good enough")
    assert found.sentence == (
        "It relies on capitals instead of words: its accuracy is 99.50\u00a0% on unseen headlines as written, but "
        "only 65.00\u00a0% on the same headlines in lower case."
    )


def test_any_other_failed_rule_is_named_with_value_and_threshold():
    verdict = a_report_run()[0]
    failed = replace(verdict.thresholds[0], observed=0.9, outcome="broken", passed=False)
    sentence = headline(replace(verdict, status="not blessed", thresholds=[failed])).sentence
    assert sentence.startswith(
        "It fails 1 rule: accuracy on the evaluation rows is 0.9000, and must be at least 0.9846."
    )


def test_a_failed_rule_of_a_challenge_names_it():
    verdict = a_report_run()[0]
    failed = replace(
        verdict.thresholds[0], metric="auc", split="challenge", slice={"challenge": "youtube"}, passed=False
    )
    sentence = headline(replace(verdict, status="not blessed", thresholds=[failed])).sentence
    assert sentence.startswith("It fails 1 rule: AUC on youtube is ")


def test_the_cause_of_a_failure_and_the_step_stand_last():
    cause = {"name": "overfitted", "detail": "the loss rose", "step": "clickbait run --epochs 2"}
    for status in ("not blessed", "refused"):
        sentence = headline(a_verdict(status=status, reason="it drifts", cause=cause)).sentence
        assert sentence == "It drifts. Cause: overfitted, the loss rose. Next: clickbait run --epochs 2."


def test_an_override_comes_before_anything_else():
    found = headline(a_report_run(casing="as_is", bless_anyway="a demo for the board")[0])
    assert found.tone == WARN
    assert found.title.startswith("Overridden")
    assert "a demo for the board" in found.sentence
    assert "relies on capitals" in found.sentence


@pytest.mark.parametrize(
    ("status", "tone"),
    [
        ("refused", BAD),
        ("failed", BAD),
        ("infra not blessed", BAD),
        ("damaged", BAD),
        ("interrupted", WARN),
        ("running", WARN),
        ("rolled back", WARN),
        ("done", GOOD),
    ],
)
def test_every_other_end_has_a_title_and_its_reason(status, tone):
    found = headline(a_verdict(status=status, reason="this is why", thresholds=[]))
    assert found.tone == tone
    assert found.title
    assert "This is why." in found.sentence


def test_differences_are_in_points_and_a_missing_value_is_no_zero():
    rule = replace(a_verdict().thresholds[0], against="as_is", outcome="broken")
    assert number(-0.3483, rule) == "\u221234.83 points"
    assert number(None, rule) == "no number"
    assert number(None, replace(rule, outcome="not judged")) == percent(None) == "\u2013"


def test_what_a_model_is_worth_elsewhere_stands_in_one_line():
    two = [a_challenge("ta1c", 0.68), a_challenge("youtube", 0.857)]
    assert elsewhere(two) == "on headlines from elsewhere: AUC 0.68 to 0.86 (youtube 0.86, ta1c 0.68)"
    assert elsewhere(two[:1]) == "on headlines from elsewhere: AUC 0.68 (ta1c 0.68)"
    none = a_challenge("few", None, findings=["all 5 rows are news: there is no AUC"])
    assert elsewhere([*two[:1], none]) == "on headlines from elsewhere: AUC 0.68 (ta1c 0.68, few none)"
    assert elsewhere([none]) == "on headlines from elsewhere: no AUC (few: all 5 rows are news: there is no AUC)"


def test_a_bound_elsewhere_is_named_with_its_challenge():
    rule = replace(a_verdict().thresholds[0], metric="auc", slice={"challenge": "youtube"})
    assert rule_name(rule) == "AUC on youtube"
    below = replace(rule, against="tfidf_lower")
    assert rule_name(below) == "AUC on youtube, less that of the lower-cased linear model"
