"""The charts as SVG that a page takes in: its colours are the page's, so that light and dark both work."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import matplotlib
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from components.evaluator.intervals import Estimate
from pipeline.results.words import CONTENDERS, FINE_TUNED, FROZEN, PUSHED, RECIPES, WARM_START

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.typing import RcKeyType

    from pipeline.results.report.curves import Bin, Curve, Histogram
    from pipeline.results.report.facts import SplitStatistics
    from pipeline.results.verdict import Trial

#: Colours that stand in the SVG until the page's take their places.
_INK, _MUTED, _LINE, _BAD = "#010101", "#010102", "#010103", "#010104"
_VARIABLES = {_INK: "--ink", _MUTED: "--muted", _LINE: "--line", _BAD: "--bad"}
_SERIES = ("#010111", "#010112", "#010113", "#010114")
_VARIABLES |= {colour: f"--series-{number}" for number, colour in enumerate(_SERIES, 1)}
_STYLES = {  # neither colour nor shape alone
    "candidate": (_SERIES[0], "o", "-"),
    "tfidf_cased": (_SERIES[1], "s", "--"),
    "tfidf_lower": (_SERIES[2], "^", "-."),
    "last_blessed": (_SERIES[3], "D", ":"),
}
_RECIPE_STYLES = {
    FINE_TUNED: _STYLES["candidate"],
    WARM_START: (_INK, "v", "-"),
    PUSHED: (_MUTED, "", ":"),
    FROZEN: _STYLES["last_blessed"],
    "tfidf_cased": _STYLES["tfidf_cased"],
    "tfidf_lower": _STYLES["tfidf_lower"],
}
_RC: dict[RcKeyType, object] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
    "figure.constrained_layout.use": True,
}
_NEAR_PERFECT = 0.9
_PERCENT = FuncFormatter(lambda share, _: f"{100 * share:.10g}%")
_HEIGHT_OF_ROW = 0.27  # inches
_DOTS_PER_INCH = 150
_MOST_RUN_NAMES = 12  # below a chart


class RunPoint(NamedTuple):
    """A run on the charts of `runs`."""

    name: str
    accuracy: float | None
    interval: Sequence[float | None] | None
    areas: Mapping[str, float]
    """The AUC on headlines from elsewhere, by challenge."""
    seconds: float | None
    pushed: bool


class Dots(NamedTuple):
    """One line of `dot_plot`."""

    name: str
    values: Mapping[str, float | None]
    """Shares, by the names of the series."""
    interval: Sequence[float | None] | None = None
    """Of the first series."""
    bound: float | None = None
    failed: bool = False


def dot_plot(
    rows: Sequence[Dots], label: str, names: Mapping[str, str] = CONTENDERS, metric: str = "accuracy"
) -> Markup:
    """Draws a metric, one line per row, with a dot for each model.

    Args:
      rows: from top to bottom.
      label: the text alternative of the chart.
      names: of the series, as the legend shows them.
      metric: accuracies are shown in percent, others as numbers.
    """
    series = list(dict.fromkeys(name for row in rows for name in row.values))
    with _figure(4.6, 0.95 + _HEIGHT_OF_ROW * len(rows), label) as (svg, figure):
        axes = figure.subplots()
        places = range(len(rows), 0, -1)
        for place, row in zip(places, rows, strict=True):
            ends = [end for end in row.interval or () if end is not None]
            if len(ends) == 2:
                axes.plot(ends, [place, place], color=_SERIES[0], linewidth=4, alpha=0.35)
            if row.bound is not None:
                axes.plot([row.bound] * 2, [place - 0.36, place + 0.36], color=_BAD, linewidth=1.3)
        if any(row.bound is not None for row in rows):
            axes.plot([], [], color=_BAD, linewidth=1.3, label="threshold")
        for number, name in reversed(list(enumerate(series))):
            colour, marker, _ = _STYLES.get(name) or (_SERIES[number], "os^D"[number], "-")
            points = [
                (row.values[name], place)
                for place, row in zip(places, rows, strict=True)
                if row.values.get(name) is not None
            ]
            first = number == 0
            axes.plot(
                *zip(*points, strict=True) if points else ([], []),
                marker,
                color=colour,
                markersize=7 if first else 5.5,
                markerfacecolor=colour if first else "none",
                label=names.get(name, name),
                linestyle="none",
            )
        axes.set_yticks(list(places), [row.name for row in rows])
        for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
            if row.failed:
                tick.set_color(_BAD)
                tick.set_fontweight("bold")
        axes.set_ylim(0.4, len(rows) + 0.6)
        axes.grid(axis="y", visible=False)
        if metric == "accuracy":
            axes.xaxis.set_major_formatter(_PERCENT)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.set_xlabel(metric)
        _legend(figure, axes, columns=2)
    return svg()


def training_curves(epochs: Mapping[str, Sequence[float]]) -> Markup:
    """Draws loss and accuracy by epoch, of both splits."""
    count = max(map(len, epochs.values()))
    with _figure(4.6, 2.5, "Line charts of loss and accuracy by epoch, in training and on the evaluation rows") as (
        svg,
        figure,
    ):
        for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            for key, title, (colour, marker, line) in (
                (name, "training", _STYLES["candidate"]),
                (f"val_{name}", "evaluation", _STYLES["tfidf_cased"]),
            ):
                values = epochs.get(key, [])
                axes.plot(
                    range(1, len(values) + 1), values, line, marker=marker, markersize=4, color=colour, label=title
                )
            axes.set_title(name)
            axes.set_xlabel("epoch")
            axes.set_xlim(0.8, count + 0.2)
            axes.xaxis.set_major_locator(MaxNLocator(min(count, 5), integer=True))
        _legend(figure, axes, columns=2)
    return svg()


def tuning(trials: Sequence[Trial]) -> Markup:
    """Draws the loss of each recipe by its learning rate, a series per casing policy; the best has a ring."""
    last = [
        trial
        for trial in trials
        if trial.part == min(other.part for other in trials if other.candidate == trial.candidate)
    ]
    with _figure(4.6, 2.5, "Chart of the loss of each recipe by its learning rate; the table has the numbers") as (
        svg,
        figure,
    ):
        axes = figure.subplots()
        for policy, (colour, marker, _) in zip(("augment", "lower", "as_is"), _STYLES.values(), strict=False):
            of_policy = [trial for trial in last if trial.casing == policy]
            if of_policy:
                axes.plot(
                    [trial.learning_rate for trial in of_policy],
                    [trial.score for trial in of_policy],
                    marker,
                    color=colour,
                    label=policy,
                )
        (best,) = [trial for trial in trials if trial.best]
        axes.plot(best.learning_rate, best.score, "o", markersize=13, fillstyle="none", color=_INK, label="best")
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss")
        _legend(figure, axes, columns=4)
    return svg()


def lengths(statistics: Mapping[str, SplitStatistics]) -> Markup:
    """Draws the histogram of the titles' lengths in characters, one line per split."""
    with _figure(4.6, 2.5, "Chart of the share of titles by number of characters, for each split") as (svg, figure):
        axes = figure.subplots()
        for (split, facts), name in zip(statistics.items(), _STYLES, strict=False):
            bars = facts.title_characters.histogram if facts.title_characters else []
            colour, _, line = _STYLES[name]
            if bars:
                axes.stairs(
                    [share for *_, share in bars],
                    [bars[0][0], *(high for _, high, _ in bars)],
                    color=colour,
                    linestyle=line,
                    linewidth=1.6,
                    label=split,
                )
        axes.set_xlabel("characters of a title")
        axes.yaxis.set_major_formatter(_PERCENT)
        _legend(figure, axes, columns=2)
    return svg()


