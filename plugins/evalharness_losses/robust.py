"""Regression losses that bound what an outlier can do: Barron's family, its members, and Tukey's biweight.

All read `prediction` and `target`, (batch,) or (batch, ...); e is prediction - target. Each is the mean over samples
weighted by `sample_weight`, computed in float32 or better.
"""

from __future__ import annotations

import math
from typing import Any

import evalharness as eh
from evalharness_losses.declaring import ABOVE_0, Limit, per_sample

_BARRON = "Barron, A General and Adaptive Robust Loss Function, CVPR 2019"
_REDESCENDING = ("differentiable", "robust", "bounded gradient")
# Learned shapes stay between these, as in the paper's own code: the slope by the shape is not defined at 0 and 2.
_LOWEST, _HIGHEST, _NARROWEST = 0.001, 1.999, 1e-5
_LEARNABLE = Limit(f"more than {_LOWEST} and less than {_HIGHEST}", lambda value: _LOWEST < value < _HIGHEST)
_WIDE_ENOUGH = Limit(f"more than {_NARROWEST}", lambda value: value > _NARROWEST)


def general(error: Any, alpha: Any, scale: Any) -> Any:
    """Return Barron's general loss of residuals; `alpha` and `scale` are numbers or tensors, tensors not 0 and not 2."""
    import torch

    if isinstance(alpha, int | float) and alpha == 2:
        return (error / scale) ** 2 / 2
    width = abs(alpha - 2)
    log = _log_of_squared(error / scale / width**0.5)
    if isinstance(alpha, int | float) and alpha == 0:
        return log
    return (width / alpha) * torch.expm1(alpha / 2 * log)


def _log_of_squared(ratio: Any) -> Any:
    """Return log(1 + ratio^2), whose square may be beyond the numbers of the precision."""
    import torch

    size = ratio.abs().clamp_min(1)
    return 2 * size.log() + torch.log1p((ratio / size / size) ** 2)


def log_partition(alpha: Any) -> Any:
    """Return the log of the integral of exp(-loss) over all residuals at scale 1, for a tensor `alpha` in [0.001, 1.999].

    Computed in float64 by the trapezoidal rule after x = exp(pi/2 sinh t), which makes the integrand fall doubly
    exponentially: 129 nodes are within 1e-12 of the exact integral over the whole range, and so is the slope by alpha.
    """
    import torch

    nodes = torch.linspace(-4, 4, 129, dtype=torch.float64, device=alpha.device)
    places = torch.exp(math.pi / 2 * torch.sinh(nodes))
    widths = places * math.pi / 2 * torch.cosh(nodes) * (8 / 128)
    half = (torch.exp(-general(places, alpha.double(), 1.0)) * widths).sum()
    return torch.log(2 * half).to(alpha.dtype)


def _tags(loss: Any) -> tuple[str, ...]:
    """Return what holds of Barron's loss at this alpha."""
    convex = ("convex",) if loss.alpha >= 1 else ()
    return (*convex, *(_REDESCENDING if loss.alpha <= 1 else ("differentiable",)))


@per_sample(
    range=(0, None), tags=property(_tags), limits={"scale": ABOVE_0},
    formula="|alpha - 2| / alpha ((((e / scale)^2 / |alpha - 2|) + 1)^(alpha / 2) - 1); alpha 2: (e / scale)^2 / 2; "
    "alpha 0: log((e / scale)^2 / 2 + 1)",
    gradient="e / scale^2 ((e / scale)^2 / |alpha - 2| + 1)^(alpha / 2 - 1)", cite=_BARRON,
    reference="robust_loss_pytorch.general.lossfun, by its formula",
)  # fmt: skip
def barron(prediction: Any, target: Any, *, alpha: float = 1.0, scale: float = 1.0) -> Any:
    """Mean of Barron's general robust loss, without unit, 0 or more: the smaller `alpha`, the less an outlier counts.

    `alpha` 2 is half the square, 1 `charbonnier`, 0 `cauchy`, -2 `geman_mcclure`, and towards minus infinity `welsch`;
    residuals below `scale` cost about their square.

    >>> import torch
    >>> round(barron(alpha=2.0)(prediction=torch.tensor([3.0]), target=torch.tensor([0.0])).item(), 3)
    4.5
    """
    return general(prediction - target, alpha, scale)


def _start(loss: Any) -> dict[str, float]:
    """Return the latent numbers that stand for the loss's alpha and scale."""
    share = (loss.alpha - _LOWEST) / (_HIGHEST - _LOWEST)
    return {"latent_alpha": math.log(share / (1 - share)), "latent_scale": math.log(math.expm1(loss.scale - _NARROWEST))}


@per_sample(
    unit="nats", tags=("differentiable",), learned=_start, limits={"alpha": _LEARNABLE, "scale": _WIDE_ENOUGH},
    formula="barron(e; alpha, scale) + log scale + log Z(alpha), Z the integral of exp(-barron) at scale 1; "
    "alpha = 0.001 + 1.998 sigmoid(latent_alpha), scale = 1e-5 + softplus(latent_scale)",
    gradient="by e that of barron; alpha and scale are learned along with the model", cite=_BARRON,
    reference="robust_loss_pytorch.distribution.nllfun, by its formula; scipy.integrate.quad",
)  # fmt: skip
def barron_adaptive(
    prediction: Any, target: Any, latent_alpha: Any = None, latent_scale: Any = None, *, alpha: float = 1.0, scale: float = 1.0
) -> Any:
    """Mean negative log-likelihood of residuals under Barron's law with learned shape and scale, in nats; signed.

    The scalars `latent_alpha` and `latent_scale` are learned, from `alpha` (within 0.001 and 1.999) and `scale` (above
    1e-5) on; the log of the partition function is within 1e-12. Without the learned tensors it is the loss at the start.

    >>> import torch
    >>> round(barron_adaptive()(prediction=torch.tensor([0.0]), target=torch.tensor([0.0])).item(), 4)
    1.1855
    """
    from torch.nn import functional

    shape = _LOWEST + (_HIGHEST - _LOWEST) * latent_alpha.sigmoid()
    spread = _NARROWEST + functional.softplus(latent_scale)
    return general(prediction - target, shape, spread) + spread.log() + log_partition(shape)


