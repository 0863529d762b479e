"""Gradient surgery: rules that make one step out of the gradients of a loss's components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import evalharness as eh


class PCGrad(eh.TrainingRule):
    """Projects conflicting gradients: where two components disagree, each loses the part that works against the other.

    The step is the sum of g_i - (g_i . g_j) / |g_j|^2 g_j over the components, where g_i . g_j < 0, and of g_i where not;
    with more than two, each is projected on the others in their order in the loss (the paper draws it). Gradients are
    those over all trained parameters, already weighted.

    >>> import torch
    >>> [part.tolist() for part in _projected([torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0])])]
    [[0.5, 0.5], [0.0, 1.0]]
    """

    name = "pcgrad"
    splits = True

    def after_backward(self, parts: Mapping[str, Any], model: Any) -> None:
        """Write the sum of the projected gradients into the parameters."""
        _write(sum(_projected(_flat(parts, model))), model)


class MGDA(eh.TrainingRule):
    """Takes the shortest convex combination of the gradients of two components, a direction that worsens neither.

    The step is a g_1 + (1 - a) g_2 with a = clip((g_2 - g_1) . g_2 / |g_1 - g_2|^2, 0, 1); it is 0 where no step helps
    both. With `normalise: norm` a is found for gradients of length 1. Raises UsageError for another number of components.

    >>> import torch
    >>> round(_share(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 1.0])).item(), 3)
    0.2
    """

    name = "mgda"
    splits = True

    normalise: Literal["none", "norm"] = "none"

    def after_backward(self, parts: Mapping[str, Any], model: Any) -> None:
        """Write the combined gradient into the parameters."""
        if len(parts) != 2:
            raise eh.UsageError(f"rule 'mgda' is for a loss of two parts, not of {len(parts)}: {', '.join(parts)}")
        one, other = _flat(parts, model)
        unit = self.normalise == "norm"
        share = _share(one / _square(one).sqrt(), other / _square(other).sqrt()) if unit else _share(one, other)
        _write(share * one + (1 - share) * other, model)


def _projected(gradients: list[Any]) -> list[Any]:
    """Return each gradient without its parts against the others."""
    found = []
    for index, own in enumerate(gradients):
        kept = own
        for other in (*gradients[:index], *gradients[index + 1 :]):
            against = (kept @ other).clamp_max(0)
            kept = kept - against / _square(other) * other
        found.append(kept)
    return found


def _share(one: Any, other: Any) -> Any:
    """Return the share of the first gradient in the shortest convex combination of the two."""
    difference = one - other
    return (-difference @ other / _square(difference)).clamp(0, 1)


def _square(gradient: Any) -> Any:
    """Return the squared length of a gradient, of one that is 0 the smallest number, so that nothing is divided by 0."""
    import torch

    return (gradient @ gradient).clamp_min(torch.finfo(gradient.dtype).tiny)


def _trained(model: Any) -> list[tuple[str, Any]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def _flat(parts: Mapping[str, Any], model: Any) -> list[Any]:
    """Return the gradient of each component over all trained parameters as one vector in float32 or better."""
    import torch

    def vector(part: Mapping[str, Any]) -> Any:
        pieces = [part[name] if part.get(name) is not None else torch.zeros_like(own) for name, own in _trained(model)]
        return torch.cat([piece.flatten().to(torch.promote_types(piece.dtype, torch.float32)) for piece in pieces])

    return [vector(part) for part in parts.values()]


def _write(gradient: Any, model: Any) -> None:
    place = 0
    for _, parameter in _trained(model):
        parameter.grad = gradient[place : place + parameter.numel()].view_as(parameter).to(parameter.dtype)
        place += parameter.numel()
