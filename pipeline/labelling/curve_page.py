"""The page of a learning curve, and the sentence on more labels."""

from __future__ import annotations

from markupsafe import Markup

from pipeline.labelling.curve import FEW_HELD_OUT
from pipeline.labelling.curve_record import Curve, Summary, summarize
from pipeline.labelling.power_law import STEP_ROWS
from pipeline.results.report import charts
from pipeline.results.report.render import render_page
from pipeline.results.words import RECIPES

PAGE_FILE = "curve.html"


def render_curve(curve: Curve) -> str:
    """Renders `curve.html`."""
    summaries = summarize(curve.points)
    return render_page(
        "curve.html.j2",
        curve=curve,
        summaries=summaries,
        RECIPES=RECIPES,
        few_held_out=FEW_HELD_OUT,
        forecast=forecast_line(curve),
        charts={name: _chart(curve, summaries, name) for name in ("auc", "accuracy")},
    )


def forecast_line(curve: Curve) -> str:
    """Returns what the next labels are likely to add, or why that is not known."""
    if curve.forecast is None:
        return f"What more labels would add is not known: {curve.no_forecast}."
    gains = [100 * value for gain in curve.forecast.law.gains for value in gain]
    first = f"The next {STEP_ROWS:,} labels are likely to add {gains[0]:.2f} points of AUC"
    return (
        f"{first} ({gains[1]:.2f} to {gains[2]:.2f}) to the best, {RECIPES[curve.forecast.recipe]}; the "
        f"{STEP_ROWS:,} after them {gains[3]:.2f} ({gains[4]:.2f} to {gains[5]:.2f}), and {STEP_ROWS:,} more "
        f"{gains[6]:.2f} ({gains[7]:.2f} to {gains[8]:.2f})."
    )


def _chart(curve: Curve, summaries: list[Summary], name: str) -> Markup:
    lines = {
        recipe: [
            (summary.rows, summary.auc if name == "auc" else summary.accuracy)
            for summary in summaries
            if summary.recipe == recipe
        ]
        for recipe in RECIPES
    }
    law = curve.forecast.law if curve.forecast and name == "auc" else None
    return charts.learning_curves(
        {recipe: points for recipe, points in lines.items() if points},
        "AUC" if name == "auc" else "accuracy",
        (law.rows, [1 - error.value for error in law.errors]) if law else None,
    )
