"""The pages in a real browser: nothing leaves them, nothing in them runs, and everybody can read them."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from pipeline.report.render import render_comparison, render_report
from tests.helpers.browser import chromium, opened
from tests.helpers.reports import HOSTILE, a_report_run
from tests.helpers.verdicts import a_verdict

pytestmark = pytest.mark.slow

PAGES = {
    "blessed": lambda: render_report(*a_report_run()),
    "refused": lambda: render_report(*a_report_run(casing="as_is")),
    "overridden": lambda: render_report(*a_report_run(casing="as_is", bless_anyway=HOSTILE)),
    "failed": lambda: render_report(a_verdict(status="failed", reason=HOSTILE, thresholds=[], components={}), {}),
    "comparison": lambda: render_comparison(a_report_run(casing="as_is"), a_report_run()),
}
MOST_BYTES = 3_000_000
A4 = 718
"""Pixels of CSS in its width, less margins of 10 mm."""


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module", params=PAGES)
def file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / f"{request.param}.html"
    path.write_text(PAGES[request.param](), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_page_is_read_by_all_alone_and_without_a_fault(browser, file, width, scheme):
    assert file.stat().st_size < MOST_BYTES
    with opened(browser, file, width=width, scheme=scheme) as found:
        page = found.page
        page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate("document.title") not in ("hacked", "1")
        assert page.locator("script, img, iframe, link[href^=http]").count() == 0
        assert found.requests == [file.as_uri()]
        assert found.complaints == []
    # The page's own policy would keep axe out.
    with opened(browser, file, width=width, scheme=scheme, bypass_csp=True) as found:
        found.page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        faults = Axe().run(found.page).response["violations"]
        shown = [
            (one["id"], [node["target"] for node in one["nodes"]][:3])
            for one in faults
            if one["impact"] in ("serious", "critical")
        ]
        assert shown == []


def test_a_hostile_headline_is_seen_as_text(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(PAGES["refused"](), encoding="utf-8")
    with opened(browser, path) as found:
        assert HOSTILE in found.page.locator("#labels ~ .scroll").inner_text()


def test_sections_and_wide_tables_are_reached_by_keyboard(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(PAGES["refused"](), encoding="utf-8")
    with opened(browser, path, width=390, bypass_csp=True) as found:
        page = found.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "To the report"
        page.keyboard.press("Enter")
        reached = []
        for _ in range(60):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.getAttribute('aria-labelledby')"))
        assert {"t-rules", "t-errors", "t-gate"} <= set(reached)
        page.locator("[aria-labelledby=t-rules]").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("document.querySelector('[aria-labelledby=t-rules]').scrollLeft > 0")


def test_colours_follow_the_scheme_in_charts_too(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(PAGES["blessed"](), encoding="utf-8")
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
def test_on_paper_it_is_light_and_no_table_is_cut(browser, tmp_path, name):
    path = tmp_path / "page.html"
    path.write_text(PAGES[name](), encoding="utf-8")
    with opened(browser, path, width=A4, scheme="dark") as window:
        page = window.page
        page.emulate_media(media="print")
        page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        ends = "all => all.map(one => [one.closest('[aria-labelledby]')?.getAttribute('aria-labelledby'), "
        ends += "one.getBoundingClientRect().right])"
        tables = page.locator("table, svg").evaluate_all(ends)
        assert [(name, right) for name, right in tables if right > A4] == []
