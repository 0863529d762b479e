"""Metrics of all numbers at once: equal to their references, also far from 0 and under weights, and undefined where they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

import evalharness as eh
from evalharness.testing import agree

WHOLE = st.integers(1, 9).map(float)


def torched(name: str, **options: Any) -> Callable[..., Any]:
    def call(target: Any, prediction: Any) -> Any:
        import torch
        from torchmetrics import functional

        both = [torch.tensor(np.asarray(values), dtype=torch.float64) for values in (prediction, target)]
        return float(getattr(functional, name)(*both, **options))

    return call


def tweedie(power: float) -> Callable[..., Any]:
    return lambda y, p: reference.d2_tweedie_score(y, p, power=power)


NORMALISED = "normalized_root_mean_squared_error"
CASES: list[tuple[str, dict[str, Any], Callable[..., Any]]] = [
    ("r2", {}, reference.r2_score),
    ("adjusted_r2", {"predictors": 2}, torched("r2_score", adjusted=2)),
    ("explained_variance", {}, reference.explained_variance_score),
    ("max_error", {}, reference.max_error),
    ("median_absolute_error", {}, reference.median_absolute_error),
    ("nrmse", {}, torched(NORMALISED, normalization="std")),
    ("nrmse", {"by": "mean"}, torched(NORMALISED, normalization="mean")),
    ("nrmse", {"by": "range"}, torched(NORMALISED, normalization="range")),
    ("nmae", {}, lambda y, p: np.mean(np.abs(np.subtract(y, p))) / abs(np.mean(y))),
    ("nmae", {"by": "sd"}, lambda y, p: np.mean(np.abs(np.subtract(y, p))) / np.std(y)),
    ("nmae", {"by": "range"}, lambda y, p: np.mean(np.abs(np.subtract(y, p))) / np.ptp(y)),
    ("d2_absolute_error", {}, reference.d2_absolute_error_score),
    ("d2_pinball", {"quantile": 0.9}, lambda y, p: reference.d2_pinball_score(y, p, alpha=0.9)),
    *(("d2_tweedie", {"power": power}, tweedie(power)) for power in (0.0, 1.0, 1.5, 2.0, 3.0)),
]
NAMES = [f"{name}-{options}" for name, options, _ in CASES]


def value(name: str, prediction: Any, target: Any, weights: Any = None, **options: Any) -> Any:
    metric = eh.load_metric(name, **options)
    columns = {"prediction": np.asarray(prediction, float), "target": np.asarray(target, float)}
    with np.errstate(divide="ignore", invalid="ignore"):
        return metric.score(weights=np.ones(len(target), np.int64) if weights is None else weights, **columns)


@pytest.mark.parametrize(("name", "options", "expected"), CASES, ids=NAMES)
def test_it_equals_its_reference(name: str, options: Any, expected: Callable[..., Any]) -> None:
    @settings(max_examples=30)
    @given(pairs=st.lists(st.tuples(WHOLE, WHOLE), min_size=4, max_size=20).filter(lambda found: len({y for _, y in found}) > 1))
    def compare(pairs: list[tuple[float, float]]) -> None:
        prediction, target = map(list, zip(*pairs, strict=True))
        agree(name, value(name, prediction, target, **options), expected(target, prediction))

    compare()


@pytest.mark.parametrize(("name", "options", "expected"), CASES, ids=NAMES)
def test_a_weight_counts_a_row_so_often_in_every_replicate(name: str, options: Any, expected: Callable[..., Any]) -> None:
    draws = np.random.default_rng(7)
    prediction, target = draws.integers(1, 20, (2, 40)).astype(float)
    weights = draws.poisson(1.0, (3, 40))
    found = value(name, prediction, target, weights, **options)
    for row, one in zip(weights, found, strict=True):
        agree(name, one, expected(np.repeat(target, row), np.repeat(prediction, row)))


@pytest.mark.parametrize("name", ["r2", "explained_variance", "adjusted_r2", "nrmse"])
def test_a_large_offset_costs_no_digits(name: str) -> None:
    draws = np.random.default_rng(11)
    target = 1e6 + draws.normal(0, 1e-2, 400)
    prediction = target + draws.normal(0, 1e-3, 400)
    shifted, plain = value(name, prediction, target), value(name, prediction - 1e6, target - 1e6)
    assert shifted == pytest.approx(plain, rel=1e-9)
    if name in ("r2", "explained_variance"):
        expected = next(case[2] for case in CASES if case[0] == name)
        agree(name, shifted, expected(target, prediction))
        weights = draws.poisson(1.0, (5, 400))
        again = [expected(np.repeat(target, row), np.repeat(prediction, row)) for row in weights]
        assert value(name, prediction, target, weights) == pytest.approx(np.array(again), rel=1e-9)


@pytest.mark.parametrize("name", ["r2", "explained_variance", "pearson", "concordance_correlation"])
def test_a_draw_without_an_outlier_is_as_if_there_were_none(name: str) -> None:
    draws = np.random.default_rng(17)
    target = np.append(draws.normal(0, 1, 40), 1e12)
    prediction = target + np.append(draws.normal(0, 0.5, 40), 0)
    weights = np.append(np.ones((2, 40), np.int64), [[0], [1]], axis=1)
    assert value(name, prediction, target, weights)[0] == pytest.approx(value(name, prediction[:-1], target[:-1]), rel=1e-9)


CONSTANT = ["r2", "adjusted_r2", "explained_variance", "nrmse", "d2_absolute_error", "d2_pinball", "d2_tweedie"]


@pytest.mark.parametrize("name", CONSTANT)
def test_targets_that_are_all_alike_leave_it_undefined(name: str) -> None:
    found = eh.load_metric(name).evaluate(prediction=[0.1, 0.2, 0.3, 0.4], target=[0.1] * 4).scores[name]
    assert (found.value, found.reason) == (None, "undefined for these samples")


@pytest.mark.parametrize("name", sorted({case[0] for case in CASES}))
def test_nothing_drawn_is_undefined(name: str) -> None:
    assert np.isnan(value(name, [1.0, 2.0], [2.0, 3.0], np.zeros((1, 2), np.int64)))[0]


def test_adjustment_needs_samples_left() -> None:
    assert np.isnan(value("adjusted_r2", [1.0, 2.0, 3.0], [1.0, 2.0, 4.0], predictors=2))


def test_it_has_an_interval_and_a_picture() -> None:
    draws = np.random.default_rng(3)
    target = draws.normal(0, 1, 60)
    prediction = target + draws.normal(0, 0.3, 60)
    found = eh.load_metric("r2").evaluate(prediction=prediction.tolist(), target=target.tolist())
    score = found.scores["r2"]
    assert 0.5 < score.low < score.value < score.high <= 1
    (figure,) = found.figures
    assert [(curve.name, len(curve.x)) for curve in figure.curves] == [("samples", 60), ("equal", 2)]


@pytest.mark.parametrize("name", ["mae", "r2", "nrmse", "d2_pinball", "median_absolute_error", "pearson", "spearman", "kendall"])
def test_the_order_of_samples_changes_no_bit(name: str) -> None:
    draws = np.random.default_rng(13)
    columns = {"prediction": draws.normal(5, 2, 60), "target": draws.normal(5, 2, 60), "id": np.arange(60)}
    order = draws.permutation(60)
    metric = eh.load_metric(name)
    found = [metric.evaluate(**{key: each[rows].tolist() for key, each in columns.items()}) for rows in (np.arange(60), order)]
    assert found[0].scores == found[1].scores
    assert found[0].figures == found[1].figures
