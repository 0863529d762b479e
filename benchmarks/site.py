"""The site of a board of 1,000 systems x 30 scores in a real browser: interactive under 2 s, a sort click under 150 ms.

    python -m benchmarks.site
    python -m benchmarks.site --site DIR      # a site that is there already

Chromium is looked for on the path, or named by EVALHARNESS_CHROMIUM. Every figure is the median of five.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.board import write_board
from evalharness.leaderboard.publishing import build_site
from tests.browser.finding import chromium

INTERACTIVE_SECONDS, SORT_MILLISECONDS = 2.0, 150.0
TIMES = 5
# A frame has been painted when the second one after it begins.
CLICK = """async () => {
  const title = document.querySelectorAll(".tabulator-col[tabulator-field='c3'] .tabulator-col-content")[0];
  const start = performance.now();
  title.click();
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
}"""
READY = "() => performance.getEntriesByName('ready')[0].startTime"


def opened(browser: Browser, address: str) -> Page:
    """Open a page and wait until its table answers."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.add_init_script(
        "new MutationObserver((_, me) => { if ('ready' in document.documentElement.dataset) {"
        " requestAnimationFrame(() => performance.mark('ready')); me.disconnect(); } })"
        ".observe(document, { attributes: true, subtree: true });"
    )
    page.goto(address)
    page.wait_for_function("() => performance.getEntriesByName('ready').length")
    return page


def median(job: Callable[[], float]) -> float:
    """Do a job several times and return the median of what it gives."""
    return statistics.median(job() for _ in range(TIMES))


def measure(site: Path) -> tuple[float, float]:
    """Return the seconds until the board is interactive, and the milliseconds of a sort click."""
    address = (site / "index.html").resolve().as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])

        def load() -> float:
            page = opened(browser, address)
            seconds = page.evaluate(READY) / 1000
            page.close()
            return float(seconds)

        loading = median(load)
        page = opened(browser, address)
        sorting = median(lambda: float(page.evaluate(CLICK)))
        browser.close()
    return loading, sorting


@click.command(help=__doc__)
@click.option("--site", type=click.Path(exists=True, path_type=Path), help="A site that is there already.")
def main(site: Path | None) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        found = site or build_site(write_board(Path(temporary, "board")))
        loading, sorting = measure(found)
    click.echo(f"page load to interactive: {loading:.2f} s")
    click.echo(f"sort click: {sorting:.0f} ms")
    sys.exit(loading > INTERACTIVE_SECONDS or sorting > SORT_MILLISECONDS)


if __name__ == "__main__":
    main()
