"""How a loss of one value a sample is declared: a decorated function with its formula, gradient and oracle.

    @per_sample(
        unit="squared target units", range=(0, None), tags=("convex", "differentiable", "robust", "bounded gradient"),
        formula="0.5 e^2 where |e| <= delta, else delta (|e| - delta / 2); e = prediction - target",
        gradient="clip(e, -delta, delta)", reference="torch.nn.functional.huber_loss", limits={"delta": ABOVE_0},
    )
    def huber(prediction, target, *, delta: float = 1.0):
        "Mean Huber loss ..."
        from torch.nn import functional
        return functional.huber_loss(prediction, target, reduction="none", delta=delta)

The positional parameters are the tensors, float32 or better when they arrive, checked, and harmless where a sample weighs
nothing; optional ones (`= None`) come last. Keyword-only ones are the options, and `limits` says what those must be.

- `target`: what the target holds, one of `DOMAINS`, "class" (class numbers) or "soft class" (or the share of each class).
- `from_probabilities`: whether `probabilities` may stand in for `logits`; `tabular`: whether both are (batch, labels).
- `weigh`: a function of target and options that says how much a sample counts in the mean.
- `fits`: a function of the loss's name and the tensors that refuses shapes which do not go together, such as `tensors.alike`.
- `learned`: a function of the loss that gives the tensors which are trained along, by name, with their start values.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import evalharness as eh
from evalharness_losses.tensors import (
    DOMAINS,
    all_filled,
    check,
    check_classes,
    check_named,
    check_probabilities,
    check_range,
    check_weight,
    in_full,
    is_bool,
    refuse,
    refuse_kind,
    refuse_shape,
)


class Limit(NamedTuple):
    """What an option must be: in words, and as a test of a number; and what its items add up to, where they must."""

    words: str
    holds: Callable[[float], bool]
    total: float | None = None


ABOVE_0 = Limit("above 0", lambda value: value > 0)
BELOW_0 = Limit("below 0", lambda value: value < 0)
AT_LEAST_0 = Limit("0 or more", lambda value: value >= 0)
AT_LEAST_1 = Limit("1 or more", lambda value: value >= 1)
AT_LEAST_MINUS_1 = Limit("-1 or more", lambda value: value >= -1)
SHARE = Limit("between 0 and 1", lambda value: 0 <= value <= 1)
INSIDE = Limit("more than 0 and less than 1", lambda value: 0 < value < 1)
SHARES = Limit("above 0", lambda value: value > 0, total=1)
UP_TO_1 = Limit("above 0 and at most 1", lambda value: 0 < value <= 1)
_ROWS, _CLASSES = 6, 4  # of the example
_REDUCTION = """Reduction: mean over samples, weighted by `sample_weight`; of a sample of several values their mean. Computed in
    float32 or better."""
_ROUNDING = 1e-6  # of shares that are written out


class PerSample(eh.Loss):
    """A loss with one value for each sample, weighted by `sample_weight`: the weighted mean.

    Values of more than one dimension are averaged over all but the first. `probabilities` may stand in for `logits`
    where `from_probabilities` says so; those of 0 count as the smallest number of their precision.
    """

    value: ClassVar[Callable[..., Any]]
    weigh: ClassVar[Callable[..., Any] | None] = None
    fits: ClassVar[Callable[[str, Mapping[str, Any]], None] | None] = None
    target: ClassVar[str] = "number"
    named: ClassVar[tuple[str, ...]] = ()  # the options by name, which torch.compile cannot find in a dataclass
    may_miss: ClassVar[tuple[str, ...]] = ()  # the tensors that it can do without
    limits: ClassVar[Mapping[str, Limit]] = {}  # what options must be
    tabular: ClassVar[bool] = False  # whether output and target are tables, (batch, labels)
    from_probabilities: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_limits(self, self.limits)

    @cached_property
    def accepts(self) -> Mapping[str, bool]:
        """The tensors that it reads by name, and whether each must be given."""
        own = {**{name: name not in self.may_miss for name in self.reads}, "sample_weight": False}
        return {**own, "logits": False, "probabilities": False} if self.from_probabilities else own

    def chosen(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of the tensors that the loss reads; raises TypeError that names one which is missing."""
        found = super().chosen(tensors)
        if self.from_probabilities and "logits" not in found and "probabilities" not in found:
            given = ", ".join(name for name, value in tensors.items() if value is not None) or "none"
            raise TypeError(f"loss '{self.name}' needs the tensor 'logits', or 'probabilities'; it was given: {given}")
        return found

    def measure(self, sample_weight: Any = None, **tensors: Any) -> dict[str, Any]:
        import torch

        start = {name: torch.tensor(value, dtype=torch.float64) for name, value in self.learned().items()}
        learned = {name: in_full(tensors.pop(name, value)) for name, value in start.items()}
        given = {name: in_full(tensor) for name, tensor in tensors.items()}
        if (fits := type(self).fits) is not None:
            fits(self.name, given)
        if sample_weight is not None:
            check_weight(self.name, sample_weight, given)
            given = all_filled(given, sample_weight > 0, shares="class" in self.target)
        self._check_kind(given)
        check(self.name, given, masks="class" in self.target)
        check_named(self.name, given)
        if "logits" not in given and self.from_probabilities:
            given["logits"] = _logits(self.name, given.pop("probabilities"), several="class" in self.target)
        if "target" in given:
            self._check_target(given)
            given["target"] = self._as_output(given)
        read = {name: given[name] for name in self.reads if name in given}
        values = type(self).value(**read, **learned, **self._options())
        values = values.flatten(1).mean(1) if values.ndim > 1 else values
        plain = _plain_weight(sample_weight, values).to(values.dtype)
        found = values * plain
        self._check_values(found, tensors)
        return {"loss": found, "weight": self._weight(plain, given).to(values.dtype)}

    def _check_kind(self, given: Mapping[str, Any]) -> None:
        name = next(iter(given))
        if is_bool(given[name]):
            refuse_kind(self.name, name, given[name], "numbers")

    def _check_values(self, found: Any, tensors: Mapping[str, Any]) -> None:
        """Raise DataError where the loss of a sample, (batch,), is no finite number: its tensors are beyond what it takes."""
        name = self.reads[0] if self.reads[0] in tensors else "probabilities"
        output = tensors[name].detach()
        wrong = (~found.detach().isfinite()).view(-1, *[1] * (output.ndim - 1)).expand_as(output)
        refuse(self.name, name, output, wrong, "gives no finite loss")

    def whole(self, **tensors: Any) -> Any:
        """Return the loss of one batch; raises DataError where no sample of it has a weight."""
        import torch

        sums = {name: values.sum(0) for name, values in self.statistics(**tensors).items()}
        if not torch.compiler.is_compiling() and not bool(sums["weight"] > 0):
            name = "sample_weight" if tensors.get("sample_weight") is not None else "target"
            raise eh.DataError(f"loss '{self.name}': '{name}' {tuple(tensors[name].shape)} gives no sample of the batch a weight")
        return self.score(**sums)

    def count(self, *_: Any, sample_weight: Any = None, **tensors: Any) -> dict[str, Any] | None:
        like = next(iter(tensors.values()), sample_weight)
        if like is None or (self.weigh is not None and "target" not in tensors):
            return None
        return {"weight": self._weight(_plain_weight(sample_weight, like), tensors)}

    def _weight(self, plain: Any, tensors: Mapping[str, Any]) -> Any:
        """Return how much each sample counts in the mean."""
        weigh = type(self).weigh
        return plain if weigh is None else plain * weigh(tensors["target"], **self._options())

    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.named}

    def _check_target(self, tensors: Mapping[str, Any]) -> None:
        if "class" in self.target:
            check_classes(self.name, tensors, self.reads[0], soft=self.target == "soft class")
            return
        output = tensors[self.reads[0]]
        if tensors["target"].shape != output.shape:
            refuse_shape(self.name, tensors, "target", f"of the shape of '{self.reads[0]}'")
        check_range(self.name, "target", tensors["target"], self.target)

    def _as_output(self, tensors: Mapping[str, Any]) -> Any:
        """Return the target in the type of the output where it is whole numbers that stand for no class."""
        target = tensors["target"]
        return target if "class" in self.target or target.is_floating_point() else target.to(tensors[self.reads[0]].dtype)

    def example_tensors(self) -> dict[str, Any]:
        """Return random tensors whose target is one that the loss takes."""
        if "target" not in self.reads:
            return {}
        import torch

        chance = torch.Generator().manual_seed(0)
        several = "class" in self.target
        shape = (_ROWS, _CLASSES) if several or self.tabular else (_ROWS,)
        output, noise = (torch.randn(*shape, generator=chance, dtype=torch.float64) for _ in range(2))
        target = torch.arange(_ROWS) % _CLASSES if several else DOMAINS[self.target].draw(noise)
        name = self.reads[0]
        output = {"probabilities": output.softmax(-1) if several else output.sigmoid()}.get(name, output)
        weight = torch.rand(_ROWS, generator=chance, dtype=torch.float64)
        return {name: output, "target": target, "sample_weight": weight}


