"""`clickbait report`: where it writes what, and what it refuses."""

import json
import webbrowser

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.results.report.facts import FACTS_FILE
from pipeline.results.run_folders import CONFIG_FILE
from tests.helpers.reports import a_report_run
from tests.helpers.verdicts import a_verdict, write_run


def clickbait(*arguments):
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


@pytest.fixture
def outputs(tmp_path):
    """Two outputs with a run each: one that relies on capitals, and one that does not."""
    folders = []
    for casing in ("as_is", "augment"):
        verdict, facts = a_report_run(casing=casing)
        folder = write_run(tmp_path / casing, verdict)
        (folder / FACTS_FILE).write_text(json.dumps(facts.as_dict()), encoding="utf-8")
        (folder / CONFIG_FILE).write_text("{}", encoding="utf-8")
        folders.append(folder)
    return folders


def test_the_newest_run_gets_its_page_and_card(outputs):
    folder = outputs[0]
    said = clickbait("--output", folder.parent.parent)
    assert (said.exit_code, said.output.replace("\n", "")) == (0, str(folder / "report.html"))
    assert "It relies on capitals" in (folder / "report.html").read_text(encoding="utf-8")
    assert "65.00" in (folder / "model_card.md").read_text(encoding="utf-8")


def test_a_page_can_be_written_elsewhere(outputs, tmp_path):
    said = clickbait("--output", outputs[1].parent.parent, "--to", tmp_path / "page.html")
    assert said.exit_code == 0
    assert "Blessed" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not (outputs[1] / "report.html").exists()


def test_runs_of_two_outputs_are_compared_by_their_folders(outputs, tmp_path):
    said = clickbait("--compare", *outputs, "--to", tmp_path / "page.html")
    assert said.exit_code == 0, said.output
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "A: ✗ Not blessed" in page
    assert "B: ✓ Blessed" in page


def test_runs_of_one_output_are_compared_by_their_ids(outputs):
    write_run(outputs[0].parent.parent, a_verdict(run_id="2027-x"))
    said = clickbait("--output", outputs[0].parent.parent, "--compare", "2026", "2027")
    assert said.output.strip().endswith("2027-x/comparison.html")


def test_a_run_that_left_no_facts_has_a_page(tmp_path):
    folder = write_run(tmp_path, a_verdict(schema_version=1))
    assert clickbait("--output", tmp_path).exit_code == 0
    assert "headlines.csv" in (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["2025"], "which no run has"),
        (["2026", "--compare", "2026", "2026"], "of one run or of two"),
        (["--to", ""], "--to must name a file"),
    ],
)
def test_a_mistake_is_told(outputs, arguments, told):
    said = clickbait(*arguments, "--output", outputs[0].parent.parent)
    assert said.exit_code == 2
    assert told in said.output


@pytest.mark.parametrize("text", ['{"a":', "[]", "\x00"])
def test_facts_that_are_none_are_one_message(outputs, text):
    file = outputs[0] / FACTS_FILE
    file.write_text(text, encoding="utf-8")
    said = clickbait("--output", outputs[0].parent.parent)
    assert said.exit_code == 2
    assert said.stderr.startswith("clickbait: The facts of a run must be a JSON object. Received: ")
    assert str(file) in said.stderr


def test_a_page_that_cannot_be_written_is_one_message(outputs, tmp_path):
    said = clickbait("--output", outputs[0].parent.parent, "--to", tmp_path / "no" / "page.html")
    assert said.exit_code == 2
    assert "Give --to FILE." in said.stderr
    assert not isinstance(said.exception, OSError)


@pytest.mark.parametrize("status", [0, 1])
def test_the_page_is_opened_in_the_browser_and_without_one_its_path_is_there(outputs, tmp_path, monkeypatch, status):
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\nexit {status}\n', encoding="utf-8")
    browser.chmod(0o755)
    monkeypatch.setattr(webbrowser, "_tryorder", [str(browser)])
    monkeypatch.setattr(webbrowser, "_browsers", {str(browser): [None, webbrowser.GenericBrowser(str(browser))]})
    page = outputs[0] / "report.html"
    shown = clickbait("--output", outputs[0].parent.parent, "--open")
    assert (shown.exit_code, (tmp_path / "opened").read_text(encoding="utf-8")) == (0, f"{page.as_uri()}\n")
    assert shown.output.startswith(str(page))
    assert ("There is no browser" in shown.output) == bool(status)
