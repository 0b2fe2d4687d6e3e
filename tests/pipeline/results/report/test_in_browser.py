"""The pages in a real browser: nothing leaves them, nothing in them runs, and everybody can read them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from pipeline.labelling.curve_page import render_curve
from pipeline.labelling.curve_record import Fit, with_forecast
from pipeline.results.report.facts import Facts
from pipeline.results.report.render import render_comparison, render_report
from pipeline.results.words import PUSHED, RECIPES
from tests.helpers.browser import chromium, opened
from tests.helpers.curves import a_curve
from tests.helpers.reports import HOSTILE, a_report_run
from tests.helpers.verdicts import a_verdict

pytestmark = pytest.mark.slow

FITS = [
    *[Fit(recipe, rows, 1) for recipe in RECIPES if recipe != PUSHED for rows in (250, 500, 1000)],
    Fit(PUSHED, 0, 0),
]
PAGES = {
    "blessed": lambda: render_report(*a_report_run()),
    "refused": lambda: render_report(*a_report_run(casing="as_is", elsewhere=True)),
    "overridden": lambda: render_report(*a_report_run(casing="as_is", bless_anyway=HOSTILE)),
    "failed": lambda: render_report(a_verdict(status="failed", reason=HOSTILE, thresholds=[], components={}), Facts()),
    "curve": lambda: render_curve(with_forecast(a_curve(FITS))),
    "comparison": lambda: render_comparison(a_report_run(casing="as_is", elsewhere=True), a_report_run()),
}
MOST_BYTES = 3_000_000
A4 = 718
"""Pixels of CSS in its width, less margins of 10 mm."""


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Callable[[str], Path]:
    """The file of a page, by its name; each is rendered once."""
    folder = tmp_path_factory.mktemp("pages")

    def page(name: str) -> Path:
        path = folder / f"{name}.html"
        if not path.exists():
            path.write_text(PAGES[name](), encoding="utf-8")
        return path

    return page


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_read_by_all_alone_and_without_a_fault(browser, page, name, width, scheme):
    file = page(name)
    assert file.stat().st_size < MOST_BYTES
    with opened(browser, file, width=width, scheme=scheme) as found:
        shown = found.page
        shown.locator("details").evaluate_all("all => all.forEach(element => element.open = true)")
        assert shown.evaluate("document.documentElement.scrollWidth") == width
        assert shown.evaluate("document.title") not in ("hacked", "1")
        assert shown.locator("script, img, iframe, link[href^=http]").count() == 0
        assert found.requests == [file.as_uri()]
        assert found.complaints == []
    # The page's own policy would keep axe out.
    with opened(browser, file, width=width, scheme=scheme, bypass_csp=True) as found:
        found.page.locator("details").evaluate_all("all => all.forEach(element => element.open = true)")
        # What passes is neither gathered nor described, which is most of the work.
        faults = Axe().run(found.page, options={"resultTypes": ["violations"]}).response["violations"]
        shown = [
            (fault["id"], [node["target"] for node in fault["nodes"]][:3])
            for fault in faults
            if fault["impact"] in ("serious", "critical")
        ]
        assert shown == []


def test_a_hostile_headline_is_seen_as_text(browser, page):
    path = page("refused")
    with opened(browser, path) as found:
        assert HOSTILE in found.page.locator("#labels ~ .scroll").inner_text()


def test_sections_and_wide_tables_are_reached_by_keyboard(browser, page):
    with opened(browser, page("refused"), width=390, bypass_csp=True) as found:
        shown = found.page
        shown.keyboard.press("Tab")
        assert shown.evaluate("document.activeElement.textContent") == "To the report"
        shown.keyboard.press("Enter")
        reached = []
        for _ in range(60):
            shown.keyboard.press("Tab")
            reached.append(shown.evaluate("document.activeElement.getAttribute('aria-labelledby')"))
        assert {"t-rules", "t-errors", "t-gate"} <= set(reached)
        shown.locator("[aria-labelledby=t-rules]").focus()
        shown.keyboard.press("ArrowRight")
        shown.wait_for_function("document.querySelector('[aria-labelledby=t-rules]').scrollLeft > 0")


def test_colours_follow_the_scheme_in_charts_too(browser, page):
    path = page("blessed")
    found = {}
    for scheme in ("light", "dark"):
        with opened(browser, path, scheme=scheme) as window:
            found[scheme] = window.page.evaluate(
                "[getComputedStyle(document.body).backgroundColor,"
                " getComputedStyle(document.querySelector('.chart text')).fill]"
            )
    assert found["light"][0] == "rgb(255, 255, 255)"
    assert found["dark"][0] != found["light"][0]
    assert found["dark"][1] != found["light"][1]


@pytest.mark.parametrize("name", ["refused", "comparison"])
def test_on_paper_it_is_light_and_no_table_is_cut(browser, page, name):
    path = page(name)
    with opened(browser, path, width=A4, scheme="dark") as window:
        shown = window.page
        shown.emulate_media(media="print")
        shown.locator("details").evaluate_all("all => all.forEach(element => element.open = true)")
        assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        ends = "all => all.map(element => [element.closest('[aria-labelledby]')?.getAttribute('aria-labelledby'), "
        ends += "element.getBoundingClientRect().right])"
        tables = shown.locator("table, svg").evaluate_all(ends)
        assert [(name, right) for name, right in tables if right > A4] == []
