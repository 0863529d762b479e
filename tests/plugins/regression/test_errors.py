"""Metrics of numbers: equal to scikit-learn's, and a row that is no number is left out with the reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as reference

import evalharness as eh
from evalharness.testing import check_metric

REFERENCE = {"mae": reference.mean_absolute_error, "rmse": reference.root_mean_squared_error}
NUMBERS = st.floats(-1e3, 1e3).filter(lambda number: number == 0 or abs(number) > 1e-3)


def score(name: str, prediction: list[Any], target: list[Any], **options: Any) -> Any:
    return eh.load_metric(name, **options).evaluate(prediction=prediction, target=target).scores[name]


@pytest.mark.parametrize("name", REFERENCE)
@given(pairs=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=30))
def test_it_equals_scikit_learn(name: str, pairs: list[tuple[float, float]]) -> None:
    prediction, target = map(list, zip(*pairs, strict=True))
    expected = REFERENCE[name](target, prediction)
    assume(expected == 0 or expected > 1e-3)  # what is next to nothing is refused, see below
    assert score(name, prediction, target).value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "size", "scale"),
    [("mae", 1e-10, 2.0**-20), ("mae", 1e10, 2.0**20), ("rmse", 1e-5, 2.0**-20), ("rmse", 1e6, 2.0**20)],
)
def test_small_and_large_numbers_need_a_scale_to_be_added_exactly(name: str, size: float, scale: float) -> None:
    prediction, target = [size, 3 * size, -size], [0.0, size, size]
    refused = score(name, prediction, target)
    assert (refused.value, "to be added exactly" in refused.reason) == (None, True)
    found = score(name, prediction, target, scale=scale).value
    assert found == pytest.approx(REFERENCE[name](target, prediction), rel=1e-6)


@pytest.mark.parametrize("name", REFERENCE)
def test_it_keeps_its_contract(name: str) -> None:
    check_metric(eh.load_metric(name))
    check_metric(eh.load_metric(name), {"prediction": [0.5, -1e6, 3, 0.0], "target": [1, 2.5, -3.0, 1e-9]})


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize(
    ("prediction", "target", "reason"),
    [
        (float("nan"), 1.0, "prediction is no finite number"),
        (float("inf"), 1.0, "prediction is no finite number"),
        ("3.5", 1.0, "prediction is no finite number"),
        (1.0, [1.0], "target is no finite number"),
    ],
)
def test_a_row_that_is_no_number_is_unmeasured(name: str, prediction: Any, target: Any, reason: str) -> None:
    found = score(name, [1.0, prediction], [2.0, target])
    assert (found.value, found.samples, found.unmeasured) == (1.0, 1, {reason: 1})


def test_both_have_an_interval_in_the_unit_of_the_target() -> None:
    for name in REFERENCE:
        found = score(name, [float(row % 7) for row in range(40)], [float(row % 5) for row in range(40)])
        assert 0 <= found.low < found.value < found.high
        assert (found.unit, found.range) == ("target units", [0, None])
