"""The parts of a learning curve."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from components.errors import DataRefused
from components.headline_example_gen.settings import DataConfig
from components.titles import title_key
from pipeline.config.pipeline_config import load_config
from pipeline.labelling import curve as curves
from pipeline.labelling.curve_fit import FITS, Fitted, Job
from pipeline.labelling.curve_record import CurveError, Fit
from pipeline.results.words import FINE_TUNED, FROZEN, PUSHED, RECIPES, WARM_START
from tests.helpers.curves import a_curve, write_rows
from trainer.settings import TrainerSettings, TrainingConfig

TRAINING = TrainingConfig()
OWN = load_config("own", environ={}).training


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    path = write_rows(tmp_path_factory.mktemp("rows") / "rows.csv")
    return curves.read_split(DataConfig(), str(path))


# ---- The call


def test_sizes_are_numbers_or_all():
    assert curves.parse_rows("250, 500,ALL") == [250, 500, None]
    for text, received in {"250,x": "'x'", "": "''", "0": "'0'", "-5": "'-5'", "1e3": "'1e3'", "5,": "''"}.items():
        with pytest.raises(CurveError, match=f"--rows must be whole numbers.*Received: {received}") as raised:
            curves.parse_rows(text)
        assert raised.value.exit_code == 2


def test_recipes_are_named():
    assert curves.parse_recipes("tfidf_lower,fine_tuned") == [FINE_TUNED, "tfidf_lower"]
    assert curves.parse_recipes(",".join(RECIPES)) == list(RECIPES)
    with pytest.raises(CurveError, match="--recipes must be of fine_tuned, .* Received: '', 'x'"):
        curves.parse_recipes("frozen,x,")


# ---- The rows


def test_rows_are_split_by_the_titles_hash(labelled):
    assert len(labelled.train) + len(labelled.held_out) == 300
    assert all(title_key(row.title).split % 10 >= 7 for row in labelled.held_out)
    assert all(title_key(row.title).split % 10 < 7 for row in labelled.train)
    assert labelled.held_out_labels.tolist() == [row.label for row in labelled.held_out]


def test_rows_are_read_as_a_run_reads_them(tmp_path):
    path = write_rows(tmp_path / "rows.csv", 100)
    first = path.read_text().splitlines()[1]
    title = first.rpartition(",")[0]
    path.write_text(f"{path.read_text()}{first}\nboth,0\nboth,1\n,1\nx,?\n")
    held_out = write_rows(tmp_path / "held_out.csv", 40)
    labelled = curves.read_split(DataConfig(eval_data=str(held_out)), str(path))
    assert (len(labelled.train), len(labelled.held_out)) == (60, 40)  # 40 titles are in both
    assert labelled.left_out == 40 + 5
    assert title not in {row.title for row in labelled.train}
    limited = curves.read_split(DataConfig(limit_rows=50), str(path))
    assert len(limited.train) + len(limited.held_out) == 50


@pytest.mark.parametrize(("rows", "label"), [(60, 1), (5, None)])
def test_a_class_without_rows_is_refused(tmp_path, rows, label):
    path = write_rows(tmp_path / "rows.csv", rows, label)
    with pytest.raises(DataRefused, match="2 rows or more of each class in train and in eval") as raised:
        curves.read_split(DataConfig(), str(path))
    assert raised.value.exit_code == 3


def test_samples_are_nested_and_seeds_differ(labelled):
    fewer, more = (curves.draw(labelled, rows, 1) for rows in (20, 60))
    assert fewer == more[:20] == curves.draw(labelled, 20, 1)
    assert fewer != curves.draw(labelled, 20, 2)
    assert len({row.title for row in more}) == 60


def test_sizes_beyond_the_rows_are_all_once(labelled):
    most = len(labelled.train)
    assert curves.clip_sizes([50, None, 5000, 50, 9999], labelled) == (
        [50, most],
        f"5,000, 9,999: there are {most} rows to train on, which stand for it",
    )
    assert curves.clip_sizes([None, 50], labelled) == ([50, most], "")


def test_quick_models_come_first_and_the_pushed_one_once(labelled):
    fits = curves.plan_fits(labelled, [50, 100], 2, RECIPES)
    assert len(fits) == 5 * 4 + 1
    assert [fit.recipe for fit in fits[-8:]] == [FINE_TUNED] * 4 + [WARM_START] * 4
    assert fits.count(Fit(PUSHED, 0, 0)) == 1
    assert fits[-4:] == [Fit(WARM_START, rows, seed) for rows in (50, 100) for seed in (1, 2)]


def test_a_sample_without_a_class_is_refused(labelled):
    with pytest.raises(CurveError, match=r"--rows must draw 2 rows or more .* Received: 2, of which seed 1 draws"):
        curves.plan_fits(labelled, [2, 50], 1, [FROZEN])


# ---- The cost


def test_the_cost_is_corrected_by_what_was_measured():
    fits = [Fit(FINE_TUNED, 500, 1)]
    rough = curves.expected_seconds(fits, 100, TRAINING, [])
    assert rough == pytest.approx(20 + 4 * 500 * 0.009 + 100 * 0.004)
    measured = a_curve([Fit(WARM_START, 500, 1)]).points
    cost = curves.expected_seconds([measured[0].fit], 100, TRAINING, [])
    assert curves.expected_seconds(fits, 100, TRAINING, measured) == pytest.approx(rough * 10 / cost)
    assert curves.expected_seconds(fits, 100, OWN, []) == pytest.approx(
        20.4 + 4 * (1 + 4 * 2 / 3) * 500 * 0.009
    )  # two trials on two thirds of the rows, the best of them twice more, and the training
    assert curves.expected_seconds([Fit(FINE_TUNED, 5000, 1)], 100, OWN, []) == pytest.approx(
        20.4 + 4 * 2.6 * 5000 * 0.009
    )
    assert curves.expected_seconds([Fit("tfidf_lower", 500, 1)], 100, OWN, measured) < 5


# ---- Jobs and points


def test_a_job_has_the_rows_and_the_seed_of_its_model(labelled):
    settings = TrainerSettings(encoder="e", encoder_digest="", offline=True, eval_batch_size=32, **OWN.model_dump())
    job = curves.make_job(Fit(FINE_TUNED, 20, 3), labelled, settings, Path("/encoder"), Path("/pushed"))
    assert job.titles == [row.title for row in curves.draw(labelled, 20, 3)]
    assert (job.settings["seed"], job.settings["warm_start"], job.settings["words"]) == (3, False, True)
    assert job.settings["checkpoint_seconds"] is None
    warm = curves.make_job(Fit(WARM_START, 20, 1), labelled, settings, Path("/encoder"), Path("/pushed"))
    assert (warm.settings["seed"], warm.settings["warm_start"], warm.pushed) == (1, True, "/pushed")
    pushed = curves.make_job(Fit(PUSHED, 0, 0), labelled, settings, Path("/encoder"), None)
    assert (pushed.titles, pushed.settings["seed"], pushed.pushed) == ([], 1, None)
    assert Job.from_json(json.dumps(job.as_dict()).encode()) == job
    assert {*FITS} < {*RECIPES}


def test_a_point_has_its_intervals():
    labels = np.array([0, 0, 1, 1])
    point = curves.judge(Fit(FROZEN, 20, 1), labels, Fitted([0.1, 0.6, 0.5, 0.9], 1.5, 99))
    assert point.accuracy == pytest.approx((0.75, 0.3006, 0.9544), abs=1e-4)
    assert point.auc.value == 0.75
    assert (point.fit, point.seconds, point.memory_bytes) == (Fit(FROZEN, 20, 1), 1.5, 99)
    assert point.ece == pytest.approx((0.1 + 0.6 + 0.5 + 0.1) / 4)


def test_only_what_makes_another_point_decides():
    data = DataConfig()
    settings = curves.decisive_settings(data, OWN, "sha256:e")
    same = OWN.model_copy(update={"checkpoint_seconds": 5.0, "validation_rows": 7})
    assert curves.decisive_settings(data.model_copy(update={"path": "/x"}), same, "sha256:e") == settings
    assert curves.decisive_settings(data, OWN.model_copy(update={"epochs": 9}), "sha256:e") != settings
    assert settings["encoder.digest"] == "sha256:e"
