"""The loss contract: the same two functions as a metric, over tensors; nothing here imports torch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from evalharness.contract.metrics import Metric, plugin_from_function
from evalharness.contract.spec import Plugin

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Loss(Metric):
    """A training loss: `measure(**tensors)` gives statistics with a leading sample axis, `score(**sums)` a scalar.

    The default `score` serves token-level losses, which return `loss` and `weight`: the weighted mean. `pool = "batch"`
    is for losses coupled across the batch, which define `loss(**tensors)` instead. `tags` (convex, differentiable,
    robust, bounded gradient) are checked by the conformance kit. Tensor names are listed in `evalharness.contract`.

    Calling a loss computes the scalar of one batch, for a training loop:

    >>> class Square(Loss):
    ...     "Mean squared error, 0 or more."
    ...     name = "square"
    ...     def measure(self, prediction, target):
    ...         return {"loss": (prediction - target) ** 2, "weight": prediction * 0 + 1}
    >>> import numpy
    >>> float(Square()(prediction=numpy.array([1.0, 2.0]), target=numpy.array([0.0, 0.0])))
    2.5
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"
    tags: ClassVar[tuple[str, ...]] = ()

    def score(self, *_: Any, **sums: Any) -> Any:
        """Return the weighted mean, `loss / weight`."""
        return sums["loss"] / sums["weight"]

    def loss(self, **tensors: Any) -> Any:
        """Return the scalar of one batch, for losses with `pool = "batch"`."""
        raise NotImplementedError(f"{type(self).__name__} does not define loss")

    def __call__(self, **tensors: Any) -> Any:
        """Return the loss of one batch of named tensors; names that the loss does not read are ignored."""
        if self.pool == "batch":
            return self.loss(**self._chosen(self.loss, tensors))
        rows = self.measure(**self._chosen(self.measure, tensors))
        statistics = rows if isinstance(rows, Mapping) else rows.statistics
        return self.score(**{key: value.sum(0) for key, value in statistics.items()})

    def _chosen(self, function: Callable[..., Any], tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tensors that a function takes: its named parameters, or those that `reads` names."""
        named = [item for item in inspect.signature(function).parameters.values() if item.kind in _NAMED]
        required = [item.name for item in named if item.default is inspect.Parameter.empty] if named else self.reads
        missing = [name for name in required if name not in tensors]
        if missing:
            given = ", ".join(tensors) or "none"
            raise TypeError(f"loss '{self.name}' needs the tensor '{missing[0]}'; it was given: {given}")
        return {name: tensors[name] for name in (*required, *(item.name for item in named)) if name in tensors}


class TrainingRule(Plugin):
    """What changes training but is no scalar: a router bias update, gradient surgery, embedding noise."""

    def before_step(self, model: Any) -> None:
        """Called before each optimiser step's forward passes."""

    def after_backward(self, parts: Mapping[str, Any], model: Any) -> None:
        """Called after the gradients of all parts are known and before the optimiser steps."""


def loss(*, unit: str = "", tags: tuple[str, ...] = (), cite: str = "") -> Callable[[Callable[..., Any]], type[Loss]]:
    """Turn a function over tensors that returns `(loss, weight)` per sample into a loss.

    >>> @loss(unit="nats/token")
    ... def token_nll(logprobs, token_weight):
    ...     "Negative log-likelihood of the target tokens, 0 or more."
    ...     return -(logprobs * token_weight).sum(-1), token_weight.sum(-1)
    >>> token_nll.reads
    ('logprobs', 'token_weight')
    """

    def wrap(function: Callable[..., Any]) -> type[Loss]:
        parameters = inspect.signature(function).parameters.values()
        reads = tuple(item.name for item in parameters if item.kind is not inspect.Parameter.KEYWORD_ONLY)
        options = {item.name: item.default for item in parameters if item.kind is inspect.Parameter.KEYWORD_ONLY}

        def measure(self: Loss, **tensors: Any) -> dict[str, Any]:
            total, weight = function(**{name: tensors[name] for name in reads}, **self.options())
            return {"loss": total, "weight": weight}

        body = {"unit": unit, "tags": tags, "cite": cite, "range": None, "measure": measure, "reads": reads, **options}
        return plugin_from_function(function, Loss, body)

    return wrap
