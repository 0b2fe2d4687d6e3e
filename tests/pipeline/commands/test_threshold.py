"""`clickbait threshold` as a person meets it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner

from components.slices import VARIANT
from pipeline.cli import main
from pipeline.config.pipeline_config import load_config
from pipeline.results.report.facts import Facts, Lineage, MadeArtifact, write_facts
from pipeline.results.verdict import Verdict
from serving.classes import Unsure
from serving.versions.push import push_model
from serving.versions.version_folder import read_card
from tests.helpers.reports import a_report_run
from tests.helpers.serving import write_model
from tests.helpers.verdicts import a_verdict, write_run

RUN = "20260101-000000-aaaa"
ROWS = 400


def call(*arguments):
    return CliRunner().invoke(main, ["threshold", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Scores a title by its length in sixteenths."""
    return write_model(tmp_path_factory.mktemp("model") / "model", 1 / 16)


@pytest.fixture
def output(tmp_path, monkeypatch, model):
    """Of a run that pushed the model, and whose predictions are there."""
    from components.record_batches import open_writer, with_columns

    monkeypatch.delenv("CLICKBAIT__OUTPUT", raising=False)
    output = tmp_path / "out"
    pushed = push_model(model, output / "serving" / "clickbait", run_id=RUN, fingerprint="f", keep_versions=5)
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 2 * ROWS)
    columns = {
        "title": [f"t{row}" for row in range(2 * ROWS)],
        "label": labels,
        "probability": np.clip(labels / 2 + random.normal(0.25, 0.2, 2 * ROWS), 0, 1).astype(np.float32),
        VARIANT: ["as_is", "lower"] * ROWS,
    }
    with open_writer(tmp_path / "predictions" / "Split-eval" / "rows-00000-of-00001.gz") as write:
        write(with_columns(pa.RecordBatch.from_arrays([], []), columns))
    verdict = a_verdict(run_id=RUN, pushed={"version": pushed.version, "path": "", "new": True})
    made = MadeArtifact("ModelScorer", "predictions", str(tmp_path / "predictions"), 1, "Examples")
    folder = write_run(output, verdict)
    write_facts(folder, Facts(lineage=Lineage(None, None, [made]), compared=False))
    return output


def card_of(output):
    (version,) = (output / "serving" / "clickbait").iterdir()
    return version, read_card(version.parent, int(version.name))


def test_the_threshold_of_a_run_goes_into_its_versions_card(output):
    result = call("choose", "--precision", 0.9, "--output", output)
    assert result.exit_code == 0, result.stderr
    version, card = card_of(output)
    chosen = card.threshold
    low, high = chosen.unsure
    assert 0 < low < high == chosen.threshold < 1
    assert (chosen.wanted, chosen.rows, chosen.data) == ({"precision": 0.9}, ROWS, f"eval rows of run {RUN}")
    value, begin, end = chosen.shares["precision"]
    assert begin < 0.9 <= value < end
    assert f"threshold  {high:.6g}: precision {value:.4f} ({begin:.4f} to {end:.4f})" in result.output
    assert f"clickbait predict --unsure {version}/assets.extra/clickbait.json TEXT" in result.output
    assert Unsure.parse(str(version)) == (low, high)
    listed = CliRunner().invoke(main, ["versions", "--output", str(output)]).output
    assert f"threshold {high:.4g}, unsure {low:.4g} to {high:.4g} (precision 0.9)" in listed


