"""Plots of training: a panel a name, a heat map a layer, the same bytes for the same curves."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from evalharness.errors import DataError
from evalharness.results.curves import curves_of, loads_of, write_curves
from evalharness.training.curves import MOST_DRAWN, draw_arms, heat_maps, panels, write_plots

pytest.importorskip("matplotlib", reason="plots need the extra train")


def write_training(folder: Path, seed: int, routed: bool = True) -> Path:
    """Write made-up curves of a seed: two losses, a norm, a metric at two steps, and two layers of four experts."""
    random = np.random.default_rng(seed)
    rows = [
        {"step": step, "name": name, "value": float(np.exp(-step / 50) + random.normal(0, 0.01))}
        for step in range(10, 101, 10)
        for name in ("loss", "loss.supervised", "gradient_norm")
    ]
    rows += [{"step": step, "name": "eval.perplexity", "value": 3.0 + seed} for step in (50, 100)]
    if routed:
        rows += [
            {"step": step, "name": f"router.{layer}.{expert}", "value": float(random.integers(1, 9))}
            for step in range(10, 101, 10)
            for layer in range(2)
            for expert in range(4)
        ]
    folder.mkdir(parents=True, exist_ok=True)
    write_curves(folder / "curves.parquet", rows)
    return folder


def test_an_arm_gets_a_panel_a_name_with_a_line_a_seed(tmp_path: Path) -> None:
    for seed in range(3):
        write_training(tmp_path / f"seed{seed}", seed)
    figure = panels(["loss", "gradient_norm"], {str(seed): one for seed, one in curves_of(tmp_path).items()})
    assert [axis.get_title("left") for axis in figure.axes] == ["loss", "gradient_norm"]
    assert [len(axis.lines) for axis in figure.axes] == [3, 3]


def test_loads_get_a_heat_map_a_layer_on_one_scale(tmp_path: Path) -> None:
    seeds = curves_of(write_training(tmp_path / "seed0", 0))
    figure = heat_maps({"switch": loads_of(list(seeds.values()))})
    titles = [axis.get_title("left") for axis in figure.axes]
    assert titles[:2] == ["switch · layer 0", "switch · layer 1"]
    assert {axis.collections[0].get_clim() for axis in figure.axes[:2]} == {(0, 2)}


def test_files_are_written_beside_the_curves_and_are_the_same_each_time(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "seed0", 0)
    first = [path.read_bytes() for path in write_plots(folder)]
    written = write_plots(folder)
    assert [path.name for path in written] == ["curves.png", "router_load.png"]
    assert [path.read_bytes() for path in written] == first
    assert all(content.startswith(b"\x89PNG") for content in first)


def test_without_routers_there_is_no_load(tmp_path: Path) -> None:
    assert [path.name for path in write_plots(write_training(tmp_path / "seed0", 0, routed=False))] == ["curves.png"]


def test_a_folder_without_curves_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no curves"):
        write_plots(tmp_path)


def test_few_arms_are_drawn_and_very_many_are_not(tmp_path: Path) -> None:
    told: list[str] = []
    write_training(tmp_path / "arm" / "seed0", 0)
    draw_arms([tmp_path / "arm"] * (MOST_DRAWN + 1), told.append)
    assert not (tmp_path / "arm" / "curves.png").exists()
    draw_arms([tmp_path / "arm"], told.append)
    assert (tmp_path / "arm" / "curves.png").is_file()
    assert told == []


def test_a_missing_library_costs_the_pictures_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    write_training(tmp_path / "arm" / "seed0", 0)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    draw_arms([tmp_path / "arm"], told.append)
    assert "no curves were drawn" in told[0]
