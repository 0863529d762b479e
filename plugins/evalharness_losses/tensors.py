"""What every loss does with its tensors: numbers in float32 or better, and clear errors for what cannot be computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import evalharness as eh

# Where classes are chosen from: one that is masked out has the logit -inf, which is a number like any other to a softmax.
_MAY_BE_MINUS_INFINITE = "logits"
_FOR_ONE_NUMBER = "one number a sample, of two classes, is for a loss such as binary_cross_entropy"
_SUM_TO_ONE = 1e-2  # probabilities may come in half precision
_BY_ENDING = {"logps": "log-probability", "tokens": "count"}  # what the numbers are of tensors whose names end so


def in_full(tensor: Any) -> Any:
    """Return a half-precision tensor in float32, any other as it is."""
    import torch

    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def is_bool(tensor: Any) -> bool:
    """Return whether a tensor holds true and false, which is no number to count or select by."""
    import torch

    return bool(tensor.dtype == torch.bool)


def check(loss: str, tensors: Mapping[str, Any], *, masks: bool = True) -> None:
    """Raise DataError that names the loss, the tensor, its shape and the sample where a number is NaN or infinite.

    With `masks` logits may be -inf; whether the loss is finite with them is for its own result to show. Nothing is checked
    while torch.compile traces, where a value cannot be looked at.
    """
    import torch

    if torch.compiler.is_compiling():
        return
    for name, tensor in tensors.items():
        if isinstance(tensor, tuple):
            check(loss, {f"{name}[{layer}]": values for layer, values in enumerate(tensor)}, masks=masks)
        elif tensor.is_floating_point() and not bool(torch.isfinite(tensor.detach().sum())):
            values = tensor.detach()
            refuse(loss, name, values, values.isnan(), "is NaN")
            infinite = values.isposinf() if masks and _MAY_BE_MINUS_INFINITE in name else values.isinf()
            refuse(loss, name, values, infinite, "is infinite")


def refuse(loss: str, name: str, tensor: Any, wrong: Any, words: str) -> None:
    """Raise DataError that says in `words` what is wrong with the first sample in which `wrong` holds anywhere.

    `wrong` is a bool tensor of the tensor's shape; `{value}` in the words is the number found there. Nothing is looked at
    while torch.compile traces.
    """
    import torch

    if torch.compiler.is_compiling() or not bool(wrong.any()):
        return
    place = tuple(wrong.nonzero()[0].tolist())
    told = words.format(value=f"{tensor[place].item():g}")
    where = f" in sample {place[0]} of the batch" if place else ""
    raise eh.DataError(f"loss '{loss}': '{name}' {tuple(tensor.shape)} {told}{where}")


def refuse_kind(loss: str, name: str, tensor: Any, expected: str) -> None:
    """Raise DataError that tells the type of the numbers of a tensor, and what was expected of them."""
    kind = str(tensor.dtype).removeprefix("torch.")
    raise eh.DataError(f"loss '{loss}': '{name}' {tuple(tensor.shape)} is {kind}, but must be {expected}")


def refuse_shape(loss: str, tensors: Mapping[str, Any], name: str, expected: str) -> None:
    """Raise DataError that tells the shape of one tensor, what was expected of it, and the shapes of all."""
    shapes = ", ".join(f"'{other}' {tuple(tensor.shape)}" for other, tensor in tensors.items())
    raise eh.DataError(f"loss '{loss}': '{name}' {tuple(tensors[name].shape)} must be {expected}; it was given: {shapes}")


def alike(loss: str, tensors: Mapping[str, Any]) -> None:
    """Raise DataError unless all tensors have the shape of the first."""
    first = next(iter(tensors))
    for name, tensor in tensors.items():
        if tensor.shape != tensors[first].shape:
            refuse_shape(loss, tensors, name, f"of the shape of '{first}'")


def filled(tensor: Any, live: Any, *, shares: bool = False, below_0: bool = False) -> Any:
    """Return a tensor whose rows of weight 0 hold a harmless number, so that not even their NaN has an influence.

    It is 1, or 0 of whole numbers; equal `shares` of tables that may have to add up to 1; -1 of what is `below_0`.
    Multiplying by 0 is not enough: 0 times an infinite slope is a NaN gradient.
    """
    import torch

    share = 1 / tensor.shape[1] if shares and tensor.ndim > 1 else -1 if below_0 else 1
    neutral = share if tensor.is_floating_point() else 0
    return torch.where(live.view(-1, *[1] * (tensor.ndim - 1)), tensor, torch.full((), neutral, dtype=tensor.dtype).to(tensor))


@dataclass(frozen=True)
class Domain:
    """What the numbers of a tensor may be: in words, as a test of the wrong ones, and how random ones are drawn."""

    words: str
    wrong: Callable[[Any], Any]
    draw: Callable[[Any], Any]


# By the word with which a loss declares its target; `draw` turns standard normal numbers into examples.
DOMAINS: dict[str, Domain] = {
    "number": Domain("a number", lambda values: values != values, lambda normal: normal),
    "binary": Domain("0 or 1", lambda values: (values != 0) & (values != 1), lambda normal: (normal > 0).to(normal)),
    "share": Domain("between 0 and 1", lambda values: ~((values >= 0) & (values <= 1)), lambda normal: normal.sigmoid()),
    "count": Domain("0 or more", lambda values: ~(values >= 0), lambda normal: (normal.abs() * 3).floor()),
    "positive": Domain("more than 0", lambda values: ~(values > 0), lambda normal: normal.exp()),
    "log-probability": Domain("0 or less", lambda values: ~(values <= 0), lambda normal: -normal.abs()),
}


def all_filled(tensors: Mapping[str, Any], live: Any, *, shares: bool = False) -> dict[str, Any]:
    """Return the tensors, each `filled` with a number that it may hold."""
    return {
        name: filled(tensor, live, shares=shares, below_0=_named(name) == "log-probability") for name, tensor in tensors.items()
    }


def check_named(loss: str, tensors: Mapping[str, Any]) -> None:
    """Raise DataError where a log-probability is above 0, or a number of tokens below it."""
    for name, tensor in tensors.items():
        if (domain := _named(name)) is not None:
            check_range(loss, name, tensor, domain)


def _named(name: str) -> str | None:
    return _BY_ENDING.get(name.rpartition("_")[2])


def check_range(loss: str, name: str, tensor: Any, domain: str) -> None:
    """Raise DataError where a number lies outside the domain."""
    refuse(loss, name, tensor, DOMAINS[domain].wrong(tensor), f"is {{value}}, which is not {DOMAINS[domain].words},")


def check_weight(loss: str, weight: Any, tensors: Mapping[str, Any]) -> None:
    """Raise DataError unless there is one number for each sample of the first tensor, 0 or more."""
    first = next(iter(tensors.values()))
    if weight.shape != first.shape[:1]:
        refuse_shape(loss, {**tensors, "sample_weight": weight}, "sample_weight", "(batch,), one number a sample")
    check(loss, {"sample_weight": weight})
    check_range(loss, "sample_weight", weight, "count")


def check_classes(loss: str, tensors: Mapping[str, Any], name: str, *, soft: bool) -> None:
    """Raise DataError unless `target` (batch,) holds class numbers for the columns of the output `name` (batch, classes).

    With `soft` it may also be (batch, classes), the share of each class.
    """
    output, target = tensors[name], tensors["target"]
    if is_bool(target):
        refuse_kind(loss, "target", target, "class numbers, int64; for a target of true or false take a binary loss")
    if output.ndim != 2:
        refuse_shape(loss, tensors, name, f"(batch, classes); {_FOR_ONE_NUMBER}")
    if output.shape[1] < 2:
        refuse_shape(loss, tensors, name, f"(batch, classes) of more than one class; {_FOR_ONE_NUMBER}")
    if target.is_floating_point():
        if not soft or target.shape != output.shape:
            soft_too = ", or shares (batch, classes)" if soft else ""
            refuse_shape(loss, tensors, "target", f"class numbers (batch,), int64{soft_too}")
        check_probabilities(loss, "target", target)
    elif target.shape != output.shape[:1]:
        refuse_shape(loss, tensors, "target", "(batch,), one class a sample")
    else:
        outside = (target < 0) | (target >= output.shape[1])
        refuse(loss, "target", target, outside, f"is {{value}}, which is no class from 0 to {output.shape[1] - 1},")


def check_probabilities(loss: str, name: str, tensor: Any) -> None:
    """Raise DataError where a number is no share, or a row of a table does not add up to 1."""
    check_range(loss, name, tensor, "share")
    if tensor.ndim > 1:
        total = tensor.detach().sum(1)
        refuse(loss, name, total, (total - 1).abs() > _SUM_TO_ONE, "adds up to {value}, not to 1,")