def roc(curves: Mapping[str, Curve], of: str = "") -> Markup:
    """Draws ROC curves; of good ones the corner in which they lie.

    Args:
      curves: of the models.
      of: the name of the rows where they are not the evaluation's; the diagonal is drawn, too.
    """
    title = f"ROC curves on {of}" if of else "ROC curves"
    return _curves(curves, "False positive rate", "True positive rate (recall)", (0.0, 0.1), title, chance=bool(of))


def precision_recall(curves: Mapping[str, Curve]) -> Markup:
    """Draws precision by recall; of good ones the corner in which they lie."""
    return _curves(
        curves,
        "Recall",
        "Precision",
        (0.9, 1.0),
        "Precision by recall",
    )


def reliability(bins: Sequence[Bin], of: str = "") -> Markup:
    """Draws the share of clickbait against the score; of the rows of that name, or the evaluation's."""
    headlines = f"headlines of {of}" if of else "headlines"
    with _figure(
        3.6, 3.1, f"Chart of the share of clickbait among {headlines} by score, beside the ideal diagonal"
    ) as (svg, figure):
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=_MUTED, linestyle="--", linewidth=1, label="ideal")
        most = max(point.rows for point in bins)
        scores, shares = [point.score for point in bins], [point.share for point in bins]
        axes.plot(scores, shares, color=_SERIES[0], linewidth=1.2)
        axes.scatter(
            scores,
            shares,
            [18 + 90 * point.rows / most for point in bins],
            color=_SERIES[0],
            label="this model, larger: more rows",
        )
        axes.set_xlabel("score")
        axes.set_ylabel("share that is clickbait")
        _legend(figure, axes, columns=2)
    return svg()


