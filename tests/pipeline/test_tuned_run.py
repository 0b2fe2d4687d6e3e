"""A whole run with `--tune`: the trials, and a model trained by the best of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.config.paths import SAMPLE_FILE
from pipeline.config.pipeline_config import load_config
from pipeline.results.run_folders import REPORT_FILE, read_run
from pipeline.running.local_runner import run_pipeline
from trainer.settings import TUNED


@pytest.mark.slow
def test_the_best_recipe_trains_and_is_found_once(tmp_path, tiny_encoder, quick_server, capfd):
    flags = {
        "data.path": SAMPLE_FILE,
        "encoder.source": tiny_encoder,
        "output": tmp_path,
        "tuner.trials": 3,
    }
    config = load_config("smoke", flags=flags, environ={})
    assert run_pipeline(config) == 0
    verdict = read_run(tmp_path)
    assert [(trial.candidate, trial.part) for trial in verdict.tuning][:3] == [(0, 2), (1, 2), (2, 2)]
    (best,) = [trial for trial in verdict.tuning if trial.best]
    assert {name: verdict.training.settings[name] for name in TUNED} == {name: getattr(best, name) for name in TUNED}
    assert verdict.training.asked["learning_rate"] == config.training.learning_rate
    assert sum("trial " in line for line in capfd.readouterr().out.splitlines()) == len(verdict.tuning)
    assert "t-tuning" in Path(verdict.folder, REPORT_FILE).read_text(encoding="utf-8")
    assert not (tmp_path / "tuner").exists()

    run_pipeline(config, to_node="Trainer")
    again = read_run(tmp_path).components
    assert {again[node].status for node in ("Tuner", "Trainer")} == {"cached"}


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_number_of_recipes_that_is_none_is_refused(count):
    done = CliRunner().invoke(main, ["run", "--tune", count])
    assert done.exit_code == 2
    assert count in done.output
