"""Sums over the processes that train together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Processes:
    """So many processes; with one, every sum is what it was."""

    number: int

    def added(self, value: Any) -> Any:
        """Return the sum of a tensor over all processes."""
        if self.number == 1:
            return value
        import torch

        total = value.clone()
        torch.distributed.all_reduce(total)
        return total

    def add_up_gradients(self, parameters: Iterable[Any]) -> None:
        """Replace the gradients of parameters by their sums; one that no process has stays None."""
        given = dict(enumerate(parameters))
        gradients = {place: parameter.grad for place, parameter in given.items() if parameter.grad is not None}
        self.add_up(gradients, given)
        for place, gradient in gradients.items():
            given[place].grad = gradient

    def add_up(self, gradients: MutableMapping[Any, Any], parameters: Mapping[Any, Any]) -> None:
        """Replace gradients by their sums over all processes; a process may lack some that others have."""
        if self.number == 1:
            return
        import torch

        names = list(parameters)
        device = next((parameter.device for parameter in parameters.values()), None)
        held = self.added(torch.tensor([int(name in gradients) for name in names], device=device))
        for name, holders in zip(names, held.tolist(), strict=True):
            if holders:
                own = gradients.get(name)
                gradients[name] = self.added(torch.zeros_like(parameters[name]) if own is None else own)
