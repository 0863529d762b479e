"""Errors of single samples: equal to scikit-learn's and torchmetrics', exact sums, and a reason where one is undefined."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

import evalharness as eh
from evalharness.testing import agree, check_metric

ANY = st.floats(-1e3, 1e3).filter(lambda number: number == 0 or abs(number) > 1e-3)
ABOVE = st.floats(1e-2, 1e3)


def smape(target: Any, prediction: Any) -> Any:
    import torch
    from torchmetrics.functional import symmetric_mean_absolute_percentage_error

    both = [torch.tensor(values, dtype=torch.float64) for values in (prediction, target)]
    return 100 * float(symmetric_mean_absolute_percentage_error(*both))


def tweedie(power: float) -> Callable[..., Any]:
    return lambda target, prediction: reference.mean_tweedie_deviance(target, prediction, power=power)


CASES: list[tuple[str, dict[str, Any], Callable[..., Any], Any]] = [
    ("mae", {}, reference.mean_absolute_error, ANY),
    ("mse", {}, reference.mean_squared_error, ANY),
    ("rmse", {}, reference.root_mean_squared_error, ANY),
    ("msle", {}, reference.mean_squared_log_error, ABOVE),
    ("rmsle", {}, reference.root_mean_squared_log_error, ABOVE),
    ("pinball", {"quantile": 0.9}, lambda y, p: reference.mean_pinball_loss(y, p, alpha=0.9), ANY),
    ("mape", {}, lambda y, p: 100 * reference.mean_absolute_percentage_error(y, p), ABOVE | ABOVE.map(lambda x: -x)),
    ("smape", {}, smape, ABOVE | ABOVE.map(lambda x: -x)),
    ("poisson_deviance", {}, reference.mean_poisson_deviance, ABOVE),
    ("gamma_deviance", {}, reference.mean_gamma_deviance, ABOVE),
    *(("tweedie_deviance", {"power": power}, tweedie(power), ABOVE) for power in (0.0, 1.0, 1.5, 2.0, 3.0)),
    # The reference subtracts cubes: of large numbers it keeps no nine digits itself.
    ("tweedie_deviance", {"power": -1.0}, tweedie(-1.0), st.floats(0.1, 20)),
]
NAMES = [f"{name}-{options}" for name, options, *_ in CASES]


def score(name: str, prediction: list[Any], target: list[Any], **options: Any) -> Any:
    return eh.load_metric(name, **options).evaluate(prediction=prediction, target=target).scores[name]


@pytest.mark.parametrize(("name", "options", "expected", "numbers"), CASES, ids=NAMES)
def test_it_equals_its_reference(name: str, options: dict[str, Any], expected: Callable[..., Any], numbers: Any) -> None:
    @settings(max_examples=25)
    @given(pairs=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20))
    def compare(pairs: list[tuple[float, float]]) -> None:
        prediction, target = map(list, zip(*pairs, strict=True))
        wanted = float(expected(target, prediction))
        found = score(name, prediction, target, **options)
        assume(found.value is not None)  # what is next to nothing is refused, see below
        agree(name, found.value, wanted)

    compare()


@pytest.mark.parametrize(("name", "options", "expected", "numbers"), CASES, ids=NAMES)
def test_it_equals_its_reference_on_many_samples(name: str, options: Any, expected: Any, numbers: Any) -> None:
    draws = np.random.default_rng(5)
    target = draws.gamma(2, 30, 500)
    prediction = target * draws.lognormal(0, 0.3, 500)
    agree(name, score(name, prediction.tolist(), target.tolist(), **options).value, expected(target, prediction))


def closed(name: str, prediction: Any, target: Any) -> Any:
    if name == "mspe":
        return np.mean(((prediction - target) / target) ** 2)
    return np.mean(np.arctan(abs((prediction - target) / target)))


@pytest.mark.parametrize("name", ["mspe", "maape"])
def test_it_equals_its_closed_form(name: str) -> None:
    prediction, target = np.random.default_rng(1).normal(3, 2, (2, 100))
    agree(name, score(name, prediction.tolist(), target.tolist()).value, closed(name, prediction, target))


def test_mase_is_the_error_over_that_of_the_naive_forecast() -> None:
    histories = np.random.default_rng(2).normal(10, 3, (50, 12))
    prediction, target = np.random.default_rng(3).normal(10, 3, (2, 50))
    for season in (1, 4):
        scales = abs(histories[:, season:] - histories[:, :-season]).mean(1)
        metric = eh.load_metric("mase", season=season)
        found = metric.evaluate(prediction=prediction.tolist(), target=target.tolist(), history=histories.tolist())
        agree("mase", found.scores["mase"].value, (abs(prediction - target) / scales).mean())


@pytest.mark.parametrize(
    ("name", "size", "scale"),
    [("mae", 1e-10, 2.0**-20), ("mae", 1e10, 2.0**20), ("rmse", 1e-5, 2.0**-20), ("rmse", 1e6, 2.0**20), ("mse", 1e6, 2.0**20)],
)
def test_small_and_large_numbers_need_a_scale_to_be_added_exactly(name: str, size: float, scale: float) -> None:
    prediction, target = [size, 3 * size, -size], [0.0, size, size]
    refused = score(name, prediction, target)
    assert (refused.value, "to be added exactly" in refused.reason) == (None, True)
    expected = next(case[2] for case in CASES if case[0] == name)
    assert score(name, prediction, target, scale=scale).value == pytest.approx(expected(target, prediction), rel=1e-6)


@pytest.mark.parametrize("name", ["mae", "rmse", "r2"])
def test_it_keeps_its_contract_on_numbers_of_all_sizes(name: str) -> None:
    check_metric(eh.load_metric(name), {"prediction": [0.5, -1e6, 3, 0.0], "target": [1, 2.5, -3.0, 1e-9]})


@pytest.mark.parametrize("name", ["mae", "rmse", "median_absolute_error"])
@pytest.mark.parametrize(
    ("prediction", "target", "reason"),
    [
        (float("nan"), 1.0, "prediction is no finite number"),
        (float("inf"), 1.0, "prediction is no finite number"),
        (10**400, 1.0, "prediction is no finite number"),
        ("3.5 apples", 1.0, "prediction is no finite number"),
        ("", 1.0, "prediction is no finite number"),
        (1.0, [1.0], "target is no finite number"),
        (None, 1.0, "no prediction"),
    ],
)
def test_a_row_that_is_no_number_is_unmeasured(name: str, prediction: Any, target: Any, reason: str) -> None:
    found = score(name, [1.0, prediction], [2.0, target])
    assert (found.value, found.samples, found.unmeasured) == (1.0, 1, {reason: 1})


def test_a_text_that_spells_a_number_is_one_and_columns_have_any_name() -> None:
    metric = eh.load_metric("mae", prediction="response", target="rating")
    assert metric.reads == ("response", "rating")
    found = metric.evaluate(response=[" 7.5\n", "-1e1", "seven"], rating=["7", -10, 7])
    assert (found.scores["mae"].value, found.statuses[2]) == (0.25, "response is no finite number")


@pytest.mark.parametrize(
    ("name", "options", "prediction", "target", "reason"),
    [
        ("mape", {}, 1.0, 0.0, "target is 0"),
        ("mspe", {}, 1.0, 0.0, "target is 0"),
        ("msle", {}, -1.0, 1.0, "prediction is -1 or less"),
        ("rmsle", {}, 1.0, -2.0, "target is -1 or less"),
        ("poisson_deviance", {}, 0.0, 1.0, "prediction is not above 0"),
        ("poisson_deviance", {}, 1.0, -1.0, "target is below 0"),
        ("gamma_deviance", {}, 1.0, 0.0, "target is not above 0"),
        ("tweedie_deviance", {"power": -1.0}, -1.0, 1.0, "prediction is not above 0"),
    ],
)
def test_what_is_outside_the_domain_is_unmeasured(name: str, options: Any, prediction: Any, target: Any, reason: str) -> None:
    found = score(name, [prediction, 2.0], [target, 2.0], **options)
    assert (found.samples, found.unmeasured, found.value) == (1, {reason: 1}, 0.0)


@pytest.mark.parametrize("power", [-1.0, 1.0, 1.5, 2.0, 3.0])
def test_a_deviance_of_large_numbers_that_lie_close_keeps_its_digits(power: float) -> None:
    metric = eh.load_metric("tweedie_deviance", power=power)
    (sample,) = metric.evaluate(prediction=[1e6], target=[1e6 + 1]).samples["tweedie_deviance"]
    assert sample == pytest.approx(1e6**-power, rel=1e-5)  # the limit, (y - p)^2 / p^power


def test_a_guard_measures_targets_of_zero() -> None:
    assert score("mape", [1.0, 1.0], [0.0, 2.0], epsilon=0.5).value == 125.0
    assert score("smape", [0.0], [0.0]).value == 0.0
    assert score("maape", [0.0, 3.0], [0.0, 0.0]).value == pytest.approx(math.pi / 4)


def test_mape_takes_the_size_of_targets_and_smape_charges_a_low_prediction_more() -> None:
    assert score("mape", [-90.0], [-100.0]).value == 10.0
    over, under = (score("smape", [prediction], [100.0]).value for prediction in (110.0, 90.0))
    assert (round(over, 2), round(under, 2)) == (9.52, 10.53)


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ([1.0], "history is no longer than a season"),
        ([2.0, 2.0], "the naive forecast is never wrong in history"),
        ([1.0, math.nan, 2.0], "history holds what is no finite number"),
        ("1 2 3", "history is no list"),
    ],
)
def test_a_history_without_a_scale_is_a_reason(history: Any, reason: str) -> None:
    found = eh.load_metric("mase").evaluate(prediction=[1.0], target=[2.0], history=[history])
    assert found.statuses == [reason]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("pinball", {"quantile": 1.0}, "quantile is 1.0, but must lie between 0 and 1"),
        ("d2_pinball", {"quantile": 0.0}, "quantile is 0.0"),
        ("tweedie_deviance", {"power": 0.5}, "no Tweedie distribution between 0"),
        ("d2_tweedie", {"power": 0.5}, "no Tweedie distribution between 0"),
        ("mape", {"epsilon": -1.0}, "epsilon is -1.0, but must be 0 or more"),
        ("mase", {"season": 0}, "season is 0, but must be at least 1"),
        ("adjusted_r2", {"predictors": -1}, "predictors is -1, but must be 0 or more"),
    ],
)
def test_options_are_checked(name: str, options: Any, message: str) -> None:
    with pytest.raises(eh.UsageError, match=message):
        eh.load_metric(name, **options)


def test_errors_have_an_interval_in_the_unit_of_the_target() -> None:
    for name in ("mae", "rmse"):
        found = score(name, [float(row % 7) for row in range(40)], [float(row % 5) for row in range(40)])
        assert 0 <= found.low < found.value < found.high
        assert (found.unit, found.range) == ("target units", [0, None])
