"""`curve.json`, and what it says of more labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.labelling import curve as curves
from pipeline.labelling.curve_fit import Fitted
from pipeline.labelling.curve_page import forecast_line, render_curve
from pipeline.labelling.curve_record import (
    EARLIER_FILE,
    Curve,
    CurveError,
    Fit,
    open_curve,
    summarize,
    with_forecast,
    write_curve,
)
from pipeline.results.words import FINE_TUNED, FROZEN, PUSHED, RECIPES, WARM_START
from tests.helpers.curves import a_curve, a_fit

SIZES = (250, 500, 1000, 2437)


# ---- Going on


def fit_all(curve: Curve, fits: list[Fit], file: Path, most: int = 99) -> tuple[Curve, list[Fit]]:
    made, reached = [], curve

    def fit_one(fit: Fit) -> Fitted:
        if len(made) == most:
            raise KeyboardInterrupt
        made.append(fit)
        return Fitted(error="killed") if fit.rows == 7 else a_fit(fit, labels)

    labels = np.arange(curve.held_out_rows) % 2
    try:
        for _, so_far, error in curves.fit_all(curve, fits, labels, fit_one, file):
            reached = so_far
            assert error == ("killed" if made[-1].rows == 7 else "")
    except KeyboardInterrupt:
        pass
    return reached, made


def test_a_curve_that_was_stopped_goes_on_with_the_same_figures(tmp_path):
    fits = [Fit(recipe, rows, seed) for recipe in (FROZEN, FINE_TUNED) for rows in SIZES[:3] for seed in (1, 2)]
    fresh = a_curve([])
    whole, made = fit_all(fresh, fits, tmp_path / "whole.json")
    assert made == fits
    file = tmp_path / "curve.json"
    fit_all(fresh, fits, file, most=5)
    curve, note = open_curve(file, fresh)
    assert note == f"goes on from 5 models in {file}"
    curve, made = fit_all(curve, fits, file)
    assert made == fits[5:]
    assert curve == whole == Curve.from_json(file.read_bytes())
    assert file.read_bytes() == (tmp_path / "whole.json").read_bytes()


def test_a_model_that_fails_is_no_point_and_the_others_go_on(tmp_path):
    curve, made = fit_all(a_curve([]), [Fit(FROZEN, 7, 1), Fit(FROZEN, 50, 1)], tmp_path / "curve.json")
    assert len(made) == 2
    assert [point.fit for point in curve.points] == [Fit(FROZEN, 50, 1)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data_digest": "sha256:1"}, "data"),
        ({"settings": {"training.epochs": 5}}, "training.epochs"),
        ({"schema_version": 2}, "version of the file"),
    ],
)
def test_a_change_begins_anew_and_keeps_the_earlier_curve(tmp_path, change, reason):
    file, known = tmp_path / "curve.json", a_curve([Fit(FROZEN, 50, 1)])
    write_curve(file, known)
    fresh = replace(a_curve([]), **change)
    curve, note = open_curve(file, fresh)
    assert curve is fresh
    assert note.startswith(f"begins anew, because of another {reason}; the earlier one is ")
    assert Curve.from_json((tmp_path / EARLIER_FILE).read_bytes()) == known
    assert not file.exists()


def test_a_file_that_is_no_curve_is_put_aside(tmp_path):
    (tmp_path / "curve.json").write_text("{")
    fresh = a_curve([])
    assert open_curve(tmp_path / "curve.json", fresh)[1].startswith("begins anew, because of another file")
    assert open_curve(tmp_path / "curve.json", fresh) == (fresh, "")
    write_curve(tmp_path / "curve.json", replace(fresh, data_digest="x"))
    assert open_curve(tmp_path / "curve.json", fresh) == (fresh, "")  # it has no point


def test_another_pushed_model_takes_only_its_own_points(tmp_path):
    known = a_curve([Fit(PUSHED, 0, 0), Fit(WARM_START, 50, 1), Fit(FROZEN, 50, 1)])
    write_curve(tmp_path / "curve.json", known)
    curve, note = open_curve(tmp_path / "curve.json", replace(known, points=[], pushed="sha256:2"))
    assert [point.recipe for point in curve.points] == [FROZEN]
    assert note.endswith("; 2 are of another pushed model, and begin anew")


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CurveError, match="--to must be writable. Received: .*file: "):
        write_curve(tmp_path / "file" / "curve.json", a_curve([]))


# ---- More labels


def test_points_are_summarized_over_their_seeds():
    curve = a_curve([Fit(FROZEN, 500, 1), Fit(FROZEN, 500, 2), Fit(FINE_TUNED, 250, 1), Fit(FROZEN, 250, 1)])
    summaries = summarize(curve.points)
    assert [(row.recipe, row.rows, row.seeds) for row in summaries] == [
        (FINE_TUNED, 250, 1),
        (FROZEN, 250, 1),
        (FROZEN, 500, 2),
    ]
    two = [point.auc.value for point in curve.points[:2]]
    assert summaries[2].auc.value == pytest.approx(np.mean(two))


def test_the_best_recipe_with_three_sizes_has_a_forecast():
    fits = [Fit(recipe, rows, 1) for recipe in (FROZEN, FINE_TUNED) for rows in SIZES]
    curve = with_forecast(a_curve([Fit(PUSHED, 0, 0), *fits]))
    last = {point.recipe: point.auc.value for point in curve.points if point.rows == SIZES[-1]}
    assert curve.forecast.recipe == max(last, key=last.__getitem__)
    line = forecast_line(curve)
    assert line.startswith("The next 1,000 labels are likely to add ")
    assert RECIPES[curve.forecast.recipe] in line
    page = render_curve(curve)
    assert line in page and "1 − AUC = " in page
    assert page.count("<svg") == 2
    assert all(RECIPES[recipe] in page for recipe in (FROZEN, FINE_TUNED, PUSHED))


def test_without_three_sizes_it_is_said_why_there_is_no_forecast():
    curve = with_forecast(a_curve([Fit(FROZEN, 50, 1), Fit(FROZEN, 100, 1)], rows=40))
    assert curve.forecast is None
    page = render_curve(curve)
    assert "it takes 3 sizes, and of the best recipe, frozen encoder, there are 2." in page
    assert "so few that the intervals are wide" in page
    assert with_forecast(a_curve([Fit(PUSHED, 0, 0)])).no_forecast == "no model was trained"
    assert 'aria-label="Line chart of AUC by labelled rows' in render_curve(a_curve([Fit(PUSHED, 0, 0)]))
