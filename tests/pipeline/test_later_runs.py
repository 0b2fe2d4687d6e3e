"""Runs after a first one, in the same output: refused models, overridden rules, parts of runs, Ctrl-C, cleaning."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.config.paths import SAMPLE_FILE, OutputPaths
from pipeline.config.pipeline_config import load_config
from pipeline.monitoring.served_version import find_trained_from
from pipeline.results.lineage import read_outputs
from pipeline.results.run_folders import read_run, read_runs
from pipeline.results.verdict import Tracked
from pipeline.running.local_runner import run_pipeline
from serving.versions.rollback import restore_version
from serving.versions.version_folder import VersionCard, list_versions, read_card
from tests.helpers.terminal import terminal

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_server")]

UNTRAINED = ("evaluation.min_eval_accuracy=1.0", "training.learning_rate=1e-9")
REASON = "new rules are to come"
NO_TRACKER = "http://127.0.0.1:9"
EPOCHS = 1000
"""As many as there may be."""


class Outcome(NamedTuple):
    """Of one run."""

    code: int
    out: str
    err: str
    verdict: dict[str, Any]
    versions: list[int]
    """In the serving folder after it."""
    card: VersionCard | None
    """Of the version that it pushed."""
    properties: dict[str, Any]
    """Of the pushed model, in ML Metadata."""
    server_log: str
    """What the server said that LocalInfraValidator started; empty where there is none."""

    @property
    def ran(self) -> set[str]:
        """The components that did not come from the cache."""
        return {name for name, timing in self.verdict.components.items() if timing.status != "cached"}

    @property
    def broken(self) -> list[dict[str, Any]]:
        """The rules that gate and failed."""
        return [judged for judged in self.verdict.thresholds if judged.gates and not judged.passed]


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("output")


@pytest.fixture(scope="module")
def outcomes(output, tiny_encoder, clickbait, quick_server) -> dict[str, Outcome]:
    """Returns the outcomes of the runs, one after the other."""
    serving, told = output / "serving" / "clickbait", {}

    def look(name: str, code: int, out: str, err: str) -> Outcome:
        verdict, card, properties = read_run(output), None, {}
        if verdict.status == "pushed":
            card = read_card(serving, verdict.pushed.version)
            (pushed,) = read_outputs(output / "metadata.db", "clickbait")["VersionedPusher"].values()
            properties = {key: value.string_value for key, value in pushed.custom_properties.items()}
        log = Path(verdict.infra.log if verdict.infra else "none")
        server_log = log.read_text(encoding="utf-8") if log.is_file() else ""
        told[name] = Outcome(code, out, err, verdict, list_versions(serving), card, properties, server_log)
        return told[name]

    def run(name: str, *overrides: str, **part: str) -> Outcome:
        flags = {"data.path": SAMPLE_FILE, "encoder.source": tiny_encoder, "output": output, "training.epochs": 2}
        quick = "training.casing=as_is"  # to build
        config = load_config("smoke", overrides=[quick, *overrides], flags=flags, environ={})
        with terminal() as screen:
            code = run_pipeline(config, **part)
            return look(name, code, screen.out, screen.err)

    def interrupt() -> Outcome:
        call = [
            clickbait,
            "run",
            "--preset",
            "smoke",
            "--data",
            SAMPLE_FILE,
            "--encoder",
            tiny_encoder,
            "--output",
            output,
        ]
        process = subprocess.Popen(
            [*map(str, call), "--epochs", str(EPOCHS)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        shown, training, sent = "", f"epoch 1/{EPOCHS}", False
        for line in process.stdout:
            shown += line
            # Once: the line that the signal breaks off may be printed again.
            if training in line and not sent:
                process.send_signal(signal.SIGINT)
                sent = True
        return look("interrupted", process.wait(timeout=60), shown, process.stderr.read())

    first = run("first")
    run("unfit", "infra.max_memory_gb=0.001")
    run("unfit again", "infra.max_memory_gb=0.001", f"tracking.mlflow_uri={NO_TRACKER}")
    with pytest.MonkeyPatch.context() as patch:
        # TFX's Beam components read absl's flags from the command line, where -v would be a number.
        patch.setattr("sys.argv", ["clickbait", "run", "-v", "--preset"])
        run("untrained", *UNTRAINED)
    run("overridden", *UNTRAINED, f"evaluation.bless_anyway={REASON}")
    run("untrained again", *UNTRAINED)
    restore_version(serving, first.verdict.pushed.version)
    run("to the trainer", "training.seed=3", to_node="Trainer")
    run("from the variants", "training.seed=3", from_node="VariantExampleGen", to_node="Evaluator")
    run("from the trainer, other data", "data.limit_rows=200", from_node="Trainer")
    run("from the trainer", "training.seed=4", from_node="Trainer")
    interrupt()
    cleaned = CliRunner().invoke(main, ["clean", "--output", str(output), "--keep", "2", "--yes"])
    assert cleaned.exit_code == 0, cleaned.output
    run("after cleaning", "training.seed=4")
    return told


def test_a_tracker_that_is_down_is_said_in_a_line_and_changes_nothing_else(outcomes):
    unfit = outcomes["unfit again"]
    (line,) = [line for line in unfit.out.splitlines() if NO_TRACKER in line]
    assert line.split() == ["tracked", "not", "in", f"{NO_TRACKER}:", "Connection", "refused"]
    assert unfit.verdict.tracked == Tracked(NO_TRACKER, None, "Connection refused")
    assert outcomes["first"].verdict.tracked is None


def test_the_first_model_is_pushed(outcomes):
    first = outcomes["first"]
    assert (first.code, first.verdict.status, len(first.versions)) == (0, "pushed", 1)


@pytest.mark.parametrize("name", ["unfit", "unfit again"])
def test_a_model_that_is_not_fit_to_be_served_is_not_pushed_and_ends_with_5(outcomes, name):
    unfit = outcomes[name]
    assert (unfit.code, unfit.verdict.status) == (5, "infra not blessed")
    # Never from the cache: a refusal may be the machine's fault.
    assert unfit.ran == {"LocalInfraValidator", "VersionedPusher"}
    assert [finding.rule for finding in unfit.verdict.infra.findings if finding.outcome == "fail"] == ["memory"]
    assert "infra validation failed: memory, server: expected peak at most 0.001 GB" in unfit.out
    assert unfit.server_log
    assert unfit.versions == outcomes["first"].versions


def test_a_model_below_a_threshold_is_not_pushed_and_ends_with_4(outcomes):
    untrained = outcomes["untrained"]
    assert (untrained.code, untrained.verdict.status) == (4, "not blessed")
    found = [(judged.split, judged.metric, judged.bound) for judged in untrained.broken]
    assert found == [("eval", "binary_accuracy", 1.0)]
    assert "failed rules: eval accuracy 0." in untrained.out
    assert untrained.versions == outcomes["first"].versions


def test_an_override_pushes_and_stays_visible(outcomes):
    overridden = outcomes["overridden"]
    assert overridden.code == 0
    assert overridden.ran == {"Evaluator", "VersionedPusher"}  # judged anew, scored no more
    assert overridden.verdict.status == "pushed"
    assert overridden.verdict.evaluation.override.reason == REASON
    assert [judged.rule for judged in overridden.broken] == ["accuracy"]
    assert f"override failed rules are overridden: {REASON}" in overridden.out
    assert "pushed: overridden, failed rules: eval accuracy 0." in overridden.out
    assert overridden.card.override == overridden.properties["override"] == REASON


def test_an_override_is_not_inherited(outcomes):
    overridden, again = outcomes["overridden"], outcomes["untrained again"]
    written = Path(overridden.verdict.folder, "config.yaml")
    assert load_config(file=written, environ={}).evaluation.bless_anyway is None
    assert again.code == 4
    # What broke rules is no measure.
    assert again.verdict.baseline_version == overridden.verdict.baseline_version


def test_a_later_model_is_compared_with_the_first(outcomes):
    thresholds = outcomes["untrained"].verdict.thresholds
    (change,) = [judged for judged in thresholds if judged.against == "last blessed model"]
    assert change.bound == -1.0
    assert -1 <= change.observed <= 1


def test_a_run_to_the_trainer_pushes_nothing_and_one_from_the_variants_goes_on_from_there(outcomes):
    trained, evaluated = outcomes["to the trainer"], outcomes["from the variants"]
    assert trained.code == evaluated.code == 0
    assert list(trained.verdict.components)[-1] == "Trainer"
    assert trained.verdict.status == "done"
    assert trained.versions == evaluated.versions
    components = ["VariantExampleGen", "BaselineScorer", "ModelScorer", "Evaluator"]
    assert list(evaluated.verdict.components) == components
    assert evaluated.verdict.training == trained.verdict.training
    assert {judged.split for judged in evaluated.verdict.thresholds} == {"eval", "train"}


def test_from_the_trainer_takes_the_data_of_the_last_run_and_refuses_other_data(outcomes):
    refused, trained = outcomes["from the trainer, other data"], outcomes["from the trainer"]
    assert refused.code == 2
    assert "with another data.limit_rows" in refused.err
    assert trained.code == 0
    assert "HeadlineExampleGen" not in trained.verdict.components
    assert trained.verdict.components["VersionedPusher"].status == "done"
    assert trained.verdict.rows == outcomes["first"].verdict.rows
    assert trained.verdict.training.settings["seed"] == 4


def test_ctrl_c_in_training_ends_cleanly_and_the_components_before_it_are_not_run_again(outcomes):
    interrupted = outcomes["interrupted"]
    assert (interrupted.code, interrupted.err) == (130, "")
    assert "interrupted: " in interrupted.out
    assert "Traceback" not in interrupted.out
    statuses = {name: timing.status for name, timing in interrupted.verdict.components.items()}
    assert statuses["Trainer"] == "interrupted"
    assert {statuses["HeadlineExampleGen"], statuses["StatisticsGen"]} == {"cached"}


def test_after_cleaning_a_rerun_finds_all_in_the_cache_and_each_version_what_it_was_made_from(outcomes, output):
    again, trained = outcomes["after cleaning"], outcomes["from the trainer"]
    assert (again.code, again.verdict.status, again.ran) == (0, "unchanged", {"VersionedPusher"})
    assert again.versions == trained.versions
    kept = {run.run_id for run in read_runs(output)}
    made = {read_card(output / "serving" / "clickbait", version).run_id for version in again.versions}
    names = ("from the trainer", "interrupted", "after cleaning", "unfit again")  # the last: the newest refusal
    assert kept == made | {outcomes[name].verdict.run_id for name in names}
    paths = OutputPaths.of(load_config(flags={"output": output}, environ={}))
    for version in again.versions:
        assert find_trained_from(paths, version).statistics.is_file()
    reported = CliRunner().invoke(main, ["report", "--output", str(output)])
    assert reported.exit_code == 0, reported.output
    restored = restore_version(paths.serving_model, again.versions[0])
    assert restored.restored_from == again.versions[0]


def test_bad_rows_end_with_3_and_nothing_is_trained(tmp_path, capfd):
    bad = tmp_path / "bad.csv"
    bad.write_text(
        "headline,clickbait\n" + "Storm hits coast,0\n" * 20 + "What happened next,maybe\n", encoding="utf-8"
    )
    flags = {
        "data.path": bad,
        "data.text_column": "headline",
        "data.label_column": "clickbait",
        "output": tmp_path / "output",
    }
    assert run_pipeline(load_config("smoke", flags=flags, environ={})) == 3
    shown = capfd.readouterr()
    assert f"{bad}:22: the clickbait is 'maybe', expected 0 or 1" in shown.err
    assert "Traceback" not in shown.err + shown.out
    assert not (tmp_path / "output" / "serving").exists()
