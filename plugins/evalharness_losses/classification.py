"""Classification losses over `logits` and `target`: (batch,) each where the target is 0 or 1, else (batch, classes) and (batch,).

Most take `probabilities` in place of `logits`; a probability of 0 counts as the smallest number of its precision (1e-38
in float32, a loss of 87 nats). Logits of any finite size give finite values; a class that is masked by a logit of -inf is
taken where the loss is finite with it: not where it is the sample's own in a logarithm, or the target has shares. Each is
the mean over samples weighted by `sample_weight`, computed in float32 or better; `normaliser` says what a mean with class
weights divides by.
"""

from __future__ import annotations

from typing import Any, Literal

import evalharness as eh
from evalharness_losses.declaring import (
    ABOVE_0,
    AT_LEAST_0,
    AT_LEAST_1,
    AT_LEAST_MINUS_1,
    BELOW_0,
    INSIDE,
    SHARE,
    SHARES,
    UP_TO_1,
    per_sample,
)  # fmt: skip
from evalharness_losses.tensors import refuse_shape

Normaliser = Literal["samples", "weights"]
_SMOOTH = ("differentiable", "robust", "bounded gradient")
_CONVEX = ("convex", *_SMOOTH)


def _table(loss: str, option: str, values: tuple[float, ...], logits: Any) -> Any:
    """Return an option with one number a class as a tensor beside the logits; raises DataError where the counts differ."""
    import torch

    if len(values) != logits.shape[-1]:
        refuse_shape(loss, {"logits": logits}, "logits", f"of {len(values)} classes, as many as '{option}' has numbers")
    return torch.tensor(values, dtype=logits.dtype, device=logits.device)


def _of_target(values: tuple[float, ...], target: Any) -> Any:
    """Return the number of each sample's class; of shares, the mean over classes. What is no class is refused elsewhere."""
    import torch

    table = torch.tensor(values, device=target.device, dtype=torch.float64)
    return target.double() @ table if target.is_floating_point() else table[target.clamp(0, len(values) - 1)]


def _held(share: Any) -> Any:
    """Return a share held above 0, where a power below 1 has no slope."""
    import torch

    return share.clamp_min(torch.finfo(share.dtype).tiny)


def _true(scores: Any, target: Any) -> Any:
    """Return the score of each sample's class, (batch,)."""
    return scores.gather(1, target[:, None]).squeeze(1)


def _binary_weight(target: Any, *, neg_weight: float, pos_weight: float, normaliser: Normaliser, **_: Any) -> Any:
    return neg_weight + (pos_weight - neg_weight) * target if normaliser == "weights" else 1.0


@per_sample(
    unit="nats", range=(0, None), tags=_CONVEX, target="share", from_probabilities=True, weigh=_binary_weight,
    limits={"label_smoothing": SHARE, "prior": INSIDE, "neg_weight": AT_LEAST_0, "pos_weight": AT_LEAST_0},
    formula="-(w1 y log p + w0 (1 - y) log(1 - p)), p = sigmoid(z); y smoothed to (1 - s) y + s prior",
    gradient="p - y by z, without weights", cite="Cox, The Regression Analysis of Binary Sequences, JRSS B 20, 1958",
    reference="torch.nn.functional.binary_cross_entropy_with_logits, sklearn.metrics.log_loss",
)  # fmt: skip
def binary_cross_entropy(
    logits: Any,
    target: Any,
    *,
    pos_weight: float = 1.0,
    neg_weight: float = 1.0,
    normaliser: Normaliser = "samples",
    label_smoothing: float = 0.0,
    prior: float = 0.5,
) -> Any:
    """Mean binary cross-entropy in nats, 0 or more, for targets between 0 and 1.

    `pos_weight` (w1) and `neg_weight` (w0) weigh the terms of y = 1 and y = 0; the mean divides by the number of samples
    or, with `normaliser: weights`, by the sum of the weights of their classes. `label_smoothing` moves a target towards
    `prior`, inside 0 and 1: 1/2 is uniform smoothing, the share of y = 1 in the data smooths towards what is known before.

    >>> import torch
    >>> round(binary_cross_entropy()(logits=torch.tensor([0.0, 2.0]), target=torch.tensor([0.0, 1.0])).item(), 4)
    0.41
    """
    from torch.nn import functional

    share = (1 - label_smoothing) * target + label_smoothing * prior
    return pos_weight * share * functional.softplus(-logits) + neg_weight * (1 - share) * functional.softplus(logits)


