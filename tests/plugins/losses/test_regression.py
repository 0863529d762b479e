"""Regression losses against torch, scikit-learn, scipy, statsmodels and closed forms, in value and gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
import torch
from evalharness_losses.robust import barron, general, log_partition
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.metrics import mean_pinball_loss, mean_tweedie_deviance
from statsmodels.robust.norms import TukeyBiweight
from torch.nn import functional

import evalharness as eh

Same = Callable[..., Any]
NUMBERS = st.lists(st.floats(-30, 30), min_size=1, max_size=8)


def tensors(seed: int = 0, rows: int = 7, *, counts: bool = False) -> dict[str, Any]:
    chance = torch.Generator().manual_seed(seed)
    prediction, target = (torch.randn(rows, generator=chance, dtype=torch.float64) * 2 for _ in range(2))
    return {"prediction": prediction, "target": target.abs().ceil() if counts else target}


ORACLES: list[tuple[str, dict[str, Any], Callable[..., Any]]] = [
    ("mse", {}, lambda prediction, target: functional.mse_loss(prediction, target)),
    ("mae", {}, lambda prediction, target: functional.l1_loss(prediction, target)),
    ("huber", {"delta": 1.345}, lambda prediction, target: functional.huber_loss(prediction, target, delta=1.345)),
    ("log_cosh", {}, lambda prediction, target: torch.log(torch.cosh(prediction - target)).mean()),
    ("charbonnier", {}, lambda prediction, target: (((prediction - target) ** 2 + 1).sqrt() - 1).mean()),
    ("cauchy", {}, lambda prediction, target: torch.log(0.5 * (prediction - target) ** 2 + 1).mean()),
    ("geman_mcclure", {}, lambda prediction, target: (2 * (prediction - target) ** 2 / ((prediction - target) ** 2 + 4)).mean()),
    ("welsch", {}, lambda prediction, target: (1 - torch.exp(-0.5 * (prediction - target) ** 2)).mean()),
    ("penalised_mse", {}, lambda prediction, target: functional.mse_loss(prediction, target) + 0.01 * prediction.abs().mean()),
    (
        "quantile",
        {"q": 0.9},
        lambda prediction, target: torch.maximum(0.9 * (target - prediction), 0.1 * (prediction - target)).mean(),
    ),
    ("expectile", {"tau": 0.5}, lambda prediction, target: 0.5 * functional.mse_loss(prediction, target)),
]


@pytest.mark.parametrize(("name", "options", "oracle"), ORACLES, ids=[name for name, _, _ in ORACLES])
@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient_are_those_of_the_reference(
    name: str, options: dict[str, Any], oracle: Callable[..., Any], seed: int, same: Same
) -> None:
    same(eh.load_loss(name, **options), oracle, tensors(seed))


@given(NUMBERS, st.floats(0.01, 0.99))
@settings(max_examples=40, deadline=None)
def test_quantile_is_that_of_scikit_learn(values: list[float], q: float) -> None:
    prediction = torch.tensor(values, dtype=torch.float64)
    target = prediction.flip(0) * 0.7 - 1
    value = eh.load_loss("quantile", q=q)(prediction=prediction, target=target)
    assert float(value) == pytest.approx(mean_pinball_loss(target.numpy(), prediction.numpy(), alpha=q), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("options", [{}, {"full": True}, {"link": "identity", "eps": 1e-3}, {"eps": 1e-3}])
def test_poisson_is_that_of_torch(options: dict[str, Any], same: Same) -> None:
    given_tensors = tensors(counts=True)
    if options.get("link") == "identity":
        given_tensors["prediction"] = given_tensors["prediction"].exp()

    def oracle(prediction: Any, target: Any) -> Any:
        chosen = {"log_input": options.get("link") != "identity", "full": options.get("full", False)}
        return functional.poisson_nll_loss(prediction, target, eps=options.get("eps", 1e-8), **chosen)

    same(eh.load_loss("poisson", **options), oracle, given_tensors)


@pytest.mark.parametrize("power", [1.0, 1.3, 1.5, 1.9, 2.0, 3.0])
def test_tweedie_is_that_of_scikit_learn_under_both_links(power: float) -> None:
    found = tensors(counts=True)
    target = found["target"] + (power >= 2)
    expected = mean_tweedie_deviance(target.numpy(), found["prediction"].exp().numpy(), power=power)
    log = eh.load_loss("tweedie", power=power)(prediction=found["prediction"], target=target)
    plain = eh.load_loss("tweedie", power=power, link="identity")(prediction=found["prediction"].exp(), target=target)
    assert float(log) == pytest.approx(expected, rel=1e-9)
    assert float(plain) == pytest.approx(expected, rel=1e-9)


def deviance(mean: float, target: float, power: float) -> tuple[float, float]:
    """Tweedie's deviance and its slope by the mean, to sixty digits."""
    with localcontext(prec=60):
        mu, y, p = Decimal(mean), Decimal(target), Decimal(power)
        slope = float(2 * (mu - y) / mu**p)
        if power == 1:
            return float(2 * (y * (y / mu).ln() - y + mu)), slope
        if power == 2:
            return float(2 * ((mu / y).ln() + y / mu - 1)), slope
        own = y ** (2 - p) / ((1 - p) * (2 - p))
        return float(2 * (own - y * mu ** (1 - p) / (1 - p) + mu ** (2 - p) / (2 - p))), slope


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
@pytest.mark.parametrize("power", [1.0, 1 + 1e-9, 1.001, 1.5, 1.999, 2 - 1e-9, 2.0, 3.0])
def test_tweedie_loses_no_digits_near_its_least_and_at_powers_near_1_and_2(power: float, precision: torch.dtype) -> None:
    eps, loss = torch.finfo(precision).eps, eh.load_loss("tweedie", power=power, link="identity")
    for target in (1e-6, 3.0, 1e5):
        for ratio in (1e-4, 0.4, 0.999, 1 - 2**-20, 1.0, 1 + 2**-20, 1.0001, 1.7, 5.0, 50.0):
            y = torch.tensor([target], dtype=precision)
            mean = (y * ratio).requires_grad_()
            value = loss(prediction=mean, target=y)
            value.backward()
            expected, slope = deviance(mean.item(), y.item(), power)
            assert value.item() == pytest.approx(expected, rel=200 * eps, abs=1e-30)
            assert mean.grad.item() == pytest.approx(slope, rel=200 * eps)


