"""The cases of `evaluation.behaviours`, judged by the candidate's scores. Needs no TFX."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from components.behaviours import BEHAVIOURS_FILE, BehaviourGroup, ScoredBehaviours
from components.evaluator.policy import EvaluationConfig
from components.evaluator.results import BOUND, FAILED, LEAST, PASSED, BehaviourCase, BehaviourResult, Judgement

GROUP, RULE = "group", "behaviours"
_THRESHOLD = 0.5  # above it a title counts as clickbait, as elsewhere in the evaluation


def read_results(predictions: str) -> list[BehaviourResult]:
    """Counts the cases of each group that pass; one with a score that is no number fails.

    Args:
      predictions: the folder of ModelScorer's, which has no scores of cases where the run has none.
    """
    path = Path(predictions, BEHAVIOURS_FILE)
    if not path.is_file():
        return []
    scored = ScoredBehaviours.model_validate_json(path.read_bytes())
    return [_measure(group, scored) for group in scored.behaviours.groups]


def show_titles(results: Sequence[BehaviourResult], shown: Callable[[str], str]) -> list[BehaviourResult]:
    """Returns the results with each title of a failed case as `shown` returns it."""
    return [
        dataclasses.replace(
            result,
            failed=[dataclasses.replace(case, titles=[*map(shown, case.titles)]) for case in result.failed],
        )
        for result in results
    ]


def judge_behaviours(results: Sequence[BehaviourResult], policy: EvaluationConfig) -> Iterator[Judgement]:
    """Judges the groups that `min_behaviours_passed` names."""
    for result in results:
        least = policy.min_behaviours_passed.get(result.group)
        if least is None:
            continue
        share = result.passed / result.cases
        yield Judgement(
            rule=RULE,
            split=RULE,
            slice={GROUP: result.group},
            metric="passed",
            against=BOUND,
            bound=least,
            direction=LEAST,
            observed=share,
            interval=None,
            rows=result.cases,
            outcome=PASSED if share >= least else FAILED,
            gates=True,
            detail=f"{result.passed} of {result.cases} cases of {result.group!r} passed",
            passed=share >= least,
        )


def _measure(group: BehaviourGroup, scored: ScoredBehaviours) -> BehaviourResult:
    cases = [BehaviourCase(case, [scored.scores[title] for title in case]) for case in group.cases]
    failed = [case for case in cases if not _passes(group, case.scores)]
    return BehaviourResult(
        group=group.group,
        expected=group.expected or f"must not {group.must_not}",
        tolerance=None if group.expected else group.tolerance,
        cases=len(cases),
        passed=len(cases) - len(failed),
        failed=failed,
    )


def _passes(group: BehaviourGroup, scores: Sequence[float | None]) -> bool:
    numbers = [score for score in scores if score is not None]
    if len(numbers) < len(scores):
        return False
    if group.expected:
        return (numbers[0] > _THRESHOLD) == (group.expected == "clickbait")
    change = numbers[1] - numbers[0]
    return (change if group.must_not == "rise" else -change) <= group.tolerance
