"""Pages in headless Chromium, by Playwright."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Opened(NamedTuple):
    """A page, and what it did while it was opened and looked at."""

    page: Page
    requests: list[str]
    complaints: list[str]


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; without one there is no test, and that is a failure."""
    path = shutil.which("chromium")
    if path is None:
        raise FileNotFoundError("The report is tested in Chromium. Received: none on the PATH. Type `make test-tools`.")
    flags = [*_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]  # Chromium's sandbox refuses root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(
    browser: Browser, file: Path | str, *, width: int = 1280, scheme: str = "light", **options
) -> Iterator[Opened]:
    """Opens a page in a window of its own.

    Args:
      browser: from `chromium`.
      file: the page, or its URL.
      width: of the window.
      scheme: `light` or `dark`.
      options: of Playwright's context.
    """
    size = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, color_scheme=scheme, **options)
    page = context.new_page()
    found = Opened(page, [], [])
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("console", lambda message: found.complaints.append(message.text))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.goto(file.as_uri() if isinstance(file, Path) else file)
    try:
        yield found
    finally:
        context.close()
