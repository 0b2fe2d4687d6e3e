"""What is said of headlines from elsewhere, held against the verdict's figures."""

import dataclasses
import re
from dataclasses import replace

import numpy as np
import pytest

from components.evaluator.results import ChallengeFigures, ChallengeSlice, Metric
from pipeline.results.report.elsewhere import area_dots, area_range, describe_limits
from pipeline.results.report.render import render_comparison, render_model_card, render_report
from tests.helpers.reports import HOSTILE, a_challenge, a_report_run

LABELS = np.arange(400) % 2
GOOD = np.where(LABELS == 1, 0.9, 0.1)


@pytest.fixture(scope="module")
def run():
    return a_report_run(elsewhere=True)


@pytest.fixture(scope="module")
def plain():
    """A run without challenges."""
    return a_report_run()


@pytest.fixture(scope="module")
def page(run):
    return render_report(*run)


@pytest.fixture
def with_challenges(plain):
    return lambda *challenges: replace(plain[0], challenges=challenges)


def test_the_page_has_each_challenge_with_its_counts_figures_charts_and_errors(run, page):
    for challenge in run[0].challenges:
        assert re.search(rf"<h3 [^>]*>{challenge.name}</h3>", page)
        assert f"{challenge.rows:,} measured" in page
        assert f"{challenge.name}: the 2 most confident errors" in page
        for metric in (challenge.auc["model"], challenge.ece["model"], challenge.lower.brier["model"]):
            assert metric.value is None or f">{metric.value:.4f}<" in page
    assert page.count("<figcaption>youtube: ") == 2
    assert page.count("<figcaption>agency: ") == 1  # of one class: no ROC
    assert "all 40 rows are news: there is no AUC" in page
    assert "(2 label, 1 text)" in page
    assert HOSTILE not in page


def test_its_range_is_a_key_figure(run, page):
    areas = [challenge.auc["model"].value for challenge in run[0].challenges[:2]]
    assert f"<b>{min(areas):.2f} to {max(areas):.2f}</b><span>AUC on headlines from elsewhere" in page


def test_a_run_without_challenges_says_nothing_of_them(plain):
    page = render_report(*plain)
    assert "lsewhere" not in page.partition("</style>")[2]
    assert "lsewhere" not in render_comparison(plain, plain)


def test_a_challenge_without_rows_facts_or_scores_has_a_place(run, with_challenges):
    nothing = {"model": Metric(None, None)}
    empty = replace(
        run[0].challenges[0],
        **dict.fromkeys(("auc", "accuracy", "ece", "brier"), nothing),
        accuracy_at_share={"model": None},
        rows=0,
        clickbait_share=None,
        findings=["no row is left of 918: nothing is measured"],
    )
    verdict = with_challenges(replace(empty, lower=replace(empty.lower, auc=nothing)))
    assert "no row is left of 918" in render_report(verdict, run[1])
    assert "no row is left of 918" in render_model_card(verdict, run[1])
    assert area_range(verdict, 2) == ""


def test_the_card_says_where_it_does_not_work(run):
    section = render_model_card(*run).partition("### Where it does not work")[2].partition("\n### ")[0]
    rows = re.findall(r"(?m)^\| (.*?) \|", section)
    assert rows[0] == "Headlines"
    assert rows[1:] == ["at home: the evaluation rows", "youtube", r"spanish\_teasers", "agency"]
    assert "better on spanish\\_teasers (AUC" in section
    assert "does not carry over" in section


def test_the_card_of_a_run_without_challenges_says_that_it_is_not_known(plain):
    assert "elsewhere is not known: it was measured on none." in render_model_card(*plain)


def test_only_what_the_figures_show_is_said(with_challenges):
    challenge = a_challenge("same", LABELS, {"model": GOOD, "linear_lower": GOOD * 0.5 + 0.2})
    assert describe_limits(with_challenges(challenge)) == [
        "The AUC is 1.000 on headlines from elsewhere, and 0.997 on the evaluation rows.",
        "A linear model of lower-cased words is as good or better on same (AUC 1.000, this model 1.000).",
    ]
    worse = a_challenge("worse", LABELS, {"model": GOOD, "linear_lower": 1 - GOOD})
    assert describe_limits(with_challenges(worse)) == [describe_limits(with_challenges(challenge))[0]]