def histogram(scores: Histogram) -> Markup:
    """Draws the histogram of the scores, one line per label."""
    with _figure(3.6, 3.1, "Histogram of the scores of news and of clickbait, on a logarithmic scale") as (svg, figure):
        axes = figure.subplots()
        for counts, name, style in (
            (scores.news, "news", "tfidf_lower"),
            (scores.clickbait, "clickbait", "tfidf_cased"),
        ):
            colour, _, line = _STYLES[style]
            axes.stairs(counts, scores.edges, color=colour, linestyle=line, linewidth=1.6, label=name)
        axes.axvline(0.5, color=_MUTED, linewidth=1)
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
        axes.set_xlabel("score")
        axes.set_ylabel("headlines")
        _legend(figure, axes, columns=2)
    return svg()


def runs(points: Sequence[RunPoint]) -> Markup:
    """Draws accuracy, AUC elsewhere and time of runs, oldest first; filled dots are runs whose model was pushed."""
    label = "Charts of the accuracy, the area under the ROC curve elsewhere and the time of each run"
    with _figure(*_size_of_runs(points), label) as (svg, figure):
        _draw_runs(figure, points, {})
    return svg()


def runs_image(points: Sequence[RunPoint]) -> bytes:
    """Draws what `runs` draws as a PNG, in the colours of the light page."""
    colours, stream = _light_colours(), io.BytesIO()
    light = {key: colours.get(value, value) if isinstance(value, str) else value for key, value in _RC.items()}
    with matplotlib.rc_context(light):
        figure = Figure(_size_of_runs(points))
        _draw_runs(figure, points, colours)
        figure.savefig(stream, format="png", dpi=_DOTS_PER_INCH)
    return stream.getvalue()


def _size_of_runs(points: Sequence[RunPoint]) -> tuple[float, float]:
    return 7.2, 4.9 if any(point.areas for point in points) else 3.5


