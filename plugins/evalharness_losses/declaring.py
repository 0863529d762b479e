"""How a loss of one value a sample is declared: a decorated function with its formula, gradient and oracle.

    @per_sample(
        unit="squared target units", range=(0, None), tags=("convex", "differentiable", "robust", "bounded gradient"),
        formula="0.5 e^2 where |e| <= delta, else delta (|e| - delta / 2); e = prediction - target",
        gradient="clip(e, -delta, delta)", reference="torch.nn.functional.huber_loss",
    )
    def huber(prediction, target, *, delta: float = 1.0):
        "Mean Huber loss ..."
        from torch.nn import functional
        return functional.huber_loss(prediction, target, reduction="none", delta=delta)

The positional parameters are the tensors, float32 or better when they arrive, optional ones (`= None`) last; keyword-only
ones are the options, and those named in `above_zero=("delta",)` are refused unless above 0.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar

import evalharness as eh
from evalharness_losses.tensors import check, in_full


class PerSample(eh.Loss):
    """A loss with one value for each sample, weighted by `sample_weight`: the weighted mean."""

    value: ClassVar[Callable[..., Any]]
    may_miss: ClassVar[tuple[str, ...]] = ()  # the tensors that it can do without
    above_zero: ClassVar[tuple[str, ...]] = ()  # the options that must be above 0

    def __post_init__(self) -> None:
        for name in self.above_zero:
            if not getattr(self, name) > 0:
                raise ValueError(f"loss '{self.name}': {name} is {getattr(self, name)}, but must be above 0")

    @cached_property
    def accepts(self) -> Mapping[str, bool]:
        return {**{name: name not in self.may_miss for name in self.reads}, "sample_weight": False}

    def measure(self, sample_weight: Any = None, **tensors: Any) -> dict[str, Any]:
        check(self.name, tensors)
        values = type(self).value(**{name: in_full(tensors[name]) for name in self.reads if name in tensors}, **self.options())
        values = values.flatten(1).mean(1) if values.ndim > 1 else values
        weight = self.count(sample_weight=sample_weight, **tensors)["weight"].to(values.dtype)
        return {"loss": values * weight, "weight": weight}

    def count(self, sample_weight: Any = None, **tensors: Any) -> dict[str, Any]:
        import torch

        first = next(iter(tensors.values()))
        return {"weight": torch.ones(len(first), device=first.device) if sample_weight is None else in_full(sample_weight)}


def per_sample(**stated: Any) -> Callable[[Callable[..., Any]], type[PerSample]]:
    """Turn a function from tensors to one value a sample, (batch,) or (batch, ...), into a loss; see the module."""

    def wrap(function: Callable[..., Any]) -> type[PerSample]:
        parameters = inspect.signature(function).parameters.values()
        tensors = [item for item in parameters if item.kind is not inspect.Parameter.KEYWORD_ONLY]
        reads = tuple(item.name for item in tensors)
        optional = tuple(item.name for item in tensors if item.default is not inspect.Parameter.empty)
        options = {item.name: item.default for item in parameters if item.kind is inspect.Parameter.KEYWORD_ONLY}
        types = {name: function.__annotations__[name] for name in options}
        origin = {"__module__": function.__module__, "__qualname__": function.__qualname__, "__doc__": function.__doc__}
        body = {**stated, "value": staticmethod(function), "reads": reads, "may_miss": optional, **options}
        body |= {"__annotations__": types, **origin}
        return type(function.__name__, (PerSample,), {"name": function.__name__, **body})

    return wrap
