"""The report and the model card of a run; a failure to write them does not change its result."""

import io
import json

import pytest
from rich.console import Console

from pipeline.results.report.changes import Change
from pipeline.results.report.collect import collect_facts
from pipeline.results.report.facts import FACTS_FILE
from pipeline.results.report.write import leave_report
from pipeline.results.run_folders import CONFIG_FILE, MODEL_CARD_FILE, REPORT_FILE, read_runs
from tests.helpers.reports import a_report_run
from tests.helpers.verdicts import a_verdict, write_run

CONFIG = "training: {casing: augment}\n"


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def folder(tmp_path):
    folder = write_run(tmp_path, a_verdict())
    (folder / CONFIG_FILE).write_text(CONFIG, encoding="utf-8")
    return folder


def test_a_run_leaves_page_card_and_facts(folder, console):
    verdict = a_report_run()[0]
    leave_report(folder, verdict, dict, [], console)
    assert console.file.getvalue() == ""
    assert "Blessed, and pushed" in (folder / REPORT_FILE).read_text(encoding="utf-8")
    assert "# Model Card" in (folder / MODEL_CARD_FILE).read_text(encoding="utf-8")
    facts = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
    assert facts["settings"] == {"training.casing": "augment"}
    assert facts["cpu_seconds"] > 0


def test_a_run_without_a_model_has_no_card(folder, console):
    leave_report(folder, a_verdict(status="refused", thresholds=[]), dict, [], console)
    assert (folder / REPORT_FILE).is_file()
    assert not (folder / MODEL_CARD_FILE).exists()


def test_a_report_that_fails_is_said_and_logged_and_no_more(folder, console, capfd):
    def broken():
        raise OSError("the metadata [is] gone")

    leave_report(folder, a_verdict(), broken, [], console)
    assert console.file.getvalue() == "no report: OSError: the metadata [is] gone\n"
    assert "Traceback" in capfd.readouterr().err
    assert not (folder / REPORT_FILE).exists()


def test_the_last_blessed_run_is_what_a_run_is_compared_with(tmp_path):
    for number, changes in enumerate([{}, {"blessed": False, "pushed": None}]):
        folder = write_run(tmp_path, a_verdict(run_id=f"2025-{number}", **changes))
        (folder / CONFIG_FILE).write_text("training: {casing: lower}\n", encoding="utf-8")
    found = collect_facts(a_verdict(), {}, CONFIG, read_runs(tmp_path)).previous
    assert found.run_id == "2025-0"
    assert found.changes == [Change("training.casing", "lower", "augment")]


def test_the_first_run_has_none_to_be_compared_with():
    assert collect_facts(a_verdict(), {}, CONFIG, []).previous is None


def test_the_configuration_goes_by_its_digest():
    first, second = (collect_facts(a_verdict(), {}, text).lineage.config_sha256 for text in (CONFIG, CONFIG + " "))
    assert first.startswith("sha256:")
    assert first != second