@per_sample(
    range=(0, None), tags=(*_REDESCENDING, "convex"), limits={"scale": ABOVE_0}, formula="sqrt((e / scale)^2 + 1) - 1",
    gradient="e / scale^2 / sqrt((e / scale)^2 + 1)",
    cite="Charbonnier et al., Two deterministic half-quadratic regularization algorithms for computed imaging, ICIP 1994",
    reference="kornia.losses.charbonnier_loss, by its formula",
)  # fmt: skip
def charbonnier(prediction: Any, target: Any, *, scale: float = 1.0) -> Any:
    """Mean Charbonnier (pseudo-Huber) loss, without unit, 0 or more: half the square near 0, linear far from it.

    >>> import torch
    >>> round(charbonnier()(prediction=torch.tensor([3.0]), target=torch.tensor([0.0])).item(), 3)
    2.162
    """
    return general(prediction - target, 1.0, scale)


@per_sample(
    range=(0, None), tags=_REDESCENDING, limits={"scale": ABOVE_0}, formula="log((e / scale)^2 / 2 + 1)",
    gradient="2 e / (e^2 + 2 scale^2)", cite="Black and Anandan, The Robust Estimation of Multiple Motions, CVIU 63, 1996",
    reference="kornia.losses.cauchy_loss, by its formula",
)  # fmt: skip
def cauchy(prediction: Any, target: Any, *, scale: float = 1.0) -> Any:
    """Mean Cauchy (Lorentzian) loss, without unit, 0 or more: grows like a logarithm, so the pull of an outlier fades.

    >>> import torch
    >>> round(cauchy()(prediction=torch.tensor([2.0]), target=torch.tensor([0.0])).item(), 3)
    1.099
    """
    return general(prediction - target, 0.0, scale)


@per_sample(
    range=(0, 2), tags=_REDESCENDING, limits={"scale": ABOVE_0}, formula="2 (e / scale)^2 / ((e / scale)^2 + 4)",
    gradient="16 e / scale^2 / ((e / scale)^2 + 4)^2",
    cite="Geman and McClure, Bayesian image analysis, American Statistical Association, 1985",
    reference="kornia.losses.geman_mcclure_loss, by its formula",
)  # fmt: skip
def geman_mcclure(prediction: Any, target: Any, *, scale: float = 1.0) -> Any:
    """Mean Geman-McClure loss, without unit, 0 to 2: an outlier costs at most 2.

    >>> import torch
    >>> geman_mcclure()(prediction=torch.tensor([2.0]), target=torch.tensor([0.0])).item()
    1.0
    """
    return general(prediction - target, -2.0, scale)


@per_sample(
    range=(0, 1), tags=_REDESCENDING, limits={"scale": ABOVE_0}, formula="1 - exp(-(e / scale)^2 / 2)",
    gradient="e / scale^2 exp(-(e / scale)^2 / 2)",
    cite="Dennis and Welsch, Techniques for nonlinear least squares and robust regression, Communications in Statistics, 1978",
    reference="kornia.losses.welsch_loss, by its formula",
)  # fmt: skip
def welsch(prediction: Any, target: Any, *, scale: float = 1.0) -> Any:
    """Mean Welsch (Leclerc) loss, without unit, 0 to 1: an outlier costs at most 1.

    >>> import torch
    >>> round(welsch()(prediction=torch.tensor([1.0]), target=torch.tensor([0.0])).item(), 4)
    0.3935
    """
    import torch

    return -torch.expm1(-(((prediction - target) / scale) ** 2) / 2)


@per_sample(
    unit="squared target units", range=(0, None), tags=_REDESCENDING, limits={"c": ABOVE_0},
    formula="c^2 / 6 (1 - (1 - (e / c)^2)^3) where |e| <= c, else c^2 / 6", gradient="e (1 - (e / c)^2)^2 where |e| <= c, else 0",
    cite="Beaton and Tukey, The Fitting of Power Series, Technometrics 16, 1974",
    reference="statsmodels.robust.norms.TukeyBiweight",
)  # fmt: skip
def tukey(prediction: Any, target: Any, *, c: float = 4.685) -> Any:
    """Mean of Tukey's biweight loss, in squared target units, 0 to c^2 / 6: residuals beyond `c` have no pull at all.

    At the default and residuals of unit spread it has 95 % of the efficiency of the mean squared error on normal errors.

    >>> import torch
    >>> round(tukey()(prediction=torch.tensor([100.0]), target=torch.tensor([0.0])).item(), 3)
    3.658
    """
    inside = (1 - ((prediction - target) / c) ** 2).clamp_min(0)
    return c**2 / 6 * (1 - inside**3)


LOSSES: tuple[type[eh.Loss], ...] = (
    barron, barron_adaptive, charbonnier, cauchy, geman_mcclure, welsch, tukey,
)  # fmt: skip
