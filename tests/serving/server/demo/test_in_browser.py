"""The demo page in a real browser, by `clickbait serve --demo` and one server for all."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import sys
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from serving.server.demo import api
from serving.untrusted import inert_cell, strict_csv
from serving.versions.version_folder import ChosenThreshold, VersionCard, read_card, write_card
from tests.helpers.browser import chromium, opened
from tests.helpers.serving import ServerProcess, wait_for, write_model

pytestmark = pytest.mark.slow

MOST_BYTES = 50_000
VERSION = 1796088640
UNSURE = (0.3, 0.6)
# A score is the length in bytes times 0.01.
NEWS, BETWEEN, CLICKBAIT = "Senate votes", "You won't believe what happened next", "x" * 64
SCORE = "0.119999997"
"""Of `NEWS`, as a float32 has it."""
HOSTILE = '<script>document.title = "hacked"</script><img src=x onerror="document.title = 1">'
TITLES = [
    *(NEWS, BETWEEN, CLICKBAIT, HOSTILE, "=1+1", "@you", "-0.5", "'=x", "\tTab", 'She said "no", then\nleft', "a\r\nb"),
    *("  spaces ", "", "\u00fcber \U0001f602", "+1 tip, tested"),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Path:
    """The folder of the model's versions; its only one has an unsure band."""
    folder = tmp_path_factory.mktemp("served") / "clickbait"
    write_model(folder / str(VERSION), weight=0.01)
    (folder / str(VERSION) / "assets.extra").mkdir()
    threshold = ChosenThreshold(0.6, UNSURE, {"precision": 0.9}, {"coverage": (0.7, 0.6, 0.8)}, 100, "eval", "")
    write_card(folder, VERSION, VersionCard("sha256:0", "run", "", "", threshold=threshold))
    return folder


