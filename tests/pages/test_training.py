"""How a run was trained, on its page: every curve that was logged, the load of routers, and the scores of an arm by seed."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest

from evalharness.pages.view import write_view
from evalharness.pages.view.training import CELLS, POINTS, training_charts
from evalharness.results.curves import write_curves
from tests.training.conftest import Arm
from tests.training.conftest import arm as arm  # the fixture


def write_training(folder: Path, steps: int = 20, experts: int = 4) -> Path:
    """Write made-up curves: two of them with a step that is not finite, and a layer of experts, the last ever emptier."""
    rows = [
        {"step": step, "name": name, "value": float("inf") if step == 3 else 1 / step}
        for step in range(1, steps + 1)
        for name in ("gradient_norm", "loss")
    ]
    rows += [
        {"step": step, "name": f"router.2.{expert}", "value": 1.0 if expert < experts - 1 else 1 / step}
        for step in range(1, steps + 1)
        for expert in range(experts)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    write_curves(folder / "curves.parquet", rows)
    return folder


def test_every_curve_has_a_chart_and_every_layer_a_map(tmp_path: Path) -> None:
    found = training_charts(write_training(tmp_path / "seed4"))
    assert [name for name, _, _ in found] == ["loss", "gradient_norm", "router load, layer 2"]
    assert found[0][1] == "1 seed, at the end 0.050"
    assert "at the end the fullest has 1.311 even shares" in found[2][1]


def test_values_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    spec = training_charts(write_training(tmp_path / "seed0"))[0][2]
    assert [row["step"] for row in spec["data"]["values"]] == [1, 2, *range(4, 21)]


def test_long_training_is_thinned_and_keeps_its_ends(tmp_path: Path) -> None:
    loss, _, load = (spec["data"]["values"] for _, _, spec in training_charts(write_training(tmp_path / "seed0", steps=5_000)))
    assert (len(loss), loss[0]["step"], loss[-1]["step"]) == (POINTS, 1, 5_000)
    assert len(load) == 4 * CELLS
    ends = [(row["start"], row["stop"]) for row in load if row["expert"] == 0]
    assert ends[0][0] == 0
    assert ends[-1][1] == 5_000
    assert all(one[1] == two[0] for one, two in itertools.pairwise(ends))
    sums = np.array([row["share"] for row in load]).reshape(CELLS, 4).sum(1)
    assert sums == pytest.approx(4, rel=1e-3)


def test_a_run_that_was_not_trained_has_no_such_part(run: Path, tmp_path: Path) -> None:
    page = write_view(run, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Training</" not in page
    assert "By seed" not in page


def test_the_page_of_an_arm_shows_its_seeds_and_their_curves(arm: Arm, tmp_path: Path) -> None:
    folder = tmp_path / "seen"
    shutil.copytree(arm("seen", [0.5, 0.7]), folder)
    for seed in range(2):
        write_training(folder / f"seed{seed}")
    page = write_view(folder).read_text(encoding="utf-8")
    assert '<h2 id="training">Training</h2>' in page
    assert page.count('<figure class="chart"') >= 3
    assert '<th scope="col" class="num">seed 1</th>' in page
