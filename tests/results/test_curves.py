"""Curves: a round trip, those of an arm by seed, and the load of experts as shares of each layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evalharness.errors import DataError
from evalharness.results.curves import curves_of, loads_of, read_curves, scalar_names, write_curves


def rows(name: str, points: dict[int, float]) -> list[dict[str, object]]:
    return [{"step": step, "name": name, "value": value} for step, value in points.items()]


def test_curves_come_back_by_name_in_the_order_of_the_steps(tmp_path: Path) -> None:
    write_curves(tmp_path / "c.parquet", [*rows("b", {20: 2.0, 10: 1.0}), *rows("a", {10: float("nan")})])
    found = read_curves(tmp_path / "c.parquet")
    assert list(found) == ["b", "a"]
    assert (found["b"].steps.tolist(), found["b"].values.tolist()) == ([10, 20], [1.0, 2.0])
    assert np.isnan(found["a"].values).all()


def test_a_step_logged_again_after_a_restart_counts_once(tmp_path: Path) -> None:
    write_curves(tmp_path / "c.parquet", [*rows("loss", {10: 1.0, 20: 2.0}), *rows("loss", {20: 3.0})])
    assert read_curves(tmp_path / "c.parquet")["loss"].values.tolist() == [1.0, 3.0]


def test_an_arm_has_the_curves_of_its_seeds(tmp_path: Path) -> None:
    for seed in (10, 2):
        (tmp_path / f"seed{seed}").mkdir()
        write_curves(tmp_path / f"seed{seed}" / "curves.parquet", rows("loss", {1: float(seed)}))
    (tmp_path / "seed3").mkdir()
    found = curves_of(tmp_path)
    assert {seed: curves["loss"].values.tolist() for seed, curves in found.items()} == {2: [2.0], 10: [10.0]}
    assert list(found) == [2, 10]
    assert list(curves_of(tmp_path / "seed10")) == [10]
    assert curves_of(tmp_path / "seed3") == {}


def test_losses_come_first_and_routers_are_apart(tmp_path: Path) -> None:
    names = ("gradient_norm", "loss", "router.0.1", "loss.balance", "eval.f1")
    logged = [rows(name, {1: float(place)}) for place, name in enumerate(names)]
    write_curves(tmp_path / "c.parquet", [row for part in logged for row in part])
    assert scalar_names([read_curves(tmp_path / "c.parquet")]) == ["loss", "loss.balance", "gradient_norm", "eval.f1"]


def test_a_part_that_is_the_whole_loss_is_no_curve_of_its_own(tmp_path: Path) -> None:
    one, two = ({"loss": 1.0, "loss.mse": 1.0}, {"loss": 1.5, "loss.mse": 1.0, "loss.balance": 0.5})
    for number, logged in enumerate((one, two)):
        write_curves(tmp_path / f"{number}", [row for name, value in logged.items() for row in rows(name, {1: value})])
    seeds = [read_curves(tmp_path / f"{number}") for number in (0, 1)]
    assert scalar_names(seeds[:1]) == ["loss"]
    assert scalar_names(seeds) == ["loss", "loss.mse", "loss.balance"]


def test_loads_are_shares_of_each_layer_over_the_seeds(tmp_path: Path) -> None:
    seeds = []
    for seed, counts in enumerate(({1: 30.0, 2: 10.0}, {1: 10.0, 2: 10.0})):
        path = tmp_path / f"{seed}.parquet"
        first = rows("router.1.0", counts)
        write_curves(path, [*first, *rows("router.1.1", {1: 10.0, 2: 10.0, 3: 5.0}), *rows("router.11.0", {1: 2.0})])
        seeds.append(read_curves(path))
    one, eleven = loads_of(seeds)
    assert (one.layer, one.steps.tolist(), eleven.layer) == (1, [1, 2], 11)
    assert one.shares[0].tolist() == pytest.approx([(0.75 + 0.5) / 2, 0.5])
    assert one.shares.sum(0).tolist() == pytest.approx([1, 1])
    assert (one.even, eleven.shares.tolist(), one.ranked) == (0.5, [[1.0]], True)
    assert [load.ranked for load in loads_of(seeds[:1])] == [False, False]


def test_seeds_that_fill_different_experts_do_not_look_even_together(tmp_path: Path) -> None:
    seeds = []
    for seed, (first, second) in enumerate(((30.0, 10.0), (10.0, 30.0))):
        path = tmp_path / f"{seed}.parquet"
        write_curves(path, [*rows("router.0.0", {1: first}), *rows("router.0.1", {1: second})])
        seeds.append(read_curves(path))
    assert loads_of(seeds)[0].shares.tolist() == [[0.75], [0.25]]


def test_a_file_without_curves_says_so(tmp_path: Path) -> None:
    (tmp_path / "curves.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"curves\.parquet holds no curves"):
        read_curves(tmp_path / "curves.parquet")
