"""Each section of the model card, held against the verdict that it is made from."""

import re
from dataclasses import replace

import pytest
import yaml

from pipeline.results import words
from pipeline.results.report.facts import Facts
from pipeline.results.report.render import render_model_card
from tests.helpers.reports import HOSTILE, a_report_run
from tests.helpers.verdicts import a_verdict

# The sections of the Hugging Face Hub's model card template that apply.
SECTIONS = [
    "Model Details",
    "Uses",
    "Bias, Risks, and Limitations",
    "How to Get Started with the Model",
    "Training Details",
    "Evaluation",
    "Environmental Impact",
    "Technical Specifications",
    "Citation",
    "Model Card Contact",
]


@pytest.fixture(scope="module", params=["augment", "as_is"])
def run(request):
    return a_report_run(casing=request.param)


@pytest.fixture(scope="module")
def card(run):
    return render_model_card(*run)


@pytest.fixture(scope="module")
def sections(card):
    parts = re.split(r"^## (.*)$", card, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(scope="module")
def overall(run):
    return run[0].evaluation.overall("eval")


def cells(text: str) -> list[list[str]]:
    """The lines of a section's tables."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_the_sections_are_those_of_the_hub_in_their_order(sections):
    assert list(sections) == SECTIONS


def test_the_front_matter_has_the_metrics_for_the_hub(card, overall):
    read = yaml.safe_load(card.split("---\n")[1])
    (result,) = read["model-index"][0]["results"]
    found = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert found["accuracy"] == pytest.approx(overall.accuracy.value, abs=1e-6)
    assert found["roc_auc"] == pytest.approx(overall.metrics["auc"].value, abs=1e-6)
    assert read["pipeline_tag"] == "text-classification"


def test_the_verdict_stands_on_top(card, run):
    told = words.headline(run[0])
    assert f"**{told.title}.** {told.sentence}" in card


def test_details_name_encoder_code_and_version(sections, run):
    verdict = run[0]
    for fact in (
        verdict.encoder.digest,
        "0123456789ab",
        verdict.run_id.replace("_", r"\_"),
        verdict.infra.digest,
    ):
        assert fact in sections["Model Details"]
    version = verdict.pushed.version if verdict.pushed else "none, it was not pushed"
    assert f"**Version:** {version}" in sections["Model Details"]


def test_limitations_show_every_variant_and_kind(sections, run):
    shown = {line[0]: line for line in cells(sections["Bias, Risks, and Limitations"])}
    for part in run[0].evaluated:
        line = shown[words.slice_name(part.slice).replace("_", r"\_")]
        assert f"{part.accuracy.value:.4f}" in line
    assert "lower case" in shown


def test_training_has_data_counts_and_settings(sections, run):
    verdict, text = run[0], sections["Training Details"]
    assert verdict.data.sha256 in text
    assert ["training", "2,400", "1,210"] in cells(text)
    for name, value in verdict.training.settings.items():
        assert f"- {name}: {value}".replace("_", r"\_") in text
    assert "5 rejected" in text


def test_evaluation_has_every_metric_with_its_interval_and_every_rule(sections, run, overall):
    lines = cells(sections["Evaluation"])
    for key in ("binary_accuracy", "auc", "precision", "recall", "ece", "brier"):
        low, high = overall.metrics[key].interval
        value = overall.metrics[key].value
        assert [words.METRICS[key], f"{value:.4f}", f"{low:.4f} to {high:.4f}"] in lines
    for name, reached in overall.contenders.items():
        assert [words.CONTENDERS[name], f"{reached.binary_accuracy:.4f}", f"{reached.auc:.4f}"] in lines
    rules = [line for line in lines if len(line) == 5][2:]
    assert [line[-1] for line in rules] == [words.OUTCOMES[judged.outcome] for judged in run[0].thresholds]


def test_the_impact_is_measured_time(sections):
    assert "61.5\u00a0s of CPU time" in sections["Environmental Impact"]
    assert "30.5\u00a0s by the clock" in sections["Environmental Impact"]


def test_the_server_s_figures_are_the_infra_verdicts(sections):
    assert "latency: 5.0 ms" in sections["Technical Specifications"]


def test_an_override_stays_visible():
    card = render_model_card(*a_report_run(casing="as_is", bless_anyway="a *demo*"))
    assert "> **Override.** Failed rules were overridden, for this reason: a \\*demo\\*" in card


def test_what_is_quoted_is_no_markup():
    verdict, facts = a_report_run()
    data = replace(verdict.data, description=f"{HOSTILE} | [a](b)\n# c")
    card = render_model_card(replace(verdict, data=data), facts)
    assert "<script" not in card.replace("\\<script", "")
    assert "\n# c" not in card


def test_a_model_that_was_not_evaluated_has_a_card():
    card = render_model_card(a_verdict(thresholds=[], status="failed", pushed=None, reason="no"), Facts())
    assert "The model was not evaluated." in card
    assert "No model was trained." in card
