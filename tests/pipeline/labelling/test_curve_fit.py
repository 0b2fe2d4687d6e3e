"""The models of a learning curve, on a tiny encoder."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from pipeline.labelling.curve import run_job
from pipeline.labelling.curve_fit import JOB_FILE, RESULT_FILE, Fitted, Job, main
from pipeline.results.words import FINE_TUNED, FROZEN, PUSHED, WARM_START
from tests.helpers.trainings import TRAINING, generated
from trainer.settings import TrainerSettings


@pytest.fixture(scope="module")
def job(tiny_encoder):
    titles, labels = zip(*generated(120, 0), strict=True)
    held_out, held_out_labels = zip(*generated(40, 1), strict=True)
    settings = TrainerSettings.from_custom_config(TRAINING | {"encoder": str(tiny_encoder)})
    return Job(
        FINE_TUNED,
        [*titles],
        [*labels],
        [*held_out],
        [*held_out_labels],
        settings.model_dump(mode="json"),
        str(tiny_encoder),
    )


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    """Returns a function that does a job here, and returns its result and its folder."""

    def fit(job):
        folder = tmp_path_factory.mktemp("fit")
        (folder / JOB_FILE).write_text(json.dumps(job.as_dict()))
        main(folder)
        return Fitted.from_json((folder / RESULT_FILE).read_bytes()), folder

    return fit


@pytest.fixture(scope="module")
def tuned(job, fit):
    return fit(job)


def accuracy(fitted, job):
    return np.mean((np.array(fitted.scores) >= 0.5) == job.held_out_labels)


def test_the_recipe_is_fine_tuned(tuned, job):
    fitted, folder = tuned
    assert fitted.error == ""
    assert accuracy(fitted, job) > 0.9
    assert fitted.seconds > 0 and fitted.memory_bytes > 50_000_000
    assert (folder / "model" / "saved_model.pb").is_file()


def test_the_pushed_model_scores_and_is_where_another_training_begins(tuned, job, fit):
    fitted, folder = tuned
    pushed = replace(job, recipe=PUSHED, titles=[], labels=[], pushed=str(folder / "model"))
    assert fit(pushed)[0].scores == fitted.scores
    still = job.settings | {"warm_start": True, "learning_rate": 1e-12, "optimizer": "sgd", "epochs": 1}
    warm = replace(job, recipe=WARM_START, pushed=pushed.pushed, settings=still)
    assert fit(warm)[0].scores == pytest.approx(fitted.scores, abs=1e-5)


@pytest.mark.parametrize("recipe", [FROZEN, "tfidf_lower"])
def test_quick_models_learn_the_words(job, fit, recipe):
    assert accuracy(fit(replace(job, recipe=recipe))[0], job) > 0.8


def test_what_a_recipe_cannot_do_is_its_message(job, fit):
    few = replace(job, titles=job.titles[:30], labels=job.labels[:30], settings=job.settings | {"words": True})
    fitted = fit(few)[0]
    assert fitted.error.startswith("A search must hold out 20 training rows or more")
    assert fitted.scores == []


def test_what_nobody_foresaw_has_no_result(job, fit):
    with pytest.raises(KeyError):
        fit(replace(job, recipe="other"))


def test_a_job_has_a_process_and_a_folder_of_its_own(job, forked_python, tmp_path):
    linear = replace(job, recipe="tfidf_cased")
    fitted = run_job(linear, tmp_path / "fit", (str(forked_python),))
    assert (fitted.error, len(fitted.scores)) == ("", 40)
    assert not (tmp_path / "fit").exists()


def test_a_process_that_is_killed_is_a_message(job, tmp_path):
    killed = "import os; print('the last line', flush=True); os.kill(os.getpid(), 9)"
    fitted = run_job(job, tmp_path / "fit", (sys.executable, "-c", killed))
    assert fitted.error == "exit code 137: the process was killed, as where the memory is full: the last line"
    fitted = run_job(job, tmp_path / "fit", (sys.executable, "-c", "raise SystemExit(3)"))
    assert fitted.error == "exit code 3: nothing in its log"