def _draw_runs(figure: Figure, points: Sequence[RunPoint], colours: Mapping[str, str]) -> None:
    """Draws with colours of the page; those that `colours` has instead."""
    areas = list(dict.fromkeys(name for point in points for name in point.areas))
    titles = ["accuracy on the evaluation rows", *(["AUC elsewhere"] if areas else []), "time of the run, s"]
    rooms = dict(zip(titles, figure.subplots(len(titles), 1, sharex=True), strict=True))
    for title, axes in rooms.items():
        axes.set_title(title)
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    accuracy, time = rooms[titles[0]], rooms[titles[-1]]
    styles = list(_STYLES.values())
    blue, line_colour = (colours.get(colour, colour) for colour in (_SERIES[0], _MUTED))
    _draw_series(accuracy, points, [point.accuracy for point in points], (blue, *styles[0][1:]))
    for place, point in enumerate(points):
        ends = [end for end in point.interval or () if end is not None]
        if len(ends) == 2:
            accuracy.plot([place, place], ends, color=blue, linewidth=4, alpha=0.35)
    for number, name in enumerate(areas):
        colour, marker, line = styles[number % len(styles)]
        style = (colours.get(colour, colour), marker, line)
        _draw_series(rooms["AUC elsewhere"], points, [point.areas.get(name) for point in points], style, name)
    for place, point in enumerate(points):
        if point.seconds is not None:
            time.bar(place, point.seconds, 0.5, color=blue if point.pushed else line_colour)
    accuracy.yaxis.set_major_formatter(_PERCENT)
    time.set_ylim(bottom=0)
    if areas:
        rooms["AUC elsewhere"].legend(loc="upper left", bbox_to_anchor=(1, 1))
    shown = range(0, len(points), math.ceil(len(points) / _MOST_RUN_NAMES))
    time.set_xticks([*shown], [points[place].name for place in shown], rotation=30, ha="right")
    time.set_xlim(-0.6, len(points) - 0.4)
    time.grid(axis="x", visible=False)
    legend = "filled dot, blue bar: pushed"
    figure.text(0.995, 0.995, legend, ha="right", va="top", fontsize=8, color=line_colour, in_layout=False)


def _draw_series(
    axes: Axes,
    points: Sequence[RunPoint],
    values: Sequence[float | None],
    style: tuple[str, str, str],
    name: str | None = None,
) -> None:
    colour, marker, line = style
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    axes.plot(*zip(*known, strict=True) if known else ([], []), line, color=colour, linewidth=1)
    axes.plot([], [], line, marker=marker, color=colour, markersize=5, label=name)
    for place, value in known:
        filled = colour if points[place].pushed else "none"
        axes.plot([place], [value], marker, color=colour, markersize=6, markerfacecolor=filled)


def _light_colours() -> dict[str, str]:
    """Returns the light page's colours for those of `_VARIABLES`; they come first in the style sheet."""
    style = resources.files("pipeline.results.report").joinpath("templates/style.css").read_text(encoding="utf-8")
    known: dict[str, str] = {}
    for name, colour in re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]{6})", style):
        known.setdefault(name, colour)
    return {placeholder: known[name] for placeholder, name in _VARIABLES.items()}


_APART = 1.4  # factor between two sizes that have a label each