def test_tukey_is_that_of_statsmodels(same: Same) -> None:
    found = {"prediction": torch.linspace(-9, 9, 37, dtype=torch.float64), "target": torch.zeros(37, dtype=torch.float64)}
    norm = TukeyBiweight(c=4.685)
    value = eh.load_loss("tukey")(**found)
    prediction = found["prediction"].clone().requires_grad_()
    eh.load_loss("tukey")(prediction=prediction, target=found["target"]).backward()
    assert float(value) == pytest.approx(norm.rho(found["prediction"].numpy()).mean(), rel=1e-9)
    np.testing.assert_allclose(prediction.grad.numpy() * 37, norm.psi(found["prediction"].numpy()), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.8])
def test_expectile_is_least_at_the_expectile_of_scipy(tau: float) -> None:
    target = tensors(rows=25)["target"]
    loss = eh.load_loss("expectile", tau=tau)
    at = torch.full_like(target, stats.expectile(target.numpy(), alpha=tau)).requires_grad_()
    loss(prediction=at, target=target).backward()
    assert float(at.grad.sum()) == pytest.approx(0, abs=1e-6)


def test_the_weights_of_the_expectile_have_the_precision_of_the_tensors(same: Same) -> None:
    def oracle(prediction: Any, target: Any) -> Any:
        over = prediction - target
        return ((0.9 - (over > 0).double()).abs() * over**2).mean()

    same(eh.load_loss("expectile", tau=0.9), oracle, tensors(), rtol=1e-12)


@pytest.mark.parametrize("name", ["huber", "charbonnier"])
def test_losses_with_two_branches_meet_with_equal_slope(name: str) -> None:
    """Huber is once continuously differentiable, unlike what is often said."""
    near = torch.tensor([1 - 1e-9, 1 + 1e-9], dtype=torch.float64, requires_grad=True)
    eh.load_loss(name)(prediction=near, target=torch.zeros(2, dtype=torch.float64)).backward()
    assert float((near.grad[0] - near.grad[1]).abs()) < 1e-8