def _plain_weight(sample_weight: Any, like: Any) -> Any:
    import torch

    return torch.ones(len(like), device=like.device) if sample_weight is None else in_full(sample_weight)


def check_limits(loss: Any, limits: Mapping[str, Limit]) -> None:
    """Raise ValueError for an option, an item of one, or a sum of items that is not what the limits say."""
    for name, limit in limits.items():
        value = getattr(loss, name)
        for item in _items(value):
            if not (math.isfinite(item) and limit.holds(item)):
                raise ValueError(f"{name} is {item}, but must be {limit.words}")
        if limit.total is not None and value and not math.isclose(sum(value), limit.total, abs_tol=_ROUNDING):
            raise ValueError(f"{name} adds up to {sum(value):g}, but must add up to {limit.total:g}")


def _items(value: Any) -> Iterator[Any]:
    """Yield the numbers of an option: one, those of a list or a table, or none."""
    if isinstance(value, tuple):
        for item in value:
            yield from _items(item)
    elif value is not None:
        yield value


def _logits(loss: str, probabilities: Any, *, several: bool) -> Any:
    """Return logits that have these probabilities: of several classes (batch, classes), or of one class (batch, ...)."""
    import torch

    if several:
        if probabilities.ndim != 2:
            refuse_shape(loss, {"probabilities": probabilities}, "probabilities", "(batch, classes)")
        check_probabilities(loss, "probabilities", probabilities)
    else:
        check_range(loss, "probabilities", probabilities, "share")
    least = torch.finfo(probabilities.dtype).tiny
    log = probabilities.clamp_min(least).log()
    return log if several else log - (1 - probabilities).clamp_min(least).log()


