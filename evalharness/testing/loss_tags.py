"""Attempts to refute what a loss claims of itself by its tags, in the output of the model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from evalharness.testing.loss_subject import LossSubject, along, norm, only_tagged
from evalharness.testing.outcomes import Broken, NotApplicable
from evalharness.testing.tensors import in_precision, moved

_SEGMENTS, _DIRECTIONS = 40, 5
_FAR, _FARTHER = 1e6, 1e9
_MORE = 1.2  # times a gradient that grows as a logarithm does has grown 1.5 times between these two, a constant one not at all
# Along a thousandth of a line the gradient changes by about a thousandth, at a kink by as much, where it is infinite by more.
_SHRUNK, _STEEPER = 1 / 16, 1.5
_ROUNDING = 1e-9


def is_convex(subject: LossSubject) -> None:
    """Half-way between two outputs the loss is at most half-way between their losses."""
    only_tagged(subject, "convex")
    import torch

    chance = torch.Generator().manual_seed(0)
    for size in (0.3, 3.0):
        for _ in range(_SEGMENTS):
            one, other = (moved(subject.tensors, size, chance) for _ in range(2))
            half = along(one, other, 0.5)
            at, ends = float(subject.scalar(half)), (float(subject.scalar(one)) + float(subject.scalar(other))) / 2
            if not at <= ends + _ROUNDING * max(1.0, abs(ends)):
                seen = f"{at} between two outputs whose losses have the mean {ends}"
                raise Broken("a convex loss lies nowhere above its chords", seen, "leave out the tag 'convex'")


def has_no_kinks(subject: LossSubject) -> None:
    """Between two outputs the gradient changes the less, the nearer they are; what remains of a change is a jump."""
    only_tagged(subject, "differentiable")
    for wide, narrow in subject.jumps:
        if not narrow <= _SHRUNK * wide + _ROUNDING:
            seen = f"it changes by {wide:g} along a short line and by {narrow:g} along a thousandth of it"
            mend = "smooth the kink, which clamp, abs, max and where make, or leave out the tag 'differentiable'"
            raise Broken("the gradient of a differentiable loss does not jump", seen, mend)


def has_a_bounded_influence(subject: LossSubject) -> None:
    """The pull of an output, the gradient by it, does not grow with how far out it lies."""
    only_tagged(subject, "robust")
    _pulls_no_more_far_out(subject, "robust")


def has_a_bounded_gradient(subject: LossSubject) -> None:
    """Far out, and near to where it is steepest."""
    only_tagged(subject, "bounded gradient")
    _pulls_no_more_far_out(subject, "bounded gradient")
    for wide, narrow in subject.jumps:
        if not narrow <= _STEEPER * wide + _ROUNDING:
            seen = f"it changes by {wide:g} along a short line and by {narrow:g} along a thousandth of it"
            raise Broken("a bounded gradient is bounded everywhere", seen, "leave out the tag 'bounded gradient'")
    if "robust" not in subject.loss.tags:
        raise Broken("a loss with a bounded gradient is robust", ", ".join(subject.loss.tags), "add the tag 'robust'")


def _pulls_no_more_far_out(subject: LossSubject, tag: str) -> None:
    for direction in _directions(subject):
        far, farther = (_pull(subject, direction, size) for size in (_FAR, _FARTHER))
        if not farther <= _MORE * far + _ROUNDING < math.inf:
            seen = f"a gradient of {far:g} at outputs of {_FAR:g}, and of {farther:g} at {_FARTHER:g}"
            raise Broken("the gradient by the output does not grow far out", seen, f"leave out the tag '{tag}'")


def _pull(subject: LossSubject, direction: dict[str, Any], size: float) -> float:
    """Return the length of the gradient by the output, so far out; NaN where the loss has no finite value there."""
    there = along(subject.tensors, direction, size)
    return norm(subject.pull(there)) if math.isfinite(float(subject.scalar(there))) else math.nan


def stays_finite_far_out(subject: LossSubject) -> None:
    """In float32, where exp overflows at 89; only losses with a bounded gradient promise it."""
    only_tagged(subject, "bounded gradient")
    import torch

    floats = [name for name, value in subject.tensors.items() if isinstance(value, tuple) or value.is_floating_point()]
    floats = [name for name in floats if name != "router_indices"]
    for direction in _directions(subject):
        far = in_precision(along(subject.tensors, direction, 1e4), torch.float32, floats)
        value, gradients = float(subject.scalar(far)), subject.gradients(subject.scalar, far)
        if not (torch.isfinite(torch.tensor(value)) and all(bool(torch.isfinite(each).all()) for each in gradients.values())):
            mend = "use logsumexp, log_softmax and softplus, or leave out the tag 'bounded gradient'"
            raise Broken("a finite value and gradient in float32 at outputs of 10,000", f"value {value}", mend)


def _directions(subject: LossSubject) -> Iterator[dict[str, Any]]:
    """Yield random directions of everything that a model would have computed."""
    import torch

    if "probabilities" in subject.differentiated:
        raise NotApplicable("probabilities cannot go far out")
    chance = torch.Generator().manual_seed(0)
    for _ in range(_DIRECTIONS):
        yield moved(subject.tensors, 1.0, chance)


TAG_CHECKS = (is_convex, has_no_kinks, has_a_bounded_influence, has_a_bounded_gradient, stays_finite_far_out)