@per_sample(
    unit="nats", range=(0, None), tags=_CONVEX, target="share", tabular=True, from_probabilities=True,
    limits={"pos_weight": AT_LEAST_0},
    formula="-sum over labels of (pos_weight y log p + (1 - y) log(1 - p)), p = sigmoid(z)",
    gradient="p - y by z, without weights",
    cite="Nam et al., Large-scale Multi-label Text Classification, ECML PKDD 2014",
    reference="torch.nn.functional.binary_cross_entropy_with_logits",
)  # fmt: skip
def multilabel_cross_entropy(logits: Any, target: Any, *, pos_weight: tuple[float, ...] = ()) -> Any:
    """Mean over samples of the sum over labels of the binary cross-entropy in nats, 0 or more.

    `logits` and `target` are (batch, labels), targets between 0 and 1; `pos_weight` holds the weight of y = 1 of each label.

    >>> import torch
    >>> round(multilabel_cross_entropy()(logits=torch.zeros(1, 3), target=torch.tensor([[0.0, 1.0, 1.0]])).item(), 4)
    2.0794
    """
    from torch.nn import functional

    if logits.ndim != 2:
        refuse_shape("multilabel_cross_entropy", {"logits": logits, "target": target}, "logits", "(batch, labels)")
    positive = _table("multilabel_cross_entropy", "pos_weight", pos_weight, logits) if pos_weight else 1.0
    return (positive * target * functional.softplus(-logits) + (1 - target) * functional.softplus(logits)).sum(1)


def _class_weight(target: Any, *, class_weights: tuple[float, ...], normaliser: Normaliser, **_: Any) -> Any:
    return _of_target(class_weights, target) if class_weights and normaliser == "weights" else 1.0


@per_sample(
    unit="nats", range=(0, None), tags=_CONVEX, target="soft class", from_probabilities=True, weigh=_class_weight,
    limits={"temperature": ABOVE_0, "label_smoothing": SHARE, "prior": SHARES, "class_weights": AT_LEAST_0},
    formula="-sum over classes of w_j y_j log p_j, p = softmax(z / temperature); y smoothed to (1 - s) y + s prior",
    gradient="(p - y) / temperature by z, without weights",
    cite="Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs, 1990",
    reference="torch.nn.functional.cross_entropy",
)  # fmt: skip
def cross_entropy(
    logits: Any,
    target: Any,
    *,
    class_weights: tuple[float, ...] = (),
    normaliser: Normaliser = "samples",
    label_smoothing: float = 0.0,
    prior: tuple[float, ...] = (),
    temperature: float = 1.0,
) -> Any:
    """Mean cross-entropy in nats, 0 or more; targets are class numbers, or the share of each class.

    `class_weights` weigh the terms of the classes; the mean divides by the number of samples or, with `normaliser:
    weights` (what torch does for class numbers), by the sum of the weights of the samples' classes. `label_smoothing`
    moves a target towards `prior`, one number a class, above 0, that add up to 1, or towards equal shares without one.

    >>> import torch
    >>> round(cross_entropy()(logits=torch.tensor([[0.0, 0.0], [2.0, 0.0]]), target=torch.tensor([0, 0])).item(), 4)
    0.41
    """
    logs = (logits / temperature).log_softmax(1)
    weighted = logs * _table("cross_entropy", "class_weights", class_weights, logits) if class_weights else logs
    own = -(weighted * target).sum(1) if target.is_floating_point() else -_true(weighted, target)
    if label_smoothing == 0:
        return own
    others = -(weighted * _table("cross_entropy", "prior", prior, logits)).sum(1) if prior else -weighted.mean(1)
    return (1 - label_smoothing) * own + label_smoothing * others