@pytest.fixture(scope="module")
def server(served, tmp_path_factory):
    program = [sys.executable, "-m", "pipeline", "serve", "--demo"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_MODEL_SERVER", "/bin/false")  # which --demo passes by
        log = tmp_path_factory.mktemp("log") / "log.txt"
        with ServerProcess(served, log, "clickbait", program=program) as server:
            yield server.wait_until_ready()


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def window(server, browser):
    """Returns a context manager that opens the page, once it knows its version."""

    def window(**options):
        return opened(browser, f"http://127.0.0.1:{server.rest_port}/", **options)

    return window


def csv_of(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def drop(page, name: str, text: str) -> None:
    moved = page.evaluate_handle(
        "([name, text]) => { const moved = new DataTransfer();"
        " moved.items.add(new File([text], name)); return moved; }",
        [name, text],
    )
    for event in ("dragover", "drop"):
        page.dispatch_event("body", event, {"dataTransfer": moved})


def download(page) -> list[list[str]]:
    """Returns the rows of the download."""
    expect(page.locator("#download")).to_be_visible(timeout=60_000)
    with page.expect_download() as started:
        page.locator("#download").click()
    with Path(started.value.path()).open(encoding="utf-8", newline="") as lines:
        return list(strict_csv(lines))


def test_the_page_is_light_strict_and_on_its_own(server, window):
    assert server.log.count("the demo page: http://127.0.0.1:") == 1
    with window() as shown:
        page, weights = shown.page, []
        page.on("response", lambda response: weights.append(len(response.body())))
        page.reload(wait_until="networkidle")
        expect(page.locator("#model")).to_contain_text(f"Version {VERSION} of clickbait answers")
        assert 0 < sum(weights) < MOST_BYTES
        own = f"http://127.0.0.1:{server.rest_port}/"
        assert {url for url in shown.requests if not url.startswith(own)} == set()
        assert shown.complaints == []
        policy = page.request.get(own).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
        # The policy is in force: what is written into the page as HTML, or loaded from elsewhere, does nothing.
        with pytest.raises(Exception, match="TrustedHTML"):
            page.evaluate("document.body.innerHTML = '<b>x</b>'")
        assert page.evaluate("fetch('http://127.0.0.2:1/').then(() => 'sent', () => 'refused')") == "refused"
    files = Path(api.__file__).parent / "static"
    assert sum(file.stat().st_size for file in files.iterdir()) < MOST_BYTES


def test_typing(window):
    with window() as shown:
        page = shown.page
        page.locator("#texts").fill(f"{NEWS}\n")
        page.locator("#texts").press_sequentially(BETWEEN, delay=10)
        rows = page.locator(".row")
        expect(rows).to_have_count(2)
        expect(rows.nth(0)).to_contain_text("news12.0\u202f%")
        expect(rows.nth(1)).to_contain_text("unsure36.0\u202f%")
        calls = [url for url in shown.requests if url.endswith(":predict")]
        assert 1 <= len(calls) < len(BETWEEN)  # and not one a key
        assert {url.partition("/v1/")[2] for url in calls} == {f"models/clickbait/versions/{VERSION}:predict"}

        # The line with the caret is explained: each word's effect as colour, sign and number.
        words = page.locator("#words li")
        expect(words).to_have_text(["You+4.0", "won't+6.0", "believe+8.0", "what+5.0", "happened+9.0", "next+5.0"])
        expect(words.nth(0)).to_have_class("up")
        variants = page.locator("#variants tbody tr")
        expect(variants).to_have_count(9)
        expect(variants.filter(has_text="no punctuation")).to_contain_text("You wont believe what happened next")
        expect(variants.filter(has_text="no punctuation").locator("td")).to_have_text(
            ["35.0\u202f%unsure", "\u22121.0"]
        )
        expect(variants.filter(has_text="digits masked")).to_contain_text("nothing to change")
        expect(page.locator("#variants-note")).to_have_text("All 9 are still unsure.")
        expect(page.locator("#status")).to_contain_text("2 headlines scored. You won't")

        page.locator("#texts").press("ArrowUp")
        expect(words).to_have_text(["Senate+7.0", "votes+6.0"])
        page.locator("#texts").fill("")
        expect(page.locator("#detail")).to_be_hidden()
        assert shown.complaints == []


def test_many_lines_are_cut_and_long_and_hostile_ones_are_text(window):
    with window(width=375) as shown:
        page = shown.page
        texts = page.locator("#texts")
        long = ("word " * 2_000).strip()
        texts.fill(f"{HOSTILE}\n{long}\n{'y' * 10_000}")
        expect(page.locator(".row").nth(2)).to_contain_text("10000.0\u202f%")
        expect(page.locator("#words li")).to_have_count(1)  # the caret is in the last line
        page.locator(".row").nth(1).click()
        expect(page.locator("#words li")).to_have_count(64)
        expect(page.locator("#words-note")).to_contain_text("1,936 words after the first 64 were not left out")
        page.locator(".row").nth(0).click()
        expect(page.locator("#words")).to_contain_text("<script>document.title")
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        assert page.locator("img, script:not([src])").count() == 0
        drop(page, f"{HOSTILE}.csv", csv_of([["title", HOSTILE], [HOSTILE, HOSTILE]]))
        expect(page.locator("#file-name")).to_have_text(f"{HOSTILE}.csv")
        assert download(page)[1][:2] == [HOSTILE, HOSTILE]
        assert page.title() == "Is this title clickbait?"
        assert page.locator("img, script:not([src])").count() == 0

        texts.fill("z" * (api.MAX_CHARACTERS + 1))
        expect(page.locator("#reasons-note")).to_contain_text("must have at most 20,000 characters. Received: 20,001.")
        texts.fill("\n".join(f"Headline {number}" for number in range(130)))
        expect(page.locator(".row")).to_have_count(100)
        expect(page.locator("#more")).to_contain_text("The first 100 are scored; 30 lines below are not")
        expect(page.locator(".row").nth(99)).to_contain_text("11.0\u202f%")


def test_the_download_of_5000_rows_is_what_predict_writes(window, server, answer, tmp_path):
    rows = [[str(number), TITLES[number % len(TITLES)], "=cmd()"] for number in range(5_000)]
    text = "\ufeff" + csv_of([["id", "title", "note"], *rows])
    (tmp_path / "in.csv").write_text(text, encoding="utf-8", newline="")
    answer(
        *("predict", "--input", "in.csv", "--output", "out.csv", "--target", f"127.0.0.1:{server.port}"),
        *("--unsure", ",".join(map(str, UNSURE))),
    )
    with window() as shown:
        page = shown.page
        drop(page, "in.csv", text)
        scored = download(page)
        expect(page.locator("#counted")).to_contain_text("5,000 rows: ")
        expect(page.locator("#counted")).to_contain_text(f"version {VERSION}")
        assert shown.complaints == []
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as lines:
        written = list(strict_csv(lines))
    assert scored[0] == written[0] == ["id", "title", "note", "probability", "prediction"]
    assert [[*row[:3], float(row[3]), row[4]] for row in scored[1:]] == [
        [*row[:3], float(row[3]), row[4]] for row in written[1:]
    ]
    assert scored[1][2] == "'=cmd()"


def test_a_csv_is_read_as_python_reads_it(window):
    texts = [
        'a\n"x"\n""\n',
        "a,b\r\n1,\r\r\n2,3",
        'a\n"1\r\n\r2"\n\n\n3"4\n',
        "a,b\n,\n",
        '"a ""b"""\n " x"\n',
        "\ufeffa\nb",
    ]
    broken = {
        'a\n"b': "Line 2: a quote",
        'a\n"b"c': "Line 2: a comma",
        'a,b\n"1\n2",3\n4': "Line 4: a row",
        "a,a": "unique",
    }
    with window() as shown:
        page = shown.page
        read = "async text => { const { columns, rows } = (await import('/demo.js')).parseCsv(text);"
        read += " return [columns, ...rows]; }"
        for text in texts:
            assert page.evaluate(read, text) == [row for row in strict_csv(io.StringIO(text, newline="")) if row]
        for text, message in broken.items():
            drop(page, "broken.csv", text)
            expect(page.locator("#file-trouble")).to_contain_text(message)
        cells = [*TITLES, "''-1", "-.5e3", "+", "\r", "'"]
        lines = page.evaluate("async rows => (await import('/demo.js')).csvLines(rows)", [[cell] for cell in cells])
        assert [next(strict_csv(iter([line]))) if line != "\n" else [""] for line in lines] == [
            [inert_cell(cell)] for cell in cells
        ]

        drop(page, "bytes.csv", "a\0")
        expect(page.locator("#file-trouble")).to_contain_text("NUL")
        drop(page, "scored.csv", "title,probability\nx,1\n")
        expect(page.locator("#file-trouble")).to_contain_text("must have no column \u201cprobability\u201d")
        drop(page, "other.csv", f"id,headline\n1,{NEWS}\n")
        expect(page.locator("#counted")).to_have_text("Which column has the headlines?")
        page.locator("#column").select_option("headline")
        assert download(page)[1] == ["1", NEWS, SCORE, "news"]


def test_a_file_outlasts_a_server_that_is_away_and_never_mixes_versions(window):
    text = csv_of([["title"], *([NEWS] for _ in range(2_000))])
    with window() as shown:
        page, calls = shown.page, []

        def away(route):
            calls.append(route)
            if len(calls) in (2, 3):
                route.abort()
            elif len(calls) == 6:
                error = "Servable not found for request: Specific(clickbait, 1)"
                route.fulfill(status=404, json={"error": error})
            else:
                route.continue_()

        page.route("**/*:predict", away)
        drop(page, "long.csv", text)
        expect(page.locator("#file-trouble")).to_contain_text("must stay loaded", timeout=20_000)
        assert page.locator("#download").is_hidden()
        page.locator("#go-on").click()
        assert download(page)[1:] == [[NEWS, SCORE, "news"]] * 2_000
        expect(page.locator("#file-trouble")).to_be_hidden()

        page.unroute("**/*:predict")
        page.route("**/*:predict", lambda route: None)  # no call ends
        drop(page, "long.csv", text)
        page.locator("#stop").click()
        expect(page.locator("#counted")).to_have_text("Stopped after 0 of 2,000 rows")
        page.unroute("**/*:predict")
        page.locator("#go-on").click()
        assert len(download(page)) == 2_001


def test_an_unloaded_version_and_what_comes_after_it(window, server, served):
    away = served / "away"
    with window() as shown:
        page = shown.page
        page.locator("#texts").fill(NEWS)
        expect(page.locator(".row")).to_contain_text("12.0\u202f%")
        (served / str(VERSION)).rename(away)
        try:
            wait_for(lambda: server.rest("GET", "/demo")[0] == 404)
            page.locator("#texts").fill(BETWEEN)
            expect(page.locator("#trouble")).to_contain_text("A version must be loaded. Received: none.")
            expect(page.locator("#model")).to_have_text("No version is loaded")
        finally:
            away.rename(served / str(VERSION))
        # By itself.
        expect(page.locator(".row")).to_contain_text("36.0\u202f%", timeout=30_000)
        expect(page.locator("#trouble")).to_be_hidden()
        page.route("**/*", lambda route: route.abort())
        page.locator("#texts").fill(CLICKBAIT)
        expect(page.locator("#model")).to_have_text("The server does not answer")
        page.unroute("**/*")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # somebody comes back to the page
        expect(page.locator(".row")).to_contain_text("64.0\u202f%", timeout=30_000)


def test_keyboard_alone(window, tmp_path):
    (tmp_path / "few.csv").write_text(f"title\n{NEWS}\n")
    with window() as shown:
        page, press = shown.page, shown.page.keyboard.press
        page.on("filechooser", lambda _: None)  # from now on: it takes a while until choosers are caught
        focused = lambda: page.evaluate("document.activeElement.id || document.activeElement.name")  # noqa: E731
        press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "To the headlines"
        press("Enter")
        assert focused() == "texts"
        page.keyboard.type(f"{NEWS}\n{CLICKBAIT}")
        expect(page.locator("#class")).to_have_text("clickbait")
        press("Tab")
        assert focused() == "examples"
        press("Tab")
        assert focused() == "line"
        assert page.locator(".row").nth(1).evaluate("row => getComputedStyle(row).outlineStyle") == "solid"
        press("ArrowUp")
        expect(page.locator("#words li")).to_have_text(["Senate+7.0", "votes+6.0"])
        press("Tab")
        assert focused() == "file"
        with page.expect_file_chooser() as chooser:
            press("Enter")
        chooser.value.set_files(tmp_path / "few.csv")
        expect(page.locator("#download")).to_be_visible()
        press("Tab")
        assert focused() == "column"
        press("Tab")
        assert focused() == "download"
        with page.expect_download() as started:
            press("Enter")
        assert started.value.suggested_filename == "few.scored.csv"


def test_axe_finds_nothing_in_light_and_dark(window):
    def look(page):
        page.wait_for_timeout(400)  # until nothing fades any more
        faults = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        return [(fault["id"], [node["target"] for node in fault["nodes"]][:3]) for fault in faults]

    # The page's own policy would keep axe out.
    with window(bypass_csp=True) as shown:
        page = shown.page
        page.locator("#texts").fill(f"{NEWS}\n{CLICKBAIT}\n{BETWEEN}")
        expect(page.locator("#variants tbody tr")).to_have_count(9)
        drop(page, "few.csv", csv_of([["title"], [NEWS], [CLICKBAIT], [BETWEEN]]))
        expect(page.locator("#download")).to_be_visible()
        assert look(page) == []
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 375, "height": 900})
        assert look(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        page.route("**/*", lambda route: route.abort())
        page.locator("#texts").fill("Nobody answers")
        drop(page, "broken.csv", "a,a")
        expect(page.locator("#file-trouble")).to_be_visible()
        expect(page.locator("#trouble")).to_be_visible()
        assert look(page) == []


def test_the_path_behind_the_page(server, served):
    def call(method, body=None):
        status, answer = server.rest(method, api.PATH, body)
        return status, json.loads(answer)

    status, facts = call("GET")
    assert status == 200
    assert facts == {
        "model": "clickbait",
        "version": str(VERSION),
        "unsure": list(UNSURE),
        "columns": {"text": "title", "score": "probability", "class": "prediction"},
    }
    status, explained = call("POST", json.dumps({"text": NEWS}))
    assert status == 200 and facts.items() <= explained.items()
    assert explained["score"] == pytest.approx(0.12)
    assert [variant["name"] for variant in explained["variants"]][:2] == ["lower case", "UPPER CASE"]
    for body in ("{}", '{"text": " "}', '{"text": 1}', '{"text": "\\ud800"}', "[]"):
        assert call("POST", body)[0] == 400
    assert call("PUT", "{}")[0] == 400
    assert server.rest("POST", "/", b"")[0] == 405
    assert server.rest("GET", "/demo.py")[0] == server.rest("GET", "/../api.py")[0] == 404
    card = read_card(served, VERSION)
    write_card(served, VERSION, dataclasses.replace(card, threshold=None))
    try:
        assert call("GET")[1]["unsure"] is None
    finally:
        write_card(served, VERSION, card)
