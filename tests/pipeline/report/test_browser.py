"""The report as a reader has it: in a browser, on a desk and on a phone, light and dark, by keyboard and by ear."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.reports import write_comparison, write_report

pytestmark = pytest.mark.slow

SCREENS = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
SCHEMES = ("light", "dark")
GRAVE = ("serious", "critical")
# Without these Chromium looks for its makers' hosts.
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]

_UNREACHABLE = """
[...document.querySelectorAll("*")]
    .filter(one => one.scrollWidth > one.clientWidth + 1)
    .filter(one => ["auto", "scroll"].includes(getComputedStyle(one).overflowX) && one.tabIndex < 0)
    .map(one => one.outerHTML.slice(0, 120))
"""


@pytest.fixture(scope="module")
def browser() -> Iterator:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "the report is looked at by Chromium: `make browser` installs Debian's, or put one on the PATH"
    with sync_playwright() as playwright:
        # Without its sandbox it runs as root, too; the page is our own.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu", *QUIET])
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=[write_report, write_comparison], ids=["report", "comparison"])
def page_file(request, tmp_path_factory) -> Path:
    return request.param(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module", params=SCREENS)
def screen(request) -> str:
    return request.param


@pytest.fixture(scope="module", params=SCHEMES)
def scheme(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def opened(browser, page_file, screen, scheme) -> Iterator[tuple]:
    """The page, and all that it asked for or complained of."""
    heard = []
    context = browser.new_context(viewport=SCREENS[screen], color_scheme=scheme)
    page = context.new_page()
    page.on("request", lambda request: heard.append(f"request {request.url}"))
    page.on("console", lambda message: heard.append(f"console {message.type}: {message.text}"))
    page.on("pageerror", lambda error: heard.append(f"error {error}"))
    page.on("dialog", lambda dialog: (heard.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.goto(page_file.as_uri())
    yield page, heard
    context.close()


def test_it_asks_for_nothing_but_itself_complains_of_nothing_and_runs_no_headline(opened, page_file):
    _, heard = opened
    assert heard == [f"request {page_file.as_uri()}"]


def test_axe_finds_no_grave_fault(opened):
    from axe_playwright_python.sync_playwright import Axe

    page, _ = opened
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in GRAVE]
    assert not found, [(one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found]


def test_the_page_itself_does_not_scroll_sideways(opened):
    page, _ = opened
    width, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= window


def test_it_follows_the_scheme_of_the_reader(opened, scheme):
    page, _ = opened
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    channels = [float(one) for one in re.findall(r"[0-9.]+", colour)[:3]]
    assert (sum(channels) / 3 > 127) == (scheme == "light")


def test_the_keyboard_reaches_what_scrolls_and_shows_where_it_is(opened):
    page, _ = opened
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert page.evaluate("document.activeElement.tagName") == "A"  # past the head of the page
    assert outline != "none"
    unreachable = page.evaluate(_UNREACHABLE)
    assert not unreachable