@per_sample(
    unit="nats", range=(0, None), target="class", tags=("convex", "differentiable"), formula="-log p_y",
    gradient="-1 / p_y by p_y",
    cite="Fisher, On the Mathematical Foundations of Theoretical Statistics, 1922", reference="torch.nn.functional.nll_loss",
)  # fmt: skip
def negative_log_likelihood(probabilities: Any, target: Any) -> Any:
    """Mean negative log-likelihood of the samples' classes in nats, 0 or more, from `probabilities` (batch, classes) alone.

    >>> import torch
    >>> round(negative_log_likelihood()(probabilities=torch.tensor([[0.5, 0.5]]), target=torch.tensor([1])).item(), 4)
    0.6931
    """
    import torch

    return -_true(probabilities, target).clamp_min(torch.finfo(probabilities.dtype).tiny).log()


@per_sample(
    unit="nats", range=(0, None), tags=_SMOOTH, target="share", from_probabilities=True,
    limits={"gamma": AT_LEAST_0, "alpha": SHARE},
    formula="alpha_t (1 - p_t)^gamma (-log p_t); p_t = p where y = 1, else 1 - p; alpha_t alike",
    gradient="alpha_t (1 - p_t)^gamma (gamma p_t log p_t + p_t - 1) by z, times -1 where y = 0",
    cite="Lin et al., Focal Loss for Dense Object Detection, ICCV 2017",
    reference="torchvision.ops.sigmoid_focal_loss, by its formula",
)  # fmt: skip
def focal(logits: Any, target: Any, *, gamma: float = 2.0, alpha: float | None = 0.25) -> Any:
    """Mean sigmoid focal loss in nats, 0 or more: cross-entropy that counts samples the less, the better they are known.

    `target` is between 0 and 1; `alpha` weighs y = 1 and 1 - alpha y = 0, null weighs neither.

    >>> import torch
    >>> round(focal()(logits=torch.tensor([0.0]), target=torch.tensor([1.0])).item(), 4)
    0.0433
    """
    from torch.nn import functional

    entropy = functional.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")
    share = logits.sigmoid()
    missed = share * (1 - target) + (1 - share) * target
    weight = 1.0 if alpha is None else alpha * target + (1 - alpha) * (1 - target)
    return weight * _held(missed) ** gamma * entropy


@per_sample(
    unit="nats", range=(0, None), tags=_SMOOTH, target="class", from_probabilities=True, weigh=_class_weight,
    limits={"gamma": AT_LEAST_0, "class_weights": AT_LEAST_0}, formula="w_y (1 - p_y)^gamma (-log p_y), p = softmax(z)",
    gradient="(1 - p_y)^gamma (1 - gamma p_y log p_y / (1 - p_y)) (p - y) by z, without weights",
    cite="Lin et al., Focal Loss for Dense Object Detection, ICCV 2017", reference="closed form; gamma 0 is cross_entropy",
)  # fmt: skip
def focal_softmax(
    logits: Any, target: Any, *, gamma: float = 2.0, class_weights: tuple[float, ...] = (), normaliser: Normaliser = "samples"
) -> Any:
    """Mean focal loss of several classes in nats, 0 or more; `class_weights` and `normaliser` as in `cross_entropy`.

    >>> import torch
    >>> round(focal_softmax()(logits=torch.tensor([[0.0, 0.0]]), target=torch.tensor([1])).item(), 4)
    0.1733
    """
    import torch

    log = _true(logits.log_softmax(1), target)
    weight = _table("focal_softmax", "class_weights", class_weights, logits)[target] if class_weights else 1.0
    return weight * _held(-torch.expm1(log)) ** gamma * -log


