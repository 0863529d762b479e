"""The page on scoring: its example runs."""

from __future__ import annotations

import doctest
from pathlib import Path


def test_the_example_gives_what_the_page_shows():
    page = Path(__file__).parents[2] / "docs" / "scoring.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert (failed, tried) == (0, 3)
