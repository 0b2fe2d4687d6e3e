"""Draws docs/report.png, the beginning of a run's page: `python -m tests.docs.screenshot [RUN_FOLDER]`.

Of the newest run in `output/`; one on the bundled sample, for the headlines of others may not be published.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.results.run_folders import REPORT_FILE, find_run
from tests.helpers.browser import chromium, opened

PICTURE = Path(__file__).parents[2] / "docs" / "report.png"
_WIDTH, _HEIGHT = 1100, 1000


def draw(page: Path, target: Path) -> None:
    """Writes the uppermost part of a page as PNG."""
    with chromium() as browser, opened(browser, page, width=_WIDTH) as window:
        window.page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT})
        window.page.screenshot(path=target)


if __name__ == "__main__":
    run = find_run("output", sys.argv[1] if len(sys.argv) > 1 else None)
    draw(Path(run.folder, REPORT_FILE), PICTURE)
    print(f"wrote {PICTURE}")
