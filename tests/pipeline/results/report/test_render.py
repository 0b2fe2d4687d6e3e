"""The page says what verdict and facts say, escapes what they quote, and is there however early a run ended."""

import re
from dataclasses import replace

import pytest

from components.evaluator.results import BehaviourCase, BehaviourResult, Metric, SliceColumn
from pipeline.results.report.curves import Curves
from pipeline.results.report.facts import Facts
from pipeline.results.report.render import render_comparison, render_model_card, render_report
from pipeline.results.verdict import Timing, Trial, Verdict
from tests.helpers.reports import HOSTILE, a_report_run
from tests.helpers.verdicts import a_verdict

SECTIONS = [
    "Rules",
    "Variants",
    "Quality",
    "Likely label errors",
    "Data",
    "Training",
    "Latency and size",
    "Components",
    "What changed since the last blessed run",
    "Lineage",
]


@pytest.fixture(scope="module")
def page():
    return render_report(*a_report_run())


def test_the_page_has_every_section_and_chart(page):
    for title in SECTIONS:
        assert re.search(rf"<h2 [^>]*>{title}</h2>", page), title
    assert page.count('<svg class="chart"') == 8


def test_every_rule_is_shown_with_what_was_observed(page):
    for judged in a_report_run()[0].thresholds:
        if judged.against == "bound" and judged.observed:
            assert f"{judged.observed:.4f}" in page


def test_the_confusion_matrix_is_the_verdicts(page):
    overall = a_report_run()[0].evaluation.overall("eval")
    for name in ("true_negatives", "false_positives", "false_negatives", "true_positives"):
        assert f"<b>{overall.metrics[name].value:,.0f}</b>" in page


def test_the_size_of_the_model_is_told(page):
    assert "it takes 270.0 MB on disk" in page


def test_what_is_quoted_is_shown_and_not_run(page):
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("place", ["run_id", "reason", "preset", "baseline_version"])
def test_no_text_of_a_verdict_becomes_markup(place):
    verdict, facts = a_report_run(status="failed", **{place: HOSTILE} if place != "reason" else {})
    finding = replace(verdict.gate.findings[0], detail=HOSTILE)
    hostile = replace(
        verdict,
        reason=HOSTILE,
        components={HOSTILE: Timing(HOSTILE, 1.0)},
        data=replace(verdict.data, description=HOSTILE),
        gate=replace(verdict.gate, findings=[finding]),
    )
    assert "<script" not in render_report(hostile, facts)


def test_a_page_asks_nobody_for_anything(page):
    assert not re.search(r"""(?:src|href)=["'](?!#|data:,)""", page)
    assert not re.search(r"url\((?!#)|@import", page)


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict(run_id="a", status="interrupted", reason="the run left no verdict"),
        Verdict(run_id="a", status="failed", reason="no such file", components={}),
        a_verdict(status="refused", reason="one class only", thresholds=[], pushed=None),
        a_verdict(schema_version=1),
    ],
    ids=["no verdict", "failed", "refused", "without facts"],
)
def test_a_run_that_ended_early_has_a_page_of_what_there_is(verdict):
    page = render_report(verdict, Facts(compared=False))
    assert verdict.status in page or verdict.reason.capitalize() in page or verdict.status == "pushed"
    assert ">Lineage</h2>" in page


@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_split_without_rows_has_no_casings(split):
    verdict, facts = a_report_run()
    without = replace(facts.statistics[split], rows=0, casings=None, title_characters=None)
    page = render_report(verdict, replace(facts, statistics={**facts.statistics, split: without}))
    assert "How the titles are written" in page


def test_a_model_whose_scores_are_no_numbers_has_a_page():
    verdict, facts = a_report_run()
    lost = dict.fromkeys(("auc", "ece", "brier"), Metric(None, [None, None]))
    slices = [replace(part, metrics=part.metrics | lost) for part in verdict.evaluation.slices]
    verdict = replace(verdict, evaluation=replace(verdict.evaluation, slices=slices))
    assert "\u2013" in render_report(verdict, replace(facts, curves=Curves()))


