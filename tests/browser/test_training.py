"""Curves of training in a real browser: drawn, told under the pointer, and silent."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from evalharness.pages.view import write_view
from tests.browser.conftest import Visit
from tests.pages.test_training import write_training
from tests.training.conftest import Arm
from tests.training.conftest import arm as arm  # the fixture

pytestmark = pytest.mark.browser


@pytest.fixture
def page(visit: Visit, arm: Arm, tmp_path: Path) -> Any:
    folder = tmp_path / "seen"
    shutil.copytree(arm("seen", [0.5, 0.7]), folder)
    for seed in range(2):
        write_training(folder / f"seed{seed}")
    found = visit(write_view(folder))
    found.wait_for_selector("html[data-ready]", state="attached")
    found.locator("#training").evaluate("part => part.scrollIntoView()")
    return found


def test_every_curve_and_every_load_is_drawn(page: Any) -> None:
    for number in range(1, 4):
        page.locator(f"#training-{number} svg").scroll_into_view_if_needed()
        page.wait_for_selector(f"#training-{number} svg path", state="attached")


def test_the_nearest_point_of_a_curve_is_told(page: Any) -> None:
    drawing = page.locator("#training-1 svg")
    drawing.wait_for()
    box = drawing.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator("#vg-tooltip-element").get_by_text("seed").wait_for()
