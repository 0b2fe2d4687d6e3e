"""Charts are drawn once for each of what they show: drawing takes most of the time of the tests of pages."""

from __future__ import annotations

import functools
import inspect

import pytest

from pipeline.results.report import charts


@pytest.fixture(scope="session", autouse=True)
def _each_chart_is_drawn_once():
    known = {}

    def once(draw):
        @functools.wraps(draw)
        def drawn(*arguments, **named):
            key = (draw.__name__, repr((arguments, named)))
            if key not in known:
                known[key] = draw(*arguments, **named)
            return known[key]

        return drawn

    with pytest.MonkeyPatch.context() as patch:
        for name, draw in inspect.getmembers(charts, inspect.isfunction):
            if not name.startswith("_") and draw.__module__ == charts.__name__:
                patch.setattr(charts, name, once(draw))
        yield
