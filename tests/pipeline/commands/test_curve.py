"""`clickbait curve` as a person meets it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.labelling import curve as curves
from pipeline.labelling.curve_fit import Fitted
from pipeline.labelling.curve_record import Fit
from pipeline.results.words import FINE_TUNED, PUSHED, WARM_START
from serving.versions.push import push_model
from tests.helpers.curves import a_fit, write_rows


class Fits:
    """Takes the place of the processes that train."""

    def __init__(self):
        self.jobs = []
        self.most = 99
        self.error = ""

    def __call__(self, job, folder, python):
        if len(self.jobs) == self.most:
            raise KeyboardInterrupt
        self.jobs.append(job)
        if self.error and job.recipe == FINE_TUNED:
            return Fitted(error=self.error)
        fit = Fit(job.recipe, len(job.titles), job.settings["seed"])
        return a_fit(fit, np.array(job.held_out_labels))


@pytest.fixture
def fits(monkeypatch):
    fits = Fits()
    monkeypatch.setattr(curves, "run_job", fits)
    return fits


@pytest.fixture
def call(tmp_path, monkeypatch, tiny_encoder):
    """Returns a function that calls the command on 300 rows, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLICKBAIT__OUTPUT", raising=False)
    write_rows(tmp_path / "rows.csv")

    def call(*arguments, data="rows.csv"):
        options = ["--data", data] if data else []
        encoder = ["--set", f"encoder.source={tiny_encoder}"]
        return CliRunner().invoke(main, ["curve", *options, *encoder, *map(str, arguments)], env={"COLUMNS": "200"})

    return call


def test_all_models_are_trained_and_shown(call, fits, tmp_path):
    result = call("--rows", "50,100,all,5000", "--seeds", 2)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    most = int(lines[1].split()[1])
    assert lines[0] == f"left out   {PUSHED}, {WARM_START}: no whole version is in output/serving/clickbait"
    assert lines[1] == f"rows       {most} to train on, {300 - most} held out · rows.csv"
    assert lines[2].startswith(f"few rows   {300 - most} held-out rows make wide intervals")
    assert lines[3] == f"sizes      5,000: there are {most} rows to train on, which stand for it"
    assert lines[4].startswith("cost       about ") and "for 24 models, by the cost of a row" in lines[4]
    assert lines[5].startswith("model      frozen encoder, 50 rows, seed 1: AUC 0.")
    assert lines[5].endswith("minutes left") and "left" not in lines[28]
    assert lines[-2].startswith("labels     The next 1,000 labels are likely to add ")
    assert lines[-1] == "page       output/curve/curve.html"
    assert len(fits.jobs) == 24
    settings = fits.jobs[-1].settings
    assert (settings["words"], settings["learning_rates"]) == (True, [1e-4])  # of the preset own
    written = json.loads((tmp_path / "output/curve/curve.json").read_text())
    assert len(written["points"]) == 24
    assert "<svg" in (tmp_path / "output/curve/curve.html").read_text()


def test_a_curve_that_is_stopped_is_resumed(call, fits, tmp_path):
    arguments = ("--rows", "50,100", "--recipes", "tfidf_lower,frozen", "--to", "c")
    fits.most = 2
    result = call(*arguments)
    assert result.exit_code == 130
    assert "stopped    the same command goes on" in result.output
    assert (tmp_path / "c" / "curve.html").exists()
    fits.most = 99
    result = call(*arguments)
    assert result.exit_code == 0
    assert "curve      goes on from 2 models in c/curve.json" in result.output
    assert "for 2 models, by the models that there are" in result.output
    first = (tmp_path / "c" / "curve.json").read_bytes()
    result = call(*arguments)
    assert len(fits.jobs) == 4
    assert "cost" not in result.output
    assert (tmp_path / "c" / "curve.json").read_bytes() == first
    write_rows(tmp_path / "rows.csv", 320)
    result = call(*arguments)
    assert "curve      begins anew, because of another data; the earlier one is c/curve.earlier.json" in result.output
    assert len(fits.jobs) == 8


def test_a_pushed_model_takes_part(call, fits, tmp_path, tiny_encoder):
    push_model(tiny_encoder, tmp_path / "output/serving/clickbait", run_id="r", fingerprint="f", keep_versions=5)
    result = call("--rows", "50", "--recipes", "pushed,warm_start")
    assert result.exit_code == 0, result.output
    assert [(job.recipe, len(job.titles)) for job in fits.jobs] == [(PUSHED, 0), (WARM_START, 50)]
    assert all(job.pushed.startswith(str(tmp_path / "output/serving/clickbait")) for job in fits.jobs)
    assert "last pushed model as it is: AUC" in result.output
    assert "is not known: it takes 3 sizes" in result.output


def test_a_model_that_fails_is_said_and_the_others_are_there(call, fits, tmp_path):
    fits.error = "exit code 137: killed [bold]"
    result = call("--rows", "50", "--recipes", "fine_tuned,frozen", "--to", "c")
    assert result.exit_code == 1
    assert "failed     fine-tuned, 50 rows, seed 1: exit code 137: killed [bold]" in result.output
    assert "Every model must be trained. Received: 1 of 2 that failed" in result.output
    assert len(json.loads((tmp_path / "c/curve.json").read_text())["points"]) == 1


def test_no_model_at_all_has_no_page(call, fits, tmp_path):
    fits.error = "no"
    assert call("--rows", "50", "--recipes", "fine_tuned", "--to", "c").exit_code == 1
    assert not (tmp_path / "c/curve.html").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["--rows", "x"], 2, "--rows must be whole numbers above 0"),
        (["--rows", "3"], 2, "--rows must draw 2 rows or more of each class"),
        (["--recipes", "x"], 2, "--recipes must be of"),
        (["--seeds", "0"], 2, "--seeds"),
        (["--text-column", "text"], 2, "'text'"),
        (["--to", "rows.csv"], 2, "--to must be writable"),
        (["--data", "one.csv"], 3, "2 rows or more of each class in train and in eval"),
        (["--data", "gone.csv"], 2, "gone.csv"),
    ],
)
def test_mistakes_are_said_before_anything_is_trained(call, fits, tmp_path, arguments, code, part):
    write_rows(tmp_path / "one.csv", 60, 1)
    result = call(*arguments)
    assert (result.exit_code, part in " ".join(result.output.split())) == (code, True), result.output
    assert fits.jobs == []


def test_without_data_there_is_no_curve(call):
    result = call(data=None)
    assert (result.exit_code, "--data must be given" in result.output) == (2, True)
