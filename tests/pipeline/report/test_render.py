"""What a page and a card say is what the verdict holds, whatever a headline looks like and however the run ended."""

from __future__ import annotations

import html
import re

import pytest
import yaml

from pipeline.report.render import render_comparison, render_model_card, render_report
from tests.helpers.reports import SCRIPT, a_run, a_run_that_goes_by_capitals

MOST_BYTES = 3_000_000


@pytest.fixture(scope="module")
def page() -> str:
    return render_report(*a_run())


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|svg).*?</\1>", " ", page))))


def test_every_rule_is_there_with_what_was_observed(page):
    verdict, _ = a_run()
    shown = text_of(page)
    for one in verdict["thresholds"]:
        if one["observed"] is None:
            continue
        points = one["against"] != "bound"
        value = f"{100 * one['observed']:+.2f} points" if points else f"{one['observed']:.4f}"
        value = value.replace("-", "−")  # U+2212
        assert value in shown or one["metric"] == "non_finite_count" or one["observed"] == 0, one


def test_every_variant_and_slice_is_there_with_its_accuracy(page):
    verdict, _ = a_run()
    shown = text_of(page)
    judged = [one for one in verdict["evaluation"]["slices"] if one["split"] == "eval"]
    assert len(judged) > 10
    for one in judged:
        assert f"{100 * one['metrics']['binary_accuracy']['value']:.2f}" in shown, one["slice"]


def test_a_headline_is_text_wherever_it_stands(page):
    assert SCRIPT not in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "<b>Budget</b>" not in page


def test_it_needs_nothing_from_elsewhere_and_is_small(page):
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", page)
    assert len(page.encode()) < MOST_BYTES


def test_each_id_is_there_once_and_each_reference_leads_somewhere(page):
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len({*ids})
    assert {*re.findall(r'href="#([^"]+)"', page)} <= {*ids}
    assert {*re.findall(r"url\(#([^)]+)\)", page)} <= {*ids}


def test_an_override_is_plain_to_see():
    verdict, facts = a_run_that_goes_by_capitals()
    verdict |= {"status": "pushed", "blessed": True, "pushed": a_run()[0]["pushed"]}
    verdict["evaluation"]["override"] = {"reason": "the editor <insists>"}
    shown = text_of(render_report(verdict, facts))
    assert "the editor <insists>" in shown


@pytest.mark.parametrize("status", ["refused", "failed", "interrupted", "running"])
def test_a_run_that_ended_early_has_a_page(status):
    verdict = {
        "schema_version": 2,
        "run_id": "r1",
        "status": status,
        "exit_code": 3,
        "reason": "too few <rows>",
        "data": a_run()[0]["data"],
        "encoder": a_run()[0]["encoder"],
    }
    assert "oo few <rows>" in text_of(render_report(verdict, {}))  # it begins a sentence


def test_two_runs_side_by_side_tell_the_casing_story():
    shown = text_of(render_comparison(a_run_that_goes_by_capitals(), a_run()))
    assert "61.32 %" in shown
    assert f"{100 * lower_accuracy(a_run()[0]):.2f} %" in shown
    assert "as_is" in shown


def lower_accuracy(verdict) -> float:
    (found,) = [one for one in verdict["evaluation"]["slices"] if one["slice"] == {"variant": "lower"}]
    return found["metrics"]["binary_accuracy"]["value"]


class TestModelCard:
    """In the sections of the Hugging Face Hub's template."""

    SECTIONS = (
        "Model Details",
        "Uses",
        "Bias, Risks, and Limitations",
        "How to Get Started with the Model",
        "Training Details",
        "Evaluation",
        "Environmental Impact",
        "Technical Specifications",
        "Citation",
    )

    @pytest.fixture(scope="class")
    def card(self) -> str:
        return render_model_card(*a_run())

    def test_its_front_matter_holds_the_figures_of_the_verdict(self, card):
        verdict, _ = a_run()
        _, front_matter, _ = card.split("---\n", 2)
        held = yaml.safe_load(front_matter)
        (overall,) = [one for one in verdict["evaluation"]["slices"] if one["split"] == "eval" and not one["slice"]]
        metrics = {one["type"]: one["value"] for one in held["model-index"][0]["results"][0]["metrics"]}
        assert metrics["accuracy"] == pytest.approx(overall["metrics"]["binary_accuracy"]["value"], abs=1e-4)

    def test_it_has_every_section_and_each_says_something(self, card):
        parts = dict(re.findall(r"(?ms)^## ([^\n]+)\n(.*?)(?=^## |\Z)", card))
        for section in self.SECTIONS:
            assert parts[section].strip(), section
        verdict, _ = a_run()
        assert f"{verdict['rows']['train']['rows']:,}" in parts["Training Details"]
        assert verdict["encoder"]["source"] in card
        for one in verdict["evaluation"]["slices"]:
            if one["split"] == "eval" and "variant" in one["slice"]:
                accuracy = one["metrics"]["binary_accuracy"]["value"]
                assert f"| {accuracy:.4f} |" in parts["Bias, Risks, and Limitations"]