def learning_curves(
    lines: Mapping[str, Sequence[tuple[int, Estimate]]],
    metric: str,
    law: tuple[Sequence[int], Sequence[float]] | None = None,
) -> Markup:
    """Draws a metric by the rows that were trained on, with intervals.

    Args:
      lines: by recipe, points of rows and metric; 0 rows for a model that was not trained on any.
      metric: its name.
      law: rows and values of a line that goes on.
    """
    label = f"Line chart of {metric} by labelled rows, for each model; the table has the numbers"
    with _figure(4.6, 3.9, label) as (svg, figure):
        axes = figure.subplots()
        sizes = sorted({rows for points in lines.values() for rows, _ in points if rows})
        if law:
            axes.plot(*law, color=_INK, linewidth=0.8, label="power law")
        for number, (recipe, points) in reversed([*enumerate(lines.items())]):
            colour, marker, line = _RECIPE_STYLES[recipe]
            values = [estimate for _, estimate in points]
            if recipe == PUSHED:
                axes.axhspan(values[0].low, values[0].high, color=colour, alpha=0.12, linewidth=0)
                axes.axhline(values[0].value, color=colour, linestyle=line, label=RECIPES[recipe])
                continue
            # Beside each other, so that the bars of one size can be told apart.
            places = [rows * (1 + 0.025 * (number - (len(lines) - 1) / 2)) for rows, _ in points]
            axes.errorbar(
                places,
                [estimate.value for estimate in values],
                yerr=[
                    [estimate.value - estimate.low for estimate in values],
                    [estimate.high - estimate.value for estimate in values],
                ],
                color=colour,
                marker=marker,
                markersize=5,
                linestyle=line,
                elinewidth=1,
                label=RECIPES[recipe],
            )
        axes.set_xscale("log")
        # The label of a size that nearly equals the next would lie under that one's.
        shown = [here for here, above in zip(sizes, [*sizes[1:], math.inf], strict=False) if above / here > _APART]
        axes.set_xticks(shown, [f"{rows:,}" for rows in shown])
        axes.minorticks_off()
        axes.set_xlabel("labelled rows")
        axes.set_ylabel(metric)
        axes.yaxis.set_major_formatter(_PERCENT)
        _legend(figure, axes, columns=2)
    return svg()


def _curves(
    curves: Mapping[str, Curve],
    x_label: str,
    y_label: str,
    corner: tuple[float, float],
    title: str,
    *,
    chance: bool = False,
) -> Markup:
    with _figure(3.6, 3.3, f"{title} of the compared models") as (svg, figure):
        axes = figure.subplots()
        if chance:
            axes.plot([0, 1], [0, 1], color=_MUTED, linestyle="--", linewidth=1, label="by chance")
        for name, points in reversed([*curves.items()]):
            colour, _, line = _STYLES[name]
            axes.plot(points.x, points.y, color=colour, linestyle=line, label=CONTENDERS[name])
        inside = all(
            any(corner[0] <= x <= corner[1] and y >= _NEAR_PERFECT for x, y in zip(points.x, points.y, strict=True))
            for points in curves.values()
        )
        if inside:
            axes.set_xlim(corner)
            axes.set_ylim(_NEAR_PERFECT, 1.002)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(_PERCENT)
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.set_xlabel(x_label + (", best corner" if inside else ""))
        axes.set_ylabel(y_label)
        _legend(figure, axes, columns=1)
    return svg()


def _legend(figure: Figure, axes: Axes, columns: int) -> None:
    handles, names = axes.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles[::-1],
            names[::-1],
            loc="outside upper left",
            ncols=columns,
            handlelength=1.8,
            columnspacing=1.2,
            borderaxespad=0.1,
        )


@contextmanager
def _figure(width: float, height: float, label: str) -> Iterator[tuple[Callable[[], Markup], Figure]]:
    """Yields a function that returns the SVG once the block has ended, and the figure to draw on."""
    with matplotlib.rc_context({**_RC, "svg.hashsalt": label}):
        figure = Figure((width, height))
        drawn: list[Markup] = []
        yield drawn.pop, figure
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        drawn.append(_inline(stream.getvalue(), label))


def _inline(svg: str, label: str) -> Markup:
    """Returns the `svg` element alone, in the page's width, colours and fonts."""
    element = svg[svg.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    head, rest = element.split(">", 1)
    box = head.partition('viewBox="')[2].partition('"')[0]
    for colour, variable in _VARIABLES.items():
        rest = rest.replace(colour, f"var({variable})")
    # Ids are made of the label's digest, so that charts of one page do not share any.
    rest = re.sub(
        r"font: (bold )?([\d.]+px)[^;\"]*",
        lambda found: f"font-size: {found[2]}" + ("; font-weight: bold" if found[1] else ""),
        rest,
    )
    rest = re.sub(r' id="(?!p[0-9a-f]{10}|m[0-9a-f]{10})[^"]*"', "", rest)
    return Markup(f'<svg class="chart" role="img" aria-label="{escape(label)}" viewBox="{box}">{rest}')