@per_sample(
    unit="nats", range=(0, None), tags=_SMOOTH, target="class", from_probabilities=True, limits={"epsilon": AT_LEAST_MINUS_1},
    formula="-log p_y + epsilon (1 - p_y), p = softmax(z)", gradient="(1 + epsilon p_y) (p - y) by z",
    cite="Leng et al., PolyLoss, ICLR 2022", reference="closed form; epsilon 0 is cross_entropy",
)  # fmt: skip
def poly1(logits: Any, target: Any, *, epsilon: float = 1.0) -> Any:
    """Mean Poly-1 loss in nats, 0 or more: cross-entropy with another weight, 1 + `epsilon`, of its leading term.

    >>> import torch
    >>> round(poly1()(logits=torch.tensor([[0.0, 0.0]]), target=torch.tensor([1])).item(), 4)
    1.1931
    """
    log = _true(logits.log_softmax(1), target)
    return -log + epsilon * (1 - log.exp())


@per_sample(
    tags=_SMOOTH, target="class", from_probabilities=True, range=(0, None), limits={"coefficients": AT_LEAST_0},
    formula="sum over n from 1 of coefficients_n (1 - p_y)^n, p = softmax(z)",
    gradient="p_y sum of n coefficients_n (1 - p_y)^(n - 1) (p - y) by z", cite="Leng et al., PolyLoss, ICLR 2022",
    reference="closed form; coefficients 1/n converge to cross_entropy",
)  # fmt: skip
def polynomial(logits: Any, target: Any, *, coefficients: tuple[float, ...] = (1.0, 0.5)) -> Any:
    """Mean of the general PolyLoss, without unit, 0 or more: a polynomial in 1 - p of the class, without a constant.

    >>> import torch
    >>> round(polynomial()(logits=torch.tensor([[0.0, 0.0]]), target=torch.tensor([1])).item(), 4)
    0.625
    """
    import torch

    missed = -torch.expm1(_true(logits.log_softmax(1), target))
    return sum(factor * missed**power for power, factor in enumerate(coefficients, 1))


@per_sample(
    unit="nats", range=(0, None), tags=_CONVEX, target="class", from_probabilities=True,
    limits={"priors": ABOVE_0, "tau": ABOVE_0}, formula="cross-entropy of z + tau log priors",
    gradient="softmax(z + tau log priors) - y by z",
    cite="Menon et al., Long-tail learning via logit adjustment, ICLR 2021", reference="closed form; tau 0 is cross_entropy",
    example={"priors": [0.4, 0.3, 0.2, 0.1]},
)  # fmt: skip
def logit_adjustment(logits: Any, target: Any, *, priors: tuple[float, ...], tau: float = 1.0) -> Any:
    """Mean logit-adjusted cross-entropy in nats, 0 or more: trains the logits to rank rare classes as high as common ones.

    `priors` holds the share of each class in the training data. A model is used with its plain logits.

    >>> import torch
    >>> made = logit_adjustment(priors=(0.9, 0.1))
    >>> round(made(logits=torch.tensor([[0.0, 0.0]]), target=torch.tensor([1])).item(), 4)
    2.3026
    """
    adjusted = logits + tau * _table("logit_adjustment", "priors", priors, logits).log()
    return -_true(adjusted.log_softmax(1), target)


def _effective(counts: tuple[float, ...], beta: float) -> tuple[float, ...]:
    """Return weights by the inverse effective number of samples, 1 on average."""
    each = [(1 - beta) / (1 - beta**count) if beta < 1 else 1 / count for count in counts]
    return tuple(weight * len(counts) / sum(each) for weight in each)


def _effective_weight(target: Any, *, counts: tuple[float, ...], beta: float, normaliser: Normaliser, **_: Any) -> Any:
    return _of_target(_effective(counts, beta), target) if normaliser == "weights" else 1.0