def documented(function: Callable[..., Any], facts: str) -> str:
    """Return the docstring of a loss with the facts that hold for all of its kind, before its example."""
    told, mark, example = (function.__doc__ or "").partition(">>>")
    return f"{told.rstrip()}\n\n    {facts}\n\n    {mark}{example}".rstrip()


def per_sample(
    *, weigh: Callable[..., Any] | None = None, fits: Callable[..., None] | None = None, **stated: Any
) -> Callable[[Callable[..., Any]], type[PerSample]]:
    """Turn a function from tensors to one value a sample, (batch,) or (batch, ...), into a loss; see the module."""

    def wrap(function: Callable[..., Any]) -> type[PerSample]:
        parameters = inspect.signature(function).parameters.values()
        tensors = [item for item in parameters if item.kind is not inspect.Parameter.KEYWORD_ONLY]
        reads = tuple(item.name for item in tensors)
        optional = tuple(item.name for item in tensors if item.default is not inspect.Parameter.empty)
        options = {item.name: item.default for item in parameters if item.kind is inspect.Parameter.KEYWORD_ONLY}
        defaults = {name: default for name, default in options.items() if default is not inspect.Parameter.empty}
        types = {name: function.__annotations__[name] for name in options}
        origin = {
            "__module__": function.__module__,
            "__qualname__": function.__qualname__,
            "__doc__": documented(function, _REDUCTION),
        }
        others = {name: staticmethod(other) for name, other in (("weigh", weigh), ("fits", fits)) if other is not None}
        functions = {"value": staticmethod(function), **others}
        body = {
            "name": function.__name__,
            **stated,
            **functions,
            "reads": reads,
            "may_miss": optional,
            "named": (*options,),
            **defaults,
        }
        return type(function.__name__, (PerSample,), {**body, "__annotations__": types, **origin})

    return wrap