def test_other_rows_are_scored_by_the_newest_version(output, tmp_path):
    random = np.random.default_rng(2)
    with (tmp_path / "rows.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        for row in range(300):
            writer.writerow([f"{row:03}".ljust(int(np.clip(random.normal(5 + 5 * (row % 2), 2), 3, 15)), "."), row % 2])
        writer.writerows([["same", 0], ["same", 0], ["both", 0], ["both", 1], ["", 1], ["bad", "?"]])
    arguments = ["--coverage", 0.8, "--output", output, "--data", tmp_path / "rows.csv", "--text-column", "text"]
    result = call("choose", *arguments)
    assert result.exit_code == 0, result.stderr
    chosen = card_of(output)[1].threshold
    assert (chosen.wanted, chosen.rows, chosen.data) == ({"coverage": 0.8}, 301, str(tmp_path / "rows.csv"))
    assert chosen.shares["coverage"][0] >= 0.8
    assert "301 · " in result.output and ", 5 more are left out" in result.output


def test_a_run_that_pushed_nothing_has_a_threshold_and_no_card(output):
    folder = output / "runs" / RUN
    verdict = json.loads((folder / "verdict.json").read_text())
    (folder / "verdict.json").write_text(json.dumps(verdict | {"pushed": None, "status": "not blessed"}))
    result = call("choose", "--recall", 0.9, "--output", output)
    assert result.exit_code == 0, result.stderr
    assert "card       not written" in result.output
    assert "clickbait predict --unsure 0." in result.output
    assert card_of(output)[1].threshold is None


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "One of --precision, --recall and --coverage must be given. Received: none"),
        (["--precision", 0.9, "--recall", 0.9], "Received: --precision, --recall"),
        (["--precision", 1], "above 0 and below 1"),
        (["--precision", 0.9999], "on these 400 rows the most is 0."),
        (["--precision", 0.9, "--run", "2027"], "which no run has"),
        (["--precision", 0.9, "--data", "gone.csv"], "gone.csv"),
        (["--precision", 0.9, "--data", "x.csv", "--model", "other"], "Received: no version. Type `clickbait run`"),
    ],
)
def test_mistakes_end_with_2_and_change_no_card(output, arguments, part):
    result = call("choose", *arguments, "--output", output)
    assert result.exit_code == 2
    assert part in " ".join(result.output.split())
    assert card_of(output)[1].threshold is None


def test_without_a_run_there_is_nothing_to_choose_on(output, tmp_path):
    result = call("choose", "--precision", 0.9, "--output", tmp_path / "other")
    assert (result.exit_code, "There must be a run to look at" in result.output) == (2, True)
    write_run(output, Verdict(run_id="20270101-000000-bbbb", status="interrupted"))
    result = call("choose", "--precision", 0.9, "--output", output)
    assert (result.exit_code, "(interrupted), which it did not make" in result.output) == (2, True)


def test_the_proposed_thresholds_are_the_ends_of_the_runs_intervals(tmp_path):
    verdict = a_report_run()[0]
    write_run(tmp_path, verdict)
    printed = call("propose", "--output", tmp_path).output
    file = tmp_path / "thresholds.yaml"
    result = call("propose", "--output", tmp_path, "--output-file", file)
    assert (result.exit_code, file.read_text()) == (0, printed), result.output
    proposed = yaml.safe_load(printed)["evaluation"]
    metrics = verdict.evaluation.overall("eval").metrics
    accuracy, error = metrics["binary_accuracy"].interval[0], metrics["ece"].interval[1]
    assert accuracy - 1e-4 < proposed["min_eval_accuracy"] <= accuracy
    assert error <= proposed["max_eval_ece"] < error + 1e-4
    assert {"min_train_accuracy", "min_eval_auc", "min_eval_precision", "min_eval_recall", "max_eval_brier"} < {
        *proposed
    }
    config = load_config(file=file, environ={}).evaluation.model_dump()
    assert {key: config[key] for key in proposed} == proposed


def test_a_run_without_an_evaluation_proposes_nothing(tmp_path):
    write_run(tmp_path, Verdict(run_id="20260101-000000-cccc", status="refused"))
    result = call("propose", "--output", tmp_path)
    assert (result.exit_code, "must have been evaluated. Received: 20260101-000000-cccc" in result.output) == (2, True)


def test_a_proposal_that_cannot_be_written_is_said(tmp_path):
    write_run(tmp_path, a_report_run()[0])
    result = call("propose", "--output", tmp_path, "--output-file", tmp_path / "gone" / "x.yaml")
    assert (result.exit_code, "--output-file must be writable" in result.output) == (2, True)
