"""Attempts to refute what a loss claims of itself by its tags, in the output of the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evalharness.testing.loss_subject import LossSubject, norm, only_tagged
from evalharness.testing.outcomes import Broken, NotApplicable
from evalharness.testing.tensors import SHARED, in_precision, moved

_SEGMENTS, _DIRECTIONS = 40, 5
_FAR, _FARTHER = 1e3, 1e6
_ALMOST = 1.01  # what is linear in the end may still bend where it is looked at


def is_convex(subject: LossSubject) -> None:
    """Half-way between two outputs the loss is at most half-way between their losses."""
    only_tagged(subject, "convex")
    import torch

    chance = torch.Generator().manual_seed(0)
    for size in (0.3, 3.0):
        for _ in range(_SEGMENTS):
            one, other = (moved(subject.tensors, size, chance) for _ in range(2))
            half = {name: _middle(one[name], other[name]) if name in subject.differentiated else one[name] for name in one}
            at, ends = float(subject.scalar(half)), (float(subject.scalar(one)) + float(subject.scalar(other))) / 2
            if at > ends + 1e-9 * max(1.0, abs(ends)):
                seen = f"{at} between two outputs whose losses have the mean {ends}"
                raise Broken("a convex loss lies nowhere above its chords", seen, "leave out the tag 'convex'")


def grows_at_most_linearly(subject: LossSubject) -> None:
    only_tagged(subject, "robust")
    for direction in _directions(subject):
        near, far, farther = (float(subject.scalar(_at(subject, direction, _FAR * times))) for times in (1, 2, 4))
        if farther - far > 2 * max(far - near, 0.0) * _ALMOST + 1e-2 * max(1.0, abs(far)):
            seen = f"{near}, {far}, {farther} at 1, 2 and 4 times {_FAR:g}"
            raise Broken("a robust loss grows at most linearly", seen, "leave out the tag 'robust'")


def has_a_bounded_gradient(subject: LossSubject) -> None:
    only_tagged(subject, "bounded gradient")
    for direction in _directions(subject):
        far, farther = (_slope(subject, _at(subject, direction, size)) for size in (_FAR, _FARTHER))
        if not farther <= 2 * far + 1e-3:
            seen = f"{far} at {_FAR:g} and {farther} at {_FARTHER:g}"
            raise Broken("a bounded gradient does not grow far out", seen, "leave out the tag 'bounded gradient'")


def stays_finite_far_out(subject: LossSubject) -> None:
    """In float32, where exp overflows at 89; only losses with a bounded gradient promise it."""
    only_tagged(subject, "bounded gradient")
    import torch

    floats = [name for name, value in subject.tensors.items() if isinstance(value, tuple) or value.is_floating_point()]
    floats = [name for name in floats if name != "router_indices"]
    for direction in _directions(subject):
        far = in_precision(_at(subject, direction, 1e4), torch.float32, floats)
        value, gradients = float(subject.scalar(far)), subject.gradients(subject.scalar, far)
        if not (torch.isfinite(torch.tensor(value)) and all(bool(torch.isfinite(each).all()) for each in gradients.values())):
            mend = "use logsumexp, log_softmax and softplus, or leave out the tag 'bounded gradient'"
            raise Broken("a finite value and gradient in float32 at outputs of 10,000", f"value {value}", mend)


def _slope(subject: LossSubject, tensors: dict[str, Any]) -> float:
    """Return the length of the gradient by the outputs of the model."""
    gradients = subject.gradients(subject.scalar, tensors)
    return norm({name: slope for name, slope in gradients.items() if name not in {*SHARED, *subject.loss.learned()}})


def _directions(subject: LossSubject) -> Iterator[dict[str, Any]]:
    """Yield random directions of everything that a model would have computed."""
    import torch

    if "probabilities" in subject.differentiated:
        raise NotApplicable("probabilities cannot go far out")
    chance = torch.Generator().manual_seed(0)
    for _ in range(_DIRECTIONS):
        yield moved(subject.tensors, 1.0, chance)


def _at(subject: LossSubject, direction: dict[str, Any], size: float) -> dict[str, Any]:
    """Return the tensors moved so far along a direction."""
    return {name: _along(value, direction[name], size) for name, value in subject.tensors.items()}


def _along(start: Any, end: Any, size: float) -> Any:
    if isinstance(start, tuple):
        return tuple(_along(one, other, size) for one, other in zip(start, end, strict=True))
    return start + size * (end - start) if start.is_floating_point() else start


def _middle(one: Any, other: Any) -> Any:
    return tuple(map(_middle, one, other)) if isinstance(one, tuple) else (one + other) / 2


TAG_CHECKS = (is_convex, grows_at_most_linearly, has_a_bounded_gradient, stays_finite_far_out)
