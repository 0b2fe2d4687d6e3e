"""The power law of learning curves."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.labelling.power_law import STEP_ROWS, Measured, fit_law

SIZES = (250, 500, 1000, 2000, 2450)


def error(rows: float) -> float:
    return 0.02 + 1.5 * rows**-0.5


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_law_is_recovered_from_its_own_points(seeds):
    law = fit_law([Measured(rows, [error(rows)] * seeds, 0.006) for rows in SIZES])
    assert (law.floor, law.factor, law.exponent) == pytest.approx((0.02, 1.5, 0.5), rel=0.05)
    expected = [error(2450 + step * STEP_ROWS) - error(2450 + (step + 1) * STEP_ROWS) for step in range(3)]
    assert [gain.value for gain in law.gains] == pytest.approx(expected, rel=0.02)
    assert all(gain.low <= gain.value <= gain.high for gain in law.gains)
    assert (law.rows[0], law.rows[-1]) == (250, 2450 + 3 * STEP_ROWS)
    assert law.errors[0].value == pytest.approx(error(250), rel=0.01)
    if seeds == 3:  # that do not differ
        assert law.gains[0].high - law.gains[0].low < 1e-12


def test_the_true_gain_lies_in_most_intervals_and_more_seeds_make_them_narrower():
    true, hits, widths = error(2450) - error(3450), 0, {1: [], 3: []}
    for draw in range(20):
        for seeds in widths:
            random = np.random.default_rng([draw, seeds])
            sizes = [Measured(rows, error(rows) + 0.004 * random.standard_normal(seeds), 0.004) for rows in SIZES]
            gain = fit_law(sizes).gains[0]
            widths[seeds].append(gain.high - gain.low)
            hits += gain.low <= true <= gain.high
    assert hits >= 0.8 * 40
    assert np.mean(widths[3]) < np.mean(widths[1])


@pytest.mark.parametrize("errors", [(0.1, 0.1, 0.1), (0.05, 0.06, 0.09)])
def test_an_error_that_does_not_fall_gains_nothing(errors):
    law = fit_law([Measured(rows, [value], 0.0) for rows, value in zip(SIZES, errors, strict=False)])
    assert (law.factor, law.floor) == pytest.approx((0, np.mean(errors)))
    assert [gain.value for gain in law.gains] == pytest.approx([0, 0, 0])


def test_no_error_falls_below_0():
    law = fit_law([Measured(rows, [100 * rows**-0.9 - 0.2], 0.5) for rows in (100, 200, 400)])
    assert law.floor == 0
    assert all(value.low >= 0 for value in law.errors)
