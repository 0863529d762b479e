"""The loss contract: the same two functions as a metric, over tensors; torch is imported only where gradients are taken."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal

from evalharness.contract.metrics import Metric, plugin_from_function

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_IGNORED = -100
# Where a model of the transformers library keeps what losses call by these names.
_FROM_OUTPUTS = {"logits": "logits", "router_logits": "router_logits", "hidden": "hidden_states"}


class Loss(Metric):
    """A training loss: `measure(**tensors)` gives statistics with a leading sample axis, `score(**sums)` a scalar.

    The default `score` serves token-level losses, which return `loss` and `weight`: the weighted mean. `pool = "batch"`
    is for losses coupled across the batch, which define `loss(**tensors)` instead. Tensor names are listed in
    `evalharness.contract`.

    - `formula`, `gradient`: the loss and its gradient as plain text, which `evalharness describe` shows.
    - `tags`: convex, differentiable (no kinks), robust (the gradient by an output does not grow with how far out that lies),
      bounded gradient (robust, and nowhere infinite), all in the output of the model; the conformance kit checks each.

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
    formula: ClassVar[str] = ""
    gradient: ClassVar[str] = ""
    tags: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        _ = self.accepts  # known before torch.compile traces, which cannot look at signatures

    def score(self, *_: Any, **sums: Any) -> Any:
        """Return the weighted mean, `loss / weight`."""
        return sums["loss"] / sums["weight"]

    def loss(self, *_: Any, **tensors: Any) -> Any:
        """Return the scalar of one batch, for losses with `pool = "batch"`."""
        raise NotImplementedError(f"{type(self).__name__} does not define loss")

    def count(self, *_: Any, **tensors: Any) -> Mapping[str, Any] | None:
        """Return the statistics that follow from labels and weights alone, one row a sample; None where none do.

        A loss that returns some promises that `score` is linear in all its other statistics, so that the gradient at a
        window's totals is known before the model runs. Names of tensors are those of `measure`.
        """
        return None

    def example_tensors(self) -> Mapping[str, Any]:
        """Return tensors, float64, that the conformance kit tries the loss on, where random ones of each name do not fit."""
        return {}

    def learned(self) -> Mapping[str, Any]:
        """Return the name and start value (a number or a list) of each tensor that is trained along with the model."""
        return {}

    def carried(self) -> Mapping[str, Any]:
        """Return the name and start value of each tensor that is handed on from step to step; see `carry`."""
        return {}

    def carry(self, values: Mapping[str, float], **carried: Any) -> Mapping[str, Any]:
        """Return what is carried to the next step, given the value of each component at this one."""
        return carried

    @property
    def components(self) -> Mapping[str, Loss]:
        """The losses that this one is made of, by name; a plain loss is its own only component."""
        return {self.name: self}

    def weighting(self, **tensors: Any) -> Mapping[str, Any]:
        """Return the weight of each component in the whole, given `progress`, the learned and the carried tensors."""
        return {self.name: 1.0}

    def combined(self, values: Mapping[str, Any], **tensors: Any) -> Any:
        """Return the whole, given the value of each component and what `weighting` is given: the weighted sum.

        A loss with a term of its own beside the components, such as the price of a learned weight, adds it here.
        """
        weights = self.weighting(**tensors)
        return sum(weights[name] * value for name, value in values.items())

    @cached_property
    def accepts(self) -> Mapping[str, bool]:
        """The tensors that it reads by name, and whether each must be given."""
        function = self.loss if self.pool == "batch" else self.measure
        named = [item for item in inspect.signature(function).parameters.values() if item.kind in _NAMED]
        optional = {item.name: item.default is inspect.Parameter.empty for item in named}
        return {**{name: True for name in self.reads if name not in optional}, **optional}

    def chosen(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of the tensors that the loss reads; raises TypeError that names one which is missing."""
        missing = [name for name, needed in self.accepts.items() if needed and tensors.get(name) is None]
        if missing:
            given = ", ".join(name for name, value in tensors.items() if value is not None) or "none"
            raise TypeError(f"loss '{self.name}' needs the tensor '{missing[0]}'; it was given: {given}")
        return {name: tensors[name] for name in self.accepts if tensors.get(name) is not None}

    def statistics(self, **tensors: Any) -> dict[str, Any]:
        """Return the statistics of one batch, one row a sample; tensors that the loss does not read are ignored."""
        rows = self.measure(**self.chosen(tensors))
        return dict(rows if isinstance(rows, Mapping) else rows.statistics)

    def share(self, totals: Mapping[str, Any], **tensors: Any) -> Any:
        """Return a scalar whose gradient is this micro-batch's part of the gradient of the loss of a whole window.

        The statistics are weighted by the gradient of `score` at the window's `totals`. Where `count` gives totals, the
        others may be missing; the scalar is then the micro-batch's part of the loss itself.

        A loss that is coupled across the batch (`pool = "batch"`) has no totals, and those given are not read: it returns the
        value of this micro-batch by itself. The loss of a window is the mean of these, so whoever adds up shares divides
        by the number of micro-batches, as `evalharness.training.LossTrainer` does; another split gives another loss.
        """
        if self.pool == "batch":
            return self.loss(**self.chosen(tensors))
        sums = {name: values.sum(0) for name, values in self.statistics(**tensors).items()}
        return self.share_of(sums, totals)

    def share_of(self, sums: Mapping[str, Any], totals: Mapping[str, Any]) -> Any:
        """Return what `share` does, given the summed statistics of a micro-batch."""
        slopes = self._slopes({name: totals.get(name, value.detach() * 0) for name, value in sums.items()})
        return sum((value * slopes[name]).sum() for name, value in sums.items() if name in slopes)

    def _slopes(self, totals: Mapping[str, Any]) -> dict[str, Any]:
        """Return the gradient of `score` at these totals, by statistic."""
        import torch

        with torch.enable_grad():
            points = {name: torch.as_tensor(value).detach().clone() for name, value in totals.items()}
            leaves = {name: value.requires_grad_() for name, value in points.items() if value.is_floating_point()}
            found = torch.autograd.grad(self.score(**points), list(leaves.values()), allow_unused=True)
        return {name: slope for name, slope in zip(leaves, found, strict=True) if slope is not None}

    def __call__(self, outputs: Any = None, labels: Any = None, *, num_items_in_batch: Any = None, **tensors: Any) -> Any:
        """Return the loss of one batch of named tensors; names that the loss does not read are ignored.

        With a transformers model's `outputs` and `labels` it is what `Trainer(compute_loss_func=...)` calls: given
        `num_items_in_batch`, the number of labelled tokens in the whole window, it returns this batch's share.
        """
        given = {**_of_outputs(outputs, self.accepts), "labels": labels, **tensors}
        if num_items_in_batch is not None:
            return self._share_of_items(num_items_in_batch, given)
        return self.whole(**given)

    def whole(self, **tensors: Any) -> Any:
        """Return the loss of one batch of named tensors, which is all of its window."""
        if self.pool == "batch":
            return self.loss(**self.chosen(tensors))
        return self.score(**{name: values.sum(0) for name, values in self.statistics(**tensors).items()})

    def _share_of_items(self, items: Any, tensors: Mapping[str, Any]) -> Any:
        """Return the share of a window of so many labelled tokens: exact for a mean over tokens, and sums of such.

        A loss made of others has their shares with their weights; its own term beside them is of learned tensors only,
        which nothing trains here. Another loss has its value in the proportion of the batch's labelled tokens.
        """
        parts = self.components
        if any(part is not self for part in parts.values()):
            weights = self.weighting(**tensors)
            return sum(weights[name] * part._share_of_items(items, tensors) for name, part in parts.items())
        counted = self.count(**self.chosen(tensors))
        if counted is not None and set(counted) == {"weight"}:
            return self.share({"weight": items}, **tensors)
        labels = tensors.get("labels")
        if labels is None:
            raise TypeError(f"loss '{self.name}' needs the tensor 'labels' to know its share of the window")
        targets = labels[..., 1:] if labels.ndim > 1 else labels  # no token predicts the first one, so no window counts it
        return self(**tensors) * ((targets != _IGNORED).sum() / items)


def _of_outputs(outputs: Any, wanted: Mapping[str, bool]) -> dict[str, Any]:
    """Return the tensors that a transformers model's output holds under the names of the contract."""
    if outputs is None:
        return {}
    found = {name: getattr(outputs, place, None) for name, place in _FROM_OUTPUTS.items() if name in wanted}
    layers = found.get("hidden")
    return {**found, "hidden": layers[-1]} if isinstance(layers, tuple) else found


def loss(
    *, unit: str = "", tags: tuple[str, ...] = (), cite: str = "", formula: str = "", gradient: str = "", reference: str = ""
) -> Callable[[Callable[..., Any]], type[Loss]]:
    """Turn a function over tensors that returns `(loss, weight)` per sample into a loss.

    >>> @loss(unit="nats/token")
    ... def token_nll(logprobs, token_weight):
    ...     "Negative log-likelihood of the target tokens, 0 or more."
    ...     return -(logprobs * token_weight).sum(-1), token_weight.sum(-1)
    >>> token_nll.reads
    ('logprobs', 'token_weight')
    """
    described = {
        "unit": unit, "tags": tags, "cite": cite, "formula": formula, "gradient": gradient, "reference": reference, "range": None,
    }  # fmt: skip

    def wrap(function: Callable[..., Any]) -> type[Loss]:
        parameters = inspect.signature(function).parameters.values()
        reads = tuple(item.name for item in parameters if item.kind is not inspect.Parameter.KEYWORD_ONLY)
        options = {item.name: item.default for item in parameters if item.kind is inspect.Parameter.KEYWORD_ONLY}

        def measure(self: Loss, **tensors: Any) -> dict[str, Any]:
            total, weight = function(**{name: tensors[name] for name in reads}, **self.options())
            return {"loss": total, "weight": weight}

        return plugin_from_function(function, Loss, {**described, "measure": measure, "reads": reads, **options})

    return wrap