def test_the_bound_of_a_challenge_is_drawn_with_it(with_challenges):
    challenge = a_challenge("youtube", LABELS, {"model": GOOD})
    verdict = with_challenges(challenge)
    judged = replace(
        verdict.thresholds[0],
        rule="challenge_auc",
        metric="auc",
        split="challenge",
        slice={"challenge": "youtube"},
        bound=0.75,
        passed=False,
    )
    home, dots = area_dots(replace(verdict, thresholds=[judged]))
    assert (home.bound, dots.bound, dots.failed) == (None, 0.75, True)
    assert dots.values == {"candidate": 1.0}


def test_a_comparison_pairs_challenges_by_name_and_says_what_cannot_be_compared(run):
    youtube, spanish, agency = run[0].challenges
    better = replace(youtube, auc={**youtube.auc, "model": Metric(youtube.auc["model"].value + 0.05, None)})
    other = replace(
        run[0], challenges=[better, replace(spanish, sha256="sha256:" + "9" * 64), replace(agency, name="new")]
    )
    page = render_comparison(run, (other, run[1]))
    table = page.partition('id="t-elsewhere"')[2].partition("</table>")[0]
    assert "+0.0500" in table
    assert re.findall(r'rowspan="3">(\w+)(?:<br><span class="note">(.*?)</span>)?', table) == [
        ("youtube", ""),
        ("spanish_teasers", "the files differ"),
        ("agency", "in A alone"),
        ("new", "in B alone"),
    ]


def test_a_lower_case_that_was_scored_in_part_says_of_how_many(run, page):
    assert "of them</td>" not in page
    youtube, *others = run[0].challenges
    part = replace(youtube, lower=replace(youtube.lower, rows=500))
    assert "<td>lower case, 500 of them</td>" in render_report(replace(run[0], challenges=[part, *others]), run[1])


def test_the_weakest_value_of_a_column_is_named_where_chance_does_not_explain_it(with_challenges):
    challenge = a_challenge("youtube", LABELS, {"model": GOOD})
    figures = {field.name: getattr(challenge, field.name) for field in dataclasses.fields(ChallengeFigures)}

    def named(*parts):
        slices = [
            ChallengeSlice(
                column="source", value=value, rows=90, clickbait_share=0.5, **figures | {"auc": {"model": Metric(*auc)}}
            )
            for value, auc in parts
        ]
        return [
            sentence
            for sentence in describe_limits(with_challenges(replace(challenge, slices=slices)))
            if "weak" in sentence
        ]

    weak, by_chance = ("a", (0.61, [0.5, 0.7])), ("b", (0.97, [0.9, 1.0]))
    assert named(weak, by_chance) == ["On youtube it is weakest where source=a: AUC 0.610 of 90 rows."]
    assert named(by_chance, ("c", (None, None))) == []


def test_values_of_columns_are_a_table_of_the_set_that_has_them(run, page):
    assert "t-elsewhere-slices" not in page
    youtube, *others = run[0].challenges
    figures = {field.name: getattr(youtube, field.name) for field in dataclasses.fields(ChallengeFigures)}
    source = {"column": "source", "rows": 450, "clickbait_share": 0.25, **figures}
    slices = [ChallengeSlice(value=HOSTILE, **source), ChallengeSlice(value="(other)", together=1234, **source)]
    sliced = render_report(replace(run[0], challenges=[replace(youtube, slices=slices), *others]), run[1])
    (table,) = re.findall(r'<caption><span id="t-elsewhere-slices-1">.*?</table>', sliced, re.DOTALL)
    assert HOSTILE not in table and "youtube: by value of a column" in table
    (row,) = re.findall(r"<tr><th scope=\"row\">source=\(other\)</th>(.*?)</tr>", table)
    cells = re.findall(r"<td[^>]*>\s*(.*?)\s*</td>", row)
    area, linear = (youtube.auc[model].value for model in ("model", "linear_lower"))
    assert cells[:3] == ["450", "25.0\u00a0%", f"{area:.4f}"] and f"{linear:.4f}" in cells
    assert "source: the 1,234 values with the fewest rows are together as (other)." in sliced
