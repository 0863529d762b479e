"""Regression losses over `prediction` and `target`, (batch,) or (batch, ...) each; e is prediction - target.

Each is the mean over samples weighted by `sample_weight`, computed in float32 or better. Those that grow faster than
linearly are finite while their value is below the largest number of the precision; what lies beyond is a DataError.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import evalharness as eh
from evalharness_losses.declaring import ABOVE_0, AT_LEAST_0, AT_LEAST_1, INSIDE, per_sample
from evalharness_losses.tensors import check_range

_SMOOTH = ("convex", "differentiable")
_ROBUST = ("convex", "robust", "bounded gradient")


@per_sample(
    unit="squared target units", range=(0, None), tags=_SMOOTH, formula="e^2", gradient="2 e",
    cite="Legendre, Nouvelles méthodes pour la détermination des orbites des comètes, 1805",
    reference="torch.nn.functional.mse_loss",
)  # fmt: skip
def mse(prediction: Any, target: Any) -> Any:
    """Mean squared error, in squared target units, 0 or more.

    >>> import torch
    >>> mse()(prediction=torch.tensor([1.0, 3.0]), target=torch.tensor([0.0, 1.0])).item()
    2.5
    """
    return (prediction - target) ** 2


@per_sample(
    unit="target units", range=(0, None), tags=_ROBUST, formula="|e|",
    gradient="sign(e); 0 at e = 0, where any value in [-1, 1] would do",
    cite="Boscovich, 1757; Bloomfield and Steiger, Least Absolute Deviations, 1983", reference="torch.nn.functional.l1_loss",
)  # fmt: skip
def mae(prediction: Any, target: Any) -> Any:
    """Mean absolute error, in target units, 0 or more.

    >>> import torch
    >>> mae()(prediction=torch.tensor([1.0, 3.0]), target=torch.tensor([0.0, 1.0])).item()
    1.5
    """
    return (prediction - target).abs()


@per_sample(
    unit="squared target units", range=(0, None), tags=(*_ROBUST, "differentiable"), limits={"delta": ABOVE_0},
    formula="0.5 e^2 where |e| <= delta, else delta (|e| - delta / 2)", gradient="clip(e, -delta, delta)",
    cite="Huber, Robust Estimation of a Location Parameter, Annals of Mathematical Statistics 35, 1964",
    reference="torch.nn.functional.huber_loss",
)  # fmt: skip
def huber(prediction: Any, target: Any, *, delta: float = 1.0) -> Any:
    """Mean Huber loss, in squared target units, 0 or more: squared up to `delta`, linear beyond.

    The branches meet with equal value and slope: once continuously differentiable, also at |e| = `delta`.

    >>> import torch
    >>> huber()(prediction=torch.tensor([0.5, 3.0]), target=torch.tensor([0.0, 0.0])).item()
    1.3125
    """
    from torch.nn import functional

    return functional.huber_loss(prediction, target, reduction="none", delta=delta)


@per_sample(
    unit="squared target units", range=(0, None), tags=(*_ROBUST, "differentiable"), formula="log cosh e", gradient="tanh e",
    cite="Green, Bayesian Reconstructions From Emission Tomography Data, IEEE Transactions on Medical Imaging 9, 1990",
    reference="numpy.logaddexp(e, -e) - log 2",
)  # fmt: skip
def log_cosh(prediction: Any, target: Any) -> Any:
    """Mean log-cosh error, 0 or more: half the square near 0, |e| - log 2 far from it; finite for every finite e.

    >>> import torch
    >>> round(log_cosh()(prediction=torch.tensor([1000.0]), target=torch.tensor([0.0])).item(), 3)
    999.307
    """
    from torch.nn import functional

    size = (prediction - target).abs()
    return size + functional.softplus(-2 * size) - math.log(2)


@per_sample(
    unit="target units", range=(0, None), tags=_ROBUST, limits={"q": INSIDE},
    formula="q max(-e, 0) + (1 - q) max(e, 0)", gradient="1 - q where e > 0, -q where e < 0",
    cite="Koenker and Bassett, Regression Quantiles, Econometrica 46, 1978", reference="sklearn.metrics.mean_pinball_loss",
)  # fmt: skip
def quantile(prediction: Any, target: Any, *, q: float = 0.5) -> Any:
    """Mean quantile (pinball) loss, in target units, 0 or more; its minimum is at the `q` quantile of the target.

    >>> import torch
    >>> round(quantile(q=0.9)(prediction=torch.tensor([0.0]), target=torch.tensor([2.0])).item(), 3)
    1.8
    """
    short = target - prediction
    return q * short.clamp_min(0) + (1 - q) * (-short).clamp_min(0)


@per_sample(
    unit="squared target units", range=(0, None), tags=_SMOOTH, limits={"tau": INSIDE},
    formula="|tau - [target < prediction]| e^2", gradient="2 |tau - [target < prediction]| e",
    cite="Newey and Powell, Asymmetric Least Squares Estimation and Testing, Econometrica 55, 1987",
    reference="scipy.stats.expectile, its minimum",
)  # fmt: skip
def expectile(prediction: Any, target: Any, *, tau: float = 0.5) -> Any:
    """Mean expectile loss, in squared target units, 0 or more; its minimum is at the `tau` expectile of the target.

    >>> import torch
    >>> round(expectile(tau=0.9)(prediction=torch.tensor([0.0]), target=torch.tensor([2.0])).item(), 3)
    3.6
    """
    over = prediction - target
    return (tau - (over > 0).to(over.dtype)).abs() * over**2


@per_sample(
    unit="nats", tags=_SMOOTH, target="count", limits={"eps": ABOVE_0},
    formula="exp(z) - y z with the link log, lambda - y log(lambda + eps) with identity; full adds log y! by Stirling",
    gradient="exp(z) - y; 1 - y / (lambda + eps)",
    cite="Nelder and Wedderburn, Generalized Linear Models, Journal of the Royal Statistical Society A 135, 1972",
    reference="torch.nn.functional.poisson_nll_loss",
)  # fmt: skip
def poisson(
    prediction: Any, target: Any, *, link: Literal["log", "identity"] = "log", full: bool = False, eps: float = 1e-8
) -> Any:
    """Mean negative log-likelihood of counts under a Poisson law, in nats; signed, as the term of y alone is left out.

    `link`: whether the prediction is the log of the rate, finite below 88 in float32, or the rate, 0 or more. `full` adds
    Stirling's term, an approximation for targets above 1. Raises DataError for a target or a rate below 0.

    >>> import torch
    >>> poisson()(prediction=torch.tensor([0.0]), target=torch.tensor([3.0])).item()
    1.0
    """
    from torch.nn import functional

    if link == "identity":
        check_range("poisson", "prediction", prediction, "count")
    return functional.poisson_nll_loss(prediction, target, log_input=link == "log", full=full, eps=eps, reduction="none")


@per_sample(
    unit="squared target units", range=(0, None), tags=("convex",), limits={"penalty": AT_LEAST_0},
    formula="e^2 + penalty |prediction|", gradient="2 e + penalty sign(prediction)",
    cite="Juan Terven et al., A comprehensive survey of loss functions and metrics in deep learning, 2025, section 1.3",
    reference="closed form",
)  # fmt: skip
def penalised_mse(prediction: Any, target: Any, *, penalty: float = 0.01) -> Any:
    """Mean squared error plus `penalty` times the mean size of the prediction, in squared target units, 0 or more.

    >>> import torch
    >>> round(penalised_mse()(prediction=torch.tensor([2.0]), target=torch.tensor([1.0])).item(), 3)
    1.02
    """
    return (prediction - target) ** 2 + penalty * prediction.abs()


def _positive_power(loss: Any) -> str:
    """Return what the target of a Tweedie law of this power may be."""
    return "count" if loss.power < 2 else "positive"


def _beyond_linear(x: Any, log_scale: Any) -> Any:
    """Return exp(log_scale) (exp(x) - 1 - x), without cancellation near 0 and where exp(x) alone is beyond all numbers."""
    import torch

    near, scale = x.clamp(-1, 1), log_scale.exp()
    series = torch.zeros_like(x)
    for power in range(18, 1, -1):
        series = series * near + 1 / math.factorial(power)
    far = (log_scale + torch.where(near == x, 0.0, x)).exp() - scale * (1 + x)
    return torch.where(near == x, scale * near**2 * series, far)


def _log_ratio(mean: Any, target: Any) -> Any:
    """Return log(mean / target), to full precision where they are near each other."""
    import torch

    apart = (mean - target) / target
    return torch.where(apart.abs() < 0.5, apart.clamp_min(-0.5).log1p(), mean.log() - target.log())


@per_sample(
    unit="deviance", range=(0, None), tags=("differentiable",), target=property(_positive_power), limits={"power": AT_LEAST_1},
    formula="2 (y^(2-p) / ((1-p)(2-p)) - y mu^(1-p) / (1-p) + mu^(2-p) / (2-p)); p = 1: 2 (y log(y / mu) - y + mu); "
    "p = 2: 2 (log(mu / y) + y / mu - 1)",
    gradient="2 (mu - y) mu^(-p) by mu, times mu with the link log",
    cite="Jørgensen, Exponential Dispersion Models, Journal of the Royal Statistical Society B 49, 1987",
    reference="sklearn.metrics.mean_tweedie_deviance",
)  # fmt: skip
def tweedie(prediction: Any, target: Any, *, power: float = 1.5, link: Literal["log", "identity"] = "log") -> Any:
    """Mean Tweedie deviance, 0 or more: Poisson at `power` 1, gamma at 2, sums of gammas with zeros between.

    `link`: whether the prediction is the log of the mean, finite below 88 / |power - 2| in float32, or the mean, above 0.
    Exact to some units of the precision, also for targets near the mean and powers near 1 and 2. Raises DataError for a
    target below 0, or of 0 at powers of 2 and more, and for a mean that is not above 0.

    >>> import torch
    >>> round(tweedie()(prediction=torch.tensor([0.0]), target=torch.tensor([4.0])).item(), 3)
    4.0
    """
    import torch

    if link == "identity":
        check_range("tweedie", "prediction", prediction, "positive")
    none = target == 0
    own = torch.where(none, 1.0, target)
    apart = torch.where(none, 0.0, prediction - own.log() if link == "log" else _log_ratio(prediction, own))
    # y^(2 - p) times the integral of exp((2 - p) t) - exp((1 - p) t) over t from 0 to log(mu / y).
    parts = [(2 - power, 1), (1 - power, -1)]
    log_scale = (2 - power) * own.log()
    found = sum(sign * _beyond_linear(share * apart, log_scale) / share for share, sign in parts if share)
    if power >= 2:
        return 2 * found
    log_mean = prediction if link == "log" else prediction.log()
    return 2 * torch.where(none, ((2 - power) * log_mean).exp() / (2 - power), found)


LOSSES: tuple[type[eh.Loss], ...] = (mse, mae, huber, log_cosh, quantile, expectile, poisson, tweedie, penalised_mse)
