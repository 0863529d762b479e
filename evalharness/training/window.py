"""One accumulation window: the totals of its statistics, and the exact share of a micro-batch in value and gradient.

Each component of a loss is a function of sums over all samples of the window, on all processes. A micro-batch is
back-propagated through its own sums, weighted by the gradient of that function at the window's totals.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalharness.contract import Loss

Totals = dict[str, Any]
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Component:
    """One component of a loss: sums over a window and a function of them.

    Where labels and weights alone give the totals (`counted`), a micro-batch's share is its part of the value too. A loss
    that is coupled across the batch is the mean over the micro-batches of the window.
    """

    name: str
    loss: Loss

    def counted(self, known: Mapping[str, Any]) -> Totals | None:
        """Return the sums over a micro-batch that follow from labels and weights alone, None where the model must run."""
        if self.loss.pool == "batch":
            return {"batches": 1.0}
        given = {name: value for name, value in known.items() if name in self.loss.accepts}
        named = [item for item in inspect.signature(self.loss.count).parameters.values() if item.kind in NAMED]
        if not given or any(item.default is item.empty and item.name not in given for item in named):
            return None
        counts = self.loss.count(**given)
        return None if counts is None else {name: values.sum(0) for name, values in counts.items()}

    def sums(self, tensors: Mapping[str, Any]) -> Totals:
        """Return the sums of its statistics over one micro-batch, with their gradient."""
        return {name: values.sum(0) for name, values in self.loss.statistics(**tensors).items()}

    def share_of_counted(self, totals: Totals, tensors: Mapping[str, Any]) -> Any:
        """Return the micro-batch's part of the window's value, and so of its gradient."""
        if self.loss.pool == "batch":
            return self.loss.loss(**self.loss.chosen(tensors)) / totals["batches"]
        return self.loss.share(totals, **tensors)

    def value(self, seen: Totals) -> Any:
        """Return the component's value, given the sums over the window, or the sum of its shares."""
        return seen["share"] if "share" in seen else self.loss.score(**seen)


def components_of(loss: Loss) -> list[Component]:
    """Return the components of a loss; a plain loss is its own only one."""
    return [Component(name, component) for name, component in loss.components.items()]


@dataclass
class Window:
    """The micro-batches of one optimiser step, what is known of their totals, and what has been summed so far.

    - `counted`, `totals`: the totals by component, those that labels and weights give and the others; one that is in
      neither is taken from the only micro-batch that there is.
    - `parts`: by component, its weighted gradient of each trained parameter by name.
    - `loads`: how often each expert was chosen, (layers, experts), None for a dense model.
    """

    batches: Sequence[Mapping[str, Any]] = ()
    counted: dict[str, Totals] = field(default_factory=dict)
    totals: dict[str, Totals] = field(default_factory=dict)
    seen: dict[str, Totals] = field(default_factory=dict)
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    loads: Any = None
    done: int = 0

    def share(self, component: Component, tensors: Mapping[str, Any]) -> tuple[Any, Totals]:
        """Return a scalar with a micro-batch's part of the window's gradient, and what adds up to the window's value."""
        if component.name in self.counted:
            share = component.share_of_counted(self.counted[component.name], tensors)
            return share, {"share": share.detach()}
        sums = component.sums(tensors)
        seen = detached(sums)
        return component.loss.share_of(sums, self.totals.get(component.name, seen)), seen

    def see(self, component: str, sums: Totals) -> None:
        """Add what was seen of a micro-batch."""
        self.seen[component] = added(self.seen.get(component), sums)

    def add_part(self, component: str, gradients: Mapping[str, Any]) -> None:
        """Add the gradients of a micro-batch to those of a component."""
        part = self.parts.setdefault(component, {})
        for name, gradient in gradients.items():
            if gradient is not None:
                part[name] = part[name] + gradient if name in part else gradient


def detached(sums: Totals) -> Totals:
    """Return the sums without their gradient."""
    return {name: value.detach() for name, value in sums.items()}


def added(sums: Totals | None, others: Totals) -> Totals:
    """Return the sums of two parts of a window."""
    return others if sums is None else {name: value + others[name] for name, value in sums.items()}


def cosines(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the cosine of the angle between the gradients of each two components, by `a.b`; those without gradient left out."""
    found: dict[str, float] = {}
    names = list(parts)
    norms = {name: _dot(parts[name], parts[name]) ** 0.5 for name in names}
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            if norms[one] > 0 and norms[other] > 0:
                found[f"{one}.{other}"] = _dot(parts[one], parts[other]) / (norms[one] * norms[other])
    return found


def _dot(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    return sum(float((gradient.double() * other[name].double()).sum()) for name, gradient in one.items() if name in other)
