"""Hinge losses over `logits`, which are margins and no probabilities: (batch,) for targets 0 and 1, else (batch, classes).

Each is the mean over samples weighted by `sample_weight`, computed in float32 or better.
"""

from __future__ import annotations

from typing import Any, Literal

import evalharness as eh
from evalharness_losses.declaring import ABOVE_0, AT_LEAST_0, per_sample

_HINGE = ("convex", "bounded gradient", "robust")


def _short(logits: Any, target: Any, margin: float) -> Any:
    """Return by how much the signed logit falls short of the margin."""
    return (margin - (2 * target - 1) * logits).clamp_min(0)


@per_sample(
    range=(0, None), tags=_HINGE, target="binary", limits={"margin": ABOVE_0}, formula="max(0, margin - s z), s = 2 y - 1",
    gradient="-s where s z < margin, else 0", cite="Cortes and Vapnik, Support-Vector Networks, Machine Learning 20, 1995",
    reference="sklearn.metrics.hinge_loss",
)  # fmt: skip
def hinge(logits: Any, target: Any, *, margin: float = 1.0) -> Any:
    """Mean hinge loss, without unit, 0 or more; targets are 0 and 1.

    >>> import torch
    >>> hinge()(logits=torch.tensor([0.5, -2.0]), target=torch.tensor([1, 1])).item()
    1.75
    """
    return _short(logits, target, margin)


@per_sample(
    range=(0, None), tags=("convex", "differentiable"), target="binary", limits={"margin": ABOVE_0},
    formula="max(0, margin - s z)^2, s = 2 y - 1", gradient="-2 s max(0, margin - s z)",
    cite="Lee and Mangasarian, SSVM: A Smooth Support Vector Machine for Classification, 2001",
    reference="the square of sklearn.metrics.hinge_loss of each sample",
)  # fmt: skip
def squared_hinge(logits: Any, target: Any, *, margin: float = 1.0) -> Any:
    """Mean squared hinge loss, without unit, 0 or more; targets are 0 and 1.

    >>> import torch
    >>> squared_hinge()(logits=torch.tensor([0.5, -2.0]), target=torch.tensor([1, 1])).item()
    4.625
    """
    return _short(logits, target, margin) ** 2


Costs = tuple[tuple[float, ...], ...]


def _margins(margin: float, cost: Costs, logits: Any, target: Any) -> Any:
    """Return the margin to each class, (batch, classes), where mistakes differ in cost; otherwise the one margin."""
    import torch

    if not cost:
        return margin
    classes = logits.shape[1]
    if any(len(row) != classes for row in (cost, *cost)):
        raise eh.DataError(
            f"loss 'crammer_singer': 'cost' must have {classes} rows of {classes} numbers, one a class of 'logits'"
        )
    return margin * torch.tensor(cost, dtype=logits.dtype, device=logits.device)[target]


def _excess(logits: Any, target: Any, margin: Any) -> Any:
    """Return margin + z_j - z_y of each class, 0 for the sample's own, (batch, classes)."""
    own = target[:, None]
    return (margin + logits - logits.gather(1, own)).scatter(1, own, 0.0)


@per_sample(
    range=(0, None), tags=_HINGE, target="class", limits={"margin": ABOVE_0, "cost": AT_LEAST_0},
    formula="max(0, max over j != y of margin cost_yj + z_j - z_y), cost 1 where none is given",
    gradient="1 at the best other class and -1 at y where above 0",
    cite="Crammer and Singer, On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines, JMLR 2, 2001; with"
    " costs: Tsochantaridis et al., Large Margin Methods for Structured and Interdependent Output Variables, JMLR 6, 2005",
    reference="sklearn.metrics.hinge_loss; closed form with costs",
)  # fmt: skip
def crammer_singer(logits: Any, target: Any, *, margin: float = 1.0, cost: Costs = ()) -> Any:
    """Mean multi-class hinge loss of Crammer and Singer, without unit, 0 or more: against the best wrong class.

    `cost` makes it cost-sensitive: row y holds by how many margins y must lead each other class, 0 or more; its own place
    is not read.

    >>> import torch
    >>> crammer_singer()(logits=torch.tensor([[0.0, 0.5, 0.25]]), target=torch.tensor([0])).item()
    1.5
    """
    return _excess(logits, target, _margins(margin, cost, logits, target)).clamp_min(0).amax(1)


@per_sample(
    range=(0, None), tags=_HINGE, target="class", limits={"margin": ABOVE_0},
    formula="sum over j != y of max(0, margin + z_j - z_y); divided by the number of classes with over: mean",
    gradient="1 at each class within the margin, and minus their number at y",
    cite="Weston and Watkins, Support Vector Machines for Multi-Class Pattern Recognition, ESANN 1999",
    reference="torch.nn.functional.multi_margin_loss, which divides by the number of classes",
)  # fmt: skip
def weston_watkins(logits: Any, target: Any, *, margin: float = 1.0, over: Literal["sum", "mean"] = "sum") -> Any:
    """Mean multi-class hinge loss of Weston and Watkins, without unit, 0 or more: against every wrong class.

    `over`: whether a sample's terms are added up or, as torch does, divided by the number of classes.

    >>> import torch
    >>> weston_watkins()(logits=torch.tensor([[0.0, 0.5, 0.25]]), target=torch.tensor([0])).item()
    2.75
    """
    total = _excess(logits, target, margin).clamp_min(0).sum(1)
    return total / logits.shape[1] if over == "mean" else total


LOSSES: tuple[type[eh.Loss], ...] = (hinge, squared_hinge, crammer_singer, weston_watkins)
