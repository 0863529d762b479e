"""What is scored: a row of tokens, and from which of them on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scored:
    """Tokens of which those from `start` (at least 1) on are scored, each given all before it."""

    ids: list[int]
    start: int

    @property
    def places(self) -> range:
        """Where the logits stand that predict the scored tokens."""
        return range(self.start - 1, len(self.ids) - 1)
