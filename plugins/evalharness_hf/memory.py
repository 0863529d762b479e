"""The token budget that is left of a model's after its memory ran out, for the rest of the process."""

from __future__ import annotations

import gc
import sys
from collections.abc import Hashable
from dataclasses import dataclass, field

SMALLEST = 64  # tokens; below, passes are so small that a request which does not fit will not fit either
SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


@dataclass
class Memory:
    """How many tokens go through a model at once: its `declared` token budget, halved until what failed went through.

    `lowest` is the smallest that anything went through under, and `notes` are what else is to be told of how the model
    answered in this process.
    """

    declared: int
    budget: int
    lowest: int = field(init=False)
    notes: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lowest = self.budget

    @property
    def smallest(self) -> int:
        """The budget below which nothing is tried."""
        return min(SMALLEST, self.declared)

    def below(self, budget: int) -> int:
        """Return the budget to try after this one failed."""
        return max(self.smallest, budget // 2)

    def did(self, budget: int) -> None:
        """Stay with a budget under which something went through that had failed under a larger one."""
        self.budget, self.lowest = min(self.budget, budget), min(self.lowest, budget)

    def remarks(self) -> list[str]:
        """Return what a reader of the record must know; nothing where the declared budget did."""
        if self.lowest == self.declared:
            return []
        return [
            f"token budget halved to {self.lowest:,} after out of memory (token_budget: {self.declared:,}); answers "
            "differ by rounding alone from those of the whole budget"
        ]


_MEMORIES: dict[Hashable, Memory] = {}


def memory_of(model: Hashable, budget: int) -> Memory:
    """Return the memory of a model, which equal models share, since they share their network."""
    return _MEMORIES.setdefault(model, Memory(budget, budget))


def ran_out(error: BaseException) -> bool:
    """Return whether an error says that memory ran out.

    >>> ran_out(MemoryError()), ran_out(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")), ran_out(ValueError("2"))
    (True, True, False)
    """
    return isinstance(error, MemoryError) or any(sign in f"{type(error).__name__}: {error}".lower() for sign in SIGNS)


def free() -> None:
    """Give back what is held for nothing, so that the next try has all there is."""
    gc.collect(1)  # of what failed all is young
    torch = sys.modules.get("torch")
    if torch is not None and torch.accelerator.is_available():
        torch.accelerator.memory.empty_cache()
