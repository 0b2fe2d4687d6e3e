"""Which cases pass by which scores, and when a model is refused for them."""

from __future__ import annotations

import pytest

from components.behaviours import BEHAVIOURS_FILE, Behaviours, ScoredBehaviours
from components.evaluator.behaviours import read_results
from components.evaluator.compose import compose_verdict
from components.evaluator.results import read_verdict, write_verdict
from components.evaluator.rules import describe
from tests.helpers.evaluations import a_policy, good_slices


def measured(folder, group, scores):
    """The result of one group with these scores."""
    behaviours = Behaviours(groups=[{"group": "mine", **group}])
    scored = ScoredBehaviours(behaviours=behaviours, scores=scores)
    (folder / BEHAVIOURS_FILE).write_text(scored.model_dump_json(), encoding="utf-8")
    (result,) = read_results(str(folder))
    return result


@pytest.mark.parametrize(("expected", "failed"), [("clickbait", ["half", "low", "lost"]), ("news", ["high", "lost"])])
def test_a_title_passes_by_the_class_of_its_score(tmp_path, expected, failed):
    scores = {"high": 0.75, "half": 0.5, "low": 0.25, "lost": None}
    result = measured(tmp_path, {"expected": expected, "titles": [*scores]}, scores)
    assert (result.cases, result.passed, result.tolerance) == (4, 4 - len(failed), None)
    assert [(case.titles, case.scores) for case in result.failed] == [([title], [scores[title]]) for title in failed]


@pytest.mark.parametrize(("must_not", "failed"), [("fall", ["lower", "lost"]), ("rise", ["higher", "lost"])])
def test_a_pair_passes_where_its_score_moves_as_it_may(tmp_path, must_not, failed):
    scores = {"first": 0.5, "lower": 0.25, "near": 0.375, "same": 0.5, "above": 0.625, "higher": 0.75, "lost": None}
    pairs = [["first", title] for title in scores if title != "first"]
    result = measured(tmp_path, {"must_not": must_not, "pairs": pairs, "tolerance": 0.125}, scores)
    assert [case.titles[1] for case in result.failed] == failed
    assert (result.expected, result.tolerance, result.passed) == (f"must not {must_not}", 0.125, 4)


def test_a_run_without_cases_has_no_results(tmp_path):
    assert read_results(str(tmp_path)) == []


@pytest.mark.parametrize(("least", "outcome"), [(0.5, "kept"), (0.6, "broken")])
def test_a_model_is_refused_only_for_groups_with_a_threshold(tmp_path, least, outcome):
    result = measured(tmp_path, {"expected": "news", "titles": ["a", "b"]}, {"a": 0.25, "b": 0.75})
    shown = compose_verdict(good_slices(), [], a_policy(), [result])
    assert shown.blessed and all(judged.rule != "behaviours" for judged in shown.thresholds)
    verdict = compose_verdict(good_slices(), [], a_policy(min_behaviours_passed={"mine": least}), [result])
    judged = verdict.thresholds[-1]
    assert (judged.rule, judged.outcome, judged.observed, judged.rows) == ("behaviours", outcome, 0.5, 2)
    assert verdict.blessed == (outcome == "kept")
    assert describe(judged) == (
        f"behaviours group=mine cases that passed 0.5000 (at least {least:.4f}), 1 of 2 cases of 'mine' passed"
    )
    write_verdict(tmp_path / "evaluation", verdict)
    assert read_verdict(tmp_path / "evaluation") == verdict
