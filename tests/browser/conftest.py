"""A real browser for the tests of pages: Chromium, which loads what is on disk and must be silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import finding

# Chromium's own words for a request: a page may read files, data and what it made itself, and nothing else.
OWN = ("file:", "data:", "blob:", "about:")
Visit = Callable[..., Any]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Give the browser; without Playwright or Chromium the test is skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    path = finding.chromium()
    if path is None:
        pytest.skip(finding.NONE)
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Visit]:
    """Give what opens a page: `visit(path, fragment, width=, height=, **options of a browser context)`.

    When the test is over, no page may have complained in its console, or have asked for anything outside of itself.
    """
    complaints: list[str] = []
    contexts = []

    def heard(message: Any) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"{message.type}: {message.text}")

    def asked(request: Any) -> None:
        if not request.url.startswith(OWN):
            complaints.append(f"request for {request.url}")

    def opened(path: Path, fragment: str = "", width: int = 1280, height: int = 900, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        context.on("request", asked)
        page.goto(path.as_uri() + fragment)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def axe() -> Callable[[Any], list[str]]:
    """Give what looks for faults of accessibility: `axe(page)` returns the serious ones in words."""
    script = next(Path(__file__).parent.rglob("axe.min.js")).read_text(encoding="utf-8")

    def faults(page: Any) -> list[str]:
        page.evaluate(script)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")["violations"]
        return [
            f"{each['id']}: {node['html'][:200]}"
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    return faults