def paper(error: Any, alpha: float, scale: float) -> Any:
    """Return Barron's loss as its public implementation writes it."""
    squared = (error / scale) ** 2
    if alpha == 0:
        return torch.log1p(0.5 * squared)
    if alpha == 2:
        return 0.5 * squared
    return (abs(alpha - 2) / alpha) * ((squared / abs(alpha - 2) + 1) ** (alpha / 2) - 1)


@pytest.mark.parametrize("alpha", [-8.0, -2.0, -0.5, 0.0, 0.3, 1.0, 1.7, 2.0, 3.5])
@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_barron_is_that_of_the_paper(alpha: float, scale: float, same: Same) -> None:
    oracle = lambda prediction, target: paper(prediction - target, alpha, scale).mean()  # noqa: E731
    same(eh.load_loss("barron", alpha=alpha, scale=scale), oracle, tensors())


@pytest.mark.parametrize(
    ("alpha", "name"), [(1.0, "charbonnier"), (0.0, "cauchy"), (-2.0, "geman_mcclure"), (-1e7, "welsch"), (1e-9, "cauchy")]
)
def test_members_of_the_family_are_its_limits(alpha: float, name: str, same: Same) -> None:
    same(eh.load_loss("barron", alpha=alpha, scale=1.5), eh.load_loss(name, scale=1.5), tensors(), rtol=1e-5)


@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.3, 1.0, 1.5, 1.9, 1.99, 1.999])
def test_the_partition_function_is_that_of_a_quadrature(alpha: float) -> None:
    """In x up to 1, in log x beyond, where the tail is long."""

    def density(place: float) -> float:
        return math.exp(-float(general(torch.tensor(place, dtype=torch.float64), alpha, 1.0)))

    near = integrate.quad(density, 0, 1, epsabs=1e-13)[0]
    far = integrate.quad(lambda log: density(math.exp(log)) * math.exp(log), 0, 60, epsabs=1e-13, limit=400)[0]
    found = log_partition(torch.tensor(alpha, dtype=torch.float64))
    assert float(found) == pytest.approx(math.log(2 * (near + far)), abs=1e-10)
    assert torch.autograd.gradcheck(log_partition, torch.tensor(0.7, dtype=torch.float64, requires_grad=True))


def analytical(numerator: int, denominator: int) -> float:
    """Return the partition function at a rational alpha as the paper's code writes it, with Meijer's G."""
    mpmath = pytest.importorskip("mpmath")
    a_p = (np.arange(1, numerator) / numerator).tolist()
    b_q = (np.arange(-0.5, numerator - 0.5) / numerator).tolist() + (np.arange(1, 2 * denominator) / (2 * denominator)).tolist()
    z = (1 / numerator - 1 / (2 * denominator)) ** (2 * denominator)
    off = abs(2 * denominator / numerator - 1)
    scale = math.exp(off) * math.sqrt(off) * (2 * math.pi) ** (1 - denominator)
    return float(scale * mpmath.meijerg([[], a_p], [b_q, []], z))


@pytest.mark.parametrize(("numerator", "denominator"), [(1, 1), (1, 2), (3, 2), (1, 3), (4, 3)])
def test_the_partition_function_is_that_of_the_papers_formula(numerator: int, denominator: int) -> None:
    alpha = torch.tensor(numerator / denominator, dtype=torch.float64)
    assert float(log_partition(alpha)) == pytest.approx(math.log(analytical(numerator, denominator)), abs=1e-12)


def test_the_adaptive_loss_is_the_negative_log_density() -> None:
    loss = eh.load_loss("barron_adaptive", alpha=1.3, scale=0.7)
    error = torch.tensor([0.0, 0.5, -3.0], dtype=torch.float64)
    value = loss(prediction=error, target=torch.zeros(3, dtype=torch.float64))
    expected = paper(error, 1.3, 0.7).mean() + math.log(0.7) + log_partition(torch.tensor(1.3, dtype=torch.float64))
    assert float(value) == pytest.approx(float(expected), rel=1e-9)