def test_the_trials_of_a_search_are_a_chart_and_a_table_that_names_the_best(page):
    trial = Trial("0", 0.2, 4e-4, 4, "augment", 64, candidate=0, part=2, best=False)
    trials = [
        trial,
        replace(trial, score=0.15, part=1),
        replace(trial, score=0.125, best=True, part=1, candidate=1, casing="lower"),
    ]
    verdict, facts = a_report_run()
    searched = render_report(replace(verdict, tuning=trials), facts)
    assert searched.count('<svg class="chart"') == page.count('<svg class="chart"') + 1
    rows = re.search(r"(?s)t-tuning.*?<tbody>(.*?)</tbody>", searched).group(1).split("</tr>")
    assert [("best" in row, "0.1250" in row) for row in rows[:3]] == [(False, False), (False, False), (True, True)]
    assert "t-tuning" not in page


def test_an_override_stands_where_the_rules_stand():
    page = render_report(*a_report_run(casing="as_is", bless_anyway="a demo <for> the board"))
    assert "<strong>Override:</strong>" in page
    assert "a demo &lt;for&gt; the board" in page


def test_cases_are_a_table_by_group_beside_the_variants():
    assert "Behaviours" not in render_report(*a_report_run())
    failed = [BehaviourCase([HOSTILE, "Storm"], [0.25, None])]
    groups = [
        BehaviourResult("plain news", "news", None, 10, 10, []),
        BehaviourResult("bait added", "must not fall", 0.05, 4, 3, failed),
    ]
    verdict, facts = a_report_run(behaviours=groups)
    page = render_report(verdict, facts)
    assert '<a href="#behaviours">' in page and "<script" not in page
    table = re.search(r'<table>\s*<caption><span id="t-behaviours">.*?</table>', page, re.DOTALL)[0]
    rows = [re.sub(r"<[^>]+>", "|", row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)][1:]
    cells = [[cell.strip() for cell in row.split("|") if cell.strip()] for row in rows]
    assert cells[:2] == [
        ["minimum functionality", "plain news", "news", "10", "10", "100.00\u00a0%"],
        ["directional", "bait added", "must not fall by more than 0.05", "4", "3", "75.00\u00a0%"],
    ]
    assert [row[0] for row in cells[2:]] == ["invariance"] * 9
    assert cells[2][1:4] == ["lower case", "accuracy of the rows as written, within 0.0200", "1,000"]
    assert "0.2500<br>no number" in page
    assert "| bait added | must not fall | 3 of 4 |" in render_model_card(verdict, facts)


def test_values_of_columns_are_a_table_of_their_own():
    assert "t-columns" not in render_report(*a_report_run())
    verdict, facts = a_report_run()
    own = [replace(verdict.evaluation.slices[1], slice={"source": value}) for value in (HOSTILE, "(other)")]
    evaluation = replace(
        verdict.evaluation,
        slices=[*verdict.evaluation.slices, *own],
        slice_columns=[SliceColumn("source", 1234, 1233), SliceColumn("language", 2, 0)],
    )
    sliced = replace(verdict, evaluation=evaluation)
    page, before = render_report(sliced, facts), render_report(verdict, facts)
    assert page.count('<svg class="chart"') == before.count('<svg class="chart"')
    table = re.search(r'<caption><span id="t-columns">.*?</table>', page, re.DOTALL)[0]
    assert "source=(other)</th>" in table and HOSTILE not in table
    assert "source: of 1,234 values the 1,233 with the fewest rows are together as (other)." in page
    assert "language: of" not in page
    assert "| source=(other) | 1,000 | " in render_model_card(sliced, facts)
    compared = render_comparison((sliced, facts), (verdict, facts))
    assert "source=(other)</th>" in re.search(r'id="t-columns".*?</table>', compared, re.DOTALL)[0]
    assert "t-columns" not in render_comparison((verdict, facts), (verdict, facts))


def test_a_comparison_tells_the_casing_story_first():
    page = render_comparison(a_report_run(casing="as_is"), a_report_run())
    (story,) = re.findall(r"<h1>Two runs side by side</h1>\s*<p>(.*?)</p>", page)
    assert "0.00 points apart" in story
    assert re.search(r"lower case.* B has 99\.\d\d.*, A 65\.00", story)
    assert re.search(r"training\.casing</th><td[^>]*>as_is</td><td[^>]*>augment", page)


def test_a_comparison_with_a_run_that_ended_early_is_a_page():
    page = render_comparison(a_report_run(), (a_verdict(status="failed", reason="no", thresholds=[]), Facts()))
    assert "was not evaluated" in page