@per_sample(
    unit="nats", range=(0, None), tags=_CONVEX, target="class", from_probabilities=True, weigh=_effective_weight,
    limits={"counts": AT_LEAST_1, "beta": SHARE}, example={"counts": [1000, 100, 50, 10]},
    formula="w_y (-log p_y), w_j = C (1 - beta) / (1 - beta^counts_j) / sum of these over classes", gradient="w_y (p - y) by z",
    cite="Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019",
    reference="torch.nn.functional.cross_entropy with these weights",
)  # fmt: skip
def class_balanced(
    logits: Any, target: Any, *, counts: tuple[float, ...], beta: float = 0.999, normaliser: Normaliser = "samples"
) -> Any:
    """Mean cross-entropy in nats, 0 or more, weighted by the inverse effective number of samples of the class.

    `counts` holds how many training samples each class has, 1 or more; `beta` 0 weighs all alike, 1 by the inverse count. The
    weights are 1 on average over classes; `normaliser` as in `cross_entropy`.

    >>> import torch
    >>> made = class_balanced(counts=(10.0, 10.0))
    >>> round(made(logits=torch.tensor([[0.0, 0.0]]), target=torch.tensor([1])).item(), 4)
    0.6931
    """
    weights = _table("class_balanced", "counts", _effective(counts, beta), logits)
    return -_true(logits.log_softmax(1) * weights, target)


@per_sample(
    range=property(lambda loss: (0, 1 / loss.q)), tags=_SMOOTH, target="class", from_probabilities=True, limits={"q": UP_TO_1},
    formula="(1 - p_y^q) / q, p = softmax(z)", gradient="p_y^q (p - y) by z",
    cite="Zhang and Sabuncu, Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels, NeurIPS 2018",
    reference="closed form; q to 0 is cross_entropy",
)  # fmt: skip
def generalised_cross_entropy(logits: Any, target: Any, *, q: float = 0.7) -> Any:
    """Mean generalised cross-entropy, without unit, 0 to 1 / q: between cross-entropy (q near 0) and the error 1 - p (q 1).

    A wrongly labelled sample costs at most 1 / `q`.

    >>> import torch
    >>> generalised_cross_entropy(q=1.0)(logits=torch.tensor([[0.0, 0.0]]), target=torch.tensor([1])).item()
    0.5
    """
    import torch

    return -torch.expm1(q * _true(logits.log_softmax(1), target)) / q


@per_sample(
    unit="nats", range=(0, None), tags=_SMOOTH, target="class", from_probabilities=True,
    limits={"alpha": AT_LEAST_0, "beta": AT_LEAST_0, "log_zero": BELOW_0},
    formula="alpha (-log p_y) + beta (-log_zero) (1 - p_y), p = softmax(z)", gradient="(alpha - beta log_zero p_y) (p - y) by z",
    cite="Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels, ICCV 2019", reference="closed form",
)  # fmt: skip
def symmetric_cross_entropy(logits: Any, target: Any, *, alpha: float = 0.1, beta: float = 1.0, log_zero: float = -4.0) -> Any:
    """Mean symmetric cross-entropy in nats, 0 or more: `alpha` times cross-entropy and `beta` times its reverse.

    The reverse takes the logarithm of the one-hot target, in which the log of 0 is `log_zero`.

    >>> import torch
    >>> round(symmetric_cross_entropy()(logits=torch.tensor([[0.0, 0.0]]), target=torch.tensor([1])).item(), 4)
    2.0693
    """
    log = _true(logits.log_softmax(1), target)
    return -alpha * log - beta * log_zero * (1 - log.exp())


LOSSES: tuple[type[eh.Loss], ...] = (
    binary_cross_entropy, multilabel_cross_entropy, cross_entropy, negative_log_likelihood, focal, focal_softmax, poly1,
    polynomial, logit_adjustment, class_balanced, generalised_cross_entropy, symmetric_cross_entropy,
)  # fmt: skip