def test_the_adaptive_loss_learns_a_heavy_tail_and_a_scale() -> None:
    chance = np.random.default_rng(0)
    loss = eh.load_loss("barron_adaptive")
    found = {}
    for name, sample in (("normal", chance.normal(0, 3, 4000)), ("cauchy", chance.standard_cauchy(4000) * math.sqrt(2) * 3)):
        learned = {key: torch.tensor(start, dtype=torch.float64, requires_grad=True) for key, start in loss.learned().items()}
        optimiser = torch.optim.LBFGS(list(learned.values()), max_iter=100, line_search_fn="strong_wolfe")
        target = torch.tensor(sample)

        def closure(target: Any = target, learned: Any = learned, optimiser: Any = optimiser) -> Any:
            optimiser.zero_grad()
            value = loss(prediction=torch.zeros_like(target), target=target, **learned)
            value.backward()
            return value

        optimiser.step(closure)
        found[name] = (
            0.001 + 1.998 * float(learned["latent_alpha"].detach().sigmoid()),
            float(functional.softplus(learned["latent_scale"].detach())),
        )
    assert found["normal"][0] > 1.9
    assert found["cauchy"][0] < 0.2
    assert found["normal"][1] == pytest.approx(3, rel=0.05)
    assert found["cauchy"][1] == pytest.approx(3, rel=0.15)


def test_extreme_residuals_are_finite_where_the_loss_is_robust() -> None:
    far = {"prediction": torch.tensor([1e30, -1e30]), "target": torch.zeros(2)}
    for name in ("mae", "huber", "log_cosh", "quantile"):
        assert math.isfinite(float(eh.load_loss(name)(**far))), name
    near = {"prediction": torch.tensor([1e15, -1e15]), "target": torch.zeros(2)}
    for name in ("charbonnier", "cauchy", "geman_mcclure", "welsch", "tukey", "barron", "barron_adaptive"):
        assert math.isfinite(float(eh.load_loss(name)(**near))), name


@pytest.mark.parametrize("alpha", [2, 1, 0, -2])
def test_barron_takes_whole_numbers(alpha: int, same: Same) -> None:
    same(barron(alpha=alpha), barron(alpha=float(alpha)), tensors())


@pytest.mark.parametrize("size", [1e20, 1e30])
@pytest.mark.parametrize(
    ("name", "options"),
    [("charbonnier", {}), ("cauchy", {}), ("geman_mcclure", {}), ("barron", {"alpha": 0.5}), ("barron_adaptive", {"alpha": 0.5})],
)
def test_members_of_the_family_of_barron_are_those_of_float64_far_out(name: str, options: dict[str, Any], size: float) -> None:
    loss = eh.load_loss(name, **options)
    found = []
    for precision in (torch.float32, torch.float64):
        prediction = torch.tensor([size, -size, 1.0], dtype=precision, requires_grad=True)
        value = loss(prediction=prediction, target=torch.zeros(3, dtype=precision))
        value.backward()
        found.append((value.detach().double(), prediction.grad.double()))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("huber", {"delta": 0.0}, "delta is 0.0, but must be above 0"),
        ("poisson", {"link": "identity", "eps": 0.0}, "eps is 0.0, but must be above 0"),
        ("quantile", {"q": 1.0}, "q is 1.0, but must be more than 0 and less than 1"),
        ("tweedie", {"power": 0.5}, "power is 0.5, but must be 1 or more"),
        ("barron", {"scale": -1.0}, "scale is -1.0, but must be above 0"),
        ("barron_adaptive", {"alpha": 2.5}, "alpha is 2.5, but must be"),
    ],
)
def test_options_without_meaning_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.EvalharnessError, match=message):
        eh.load_loss(name, **options)


@pytest.mark.parametrize(
    ("name", "options", "prediction", "target", "message"),
    [
        ("poisson", {}, 0.0, -1.0, r"loss 'poisson': 'target' \(2,\) is -1, which is not 0 or more, in sample 1 of the batch"),
        ("poisson", {"link": "identity"}, -2.0, 1.0, r"'prediction' \(2,\) is -2, which is not 0 or more, in sample 1"),
        ("tweedie", {"power": 2.0}, 0.0, 0.0, r"'target' \(2,\) is 0, which is not more than 0, in sample 1"),
        ("tweedie", {"link": "identity"}, 0.0, 1.0, r"'prediction' \(2,\) is 0, which is not more than 0, in sample 1"),
    ],
)
def test_numbers_outside_the_domain_are_refused(
    name: str, options: dict[str, Any], prediction: float, target: float, message: str
) -> None:
    tensors = {"prediction": torch.tensor([1.0, prediction]), "target": torch.tensor([1.0, target])}
    with pytest.raises(eh.DataError, match=message):
        eh.load_loss(name, **options)(**tensors)
