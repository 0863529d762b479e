"""What a varied number does: break points by interpolation, errors in units of the first arm's, ranks over data sets."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from evalharness.results import read_record
from evalharness.results.intervals import interval_of, t_interval
from evalharness.task import load_training
from evalharness.training.study.reading import _sets, _varied, read_study
from evalharness.training.study.varied import Grid, break_point, break_points, mean_ranks, relative
from tests.training.study.conftest import TASK


@pytest.fixture(scope="session")
def grid(varied: tuple[Path, Path]) -> Grid:
    found = Grid.of(read_study(*varied))
    assert found is not None
    return found


def error(grid: Grid, *labels: str, arm: str, score: str = "mae") -> float:
    value = read_record(grid.study.root.joinpath(*labels, arm)).scores[score].value
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 1.5, 3.0], 0.1 + 0.2 / 3),
        ([1.0, 2.0, 3.0], 0.1),
        ([1.0, 3.0, 1.0], 0.05),
        ([1.0, 1.9, 1.5], None),
        ([1.0, None, 3.0], 0.15),
    ],
)
def test_a_break_point_is_where_the_error_first_is_twice_the_clean_one(
    values: list[float | None], expected: float | None
) -> None:
    assert break_point([0.0, 0.1, 0.3], values) == (None if expected is None else pytest.approx(expected, abs=1e-6))


@pytest.mark.parametrize("clean", [None, 0.0])
def test_a_curve_without_a_clean_error_has_no_break_point(clean: float | None) -> None:
    with pytest.raises(ValueError, match="first value is missing or 0"):
        break_point([0.0, 0.1], [clean, 1.0])


def test_the_grid_is_along_the_last_key_of_numbers(grid: Grid) -> None:
    assert (grid.key, grid.numbers, grid.labels) == ("plant.outliers.share", (0.0, 0.3), ["0", "0.3"])
    assert (grid.datasets, grid.settings) == (("diabetes", "autompg"), [("both",), ("one",)])
    assert grid.values(("one",), "autompg", "mae", "mae") == [
        error(grid, "autompg", "one", share, arm="mae") for share in ("0", "0.3")
    ]


def fake(sets: list[dict[str, float | str]]) -> Any:
    """Return a study of so many tasks, each with what `vary` sets in it."""
    return SimpleNamespace(cases=[SimpleNamespace(sets=each, labels=(str(place),)) for place, each in enumerate(sets)])


def test_a_case_that_leaves_something_open_belongs_to_all_of_its_settings() -> None:
    sets: list[dict[str, float | str]] = [{"share": 0.3, "sides": "both"}, {"share": 0.0}, {"share": 0.3, "sides": "one"}]
    found = Grid.of(fake(sets))
    assert found is not None
    assert (found.numbers, found.settings, found.datasets) == ((0.0, 0.3), [("both",), ("one",)], ("",))
    places = [[found.case(setting, "", place).labels for place in range(2)] for setting in found.settings]
    assert places == [[("1",), ("0",)], [("1",), ("2",)]]


def test_without_a_number_there_is_no_grid() -> None:
    assert Grid.of(fake([{"dataset": "a"}, {"dataset": "b"}])) is None
    assert Grid.of(fake([{}])) is None


def test_values_that_are_plain_mappings_set_keys_of_their_own(tmp_path: Path) -> None:
    task = tmp_path / "task.yaml"
    vary = "{model: [linear, {mlp: {width: 8}}], plant.outliers: [{share: 0.0}, {share: 0.1, sides: one}]}"
    task.write_text(f"{TASK}vary: {vary}\n", encoding="utf-8")
    tasks = load_training(task)
    found = [_sets(_varied(task), one.labels) for one in tasks]
    assert found[0] == {"model": "linear", "plant.outliers.share": 0.0}
    assert found[-1] == {"model": "mlp", "plant.outliers.share": 0.1, "plant.outliers.sides": "one"}


def test_break_points_are_those_of_each_data_set(grid: Grid) -> None:
    curves = [[error(grid, data, "one", share, arm="mse") for share in ("0", "0.3")] for data in grid.datasets]
    assert break_points(grid, ("one",), "mse", "mae") == [break_point(grid.numbers, values) for values in curves]


def test_errors_are_in_units_of_the_first_arm(grid: Grid) -> None:
    ratios = [error(grid, data, "both", "0.3", arm="mae") / error(grid, data, "both", "0.3", arm="mse") for data in grid.datasets]
    found = relative(grid, ("both",), 1, "mae", "mae")
    assert found is not None
    assert found.value == pytest.approx(stats.gmean(ratios))
    assert found.ends == pytest.approx(np.exp(stats.t.interval(0.95, 1, np.mean(np.log(ratios)), stats.sem(np.log(ratios)))))
    assert relative(grid, ("both",), 1, "mse", "mae").value == 1.0


def test_mean_ranks_add_up_and_stay_among_the_arms(grid: Grid) -> None:
    found = mean_ranks(grid, ("one",), 1, "rmse")
    assert sum(rank for rank, _ in found.values()) == pytest.approx(1 + 2)
    assert all(1 <= ends[0] <= ends[1] <= 2 for _, ends in found.values() if ends is not None)


def test_an_interval_of_a_value_is_the_wider_of_samples_and_seeds(plain: tuple[Path, Path]) -> None:
    record = read_record(plain[1] / "mse")
    score, values = record.scores["mae"], record.seeds["scores"]["mae"]
    by_seed = t_interval(values, score.value)
    wider = max([(score.low, score.high), by_seed], key=lambda ends: ends[1] - ends[0])
    assert interval_of(record, "mae") == pytest.approx((max(0.0, wider[0]), wider[1]))


def test_a_t_interval_needs_two_values() -> None:
    assert t_interval([1.0]) is None
    assert t_interval([1.0, 3.0], 5.0) == pytest.approx(np.array(stats.t.interval(0.95, 1, 2.0, 1.0)) + 3)
