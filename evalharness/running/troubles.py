"""What went wrong in a run, collected: each message once, with how many samples it cost and which came first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from evalharness.contract import Failure

SHOWN_IDS = 5
MESSAGES = 1_000


@dataclass
class Troubles:
    """Failures of samples, and what plugins did wrong. Failures of the systems themselves are scored and not here."""

    _found: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, failure: Failure | None, sample: str) -> None:
        """Take note of one sample's failure, if it is one of infrastructure."""
        if failure is None or not failure.infrastructure:
            return
        key = (failure.kind, failure.message)
        if key not in self._counts and len(self._counts) >= MESSAGES:
            key = (failure.kind, "other reasons")
        self._counts[key] = self._counts.get(key, 0) + 1
        first = self._found.setdefault(key, [])
        if len(first) < SHOWN_IDS and sample not in first:
            first.append(sample)

    def note(self, messages: Iterable[str], kind: str = "plugin") -> None:
        """Take note of what concerns no single sample."""
        for message in messages:
            self._counts.setdefault((kind, message), 1)

    def plain(self) -> list[dict[str, Any]]:
        """Return all troubles, the most frequent first."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return [
            {"kind": kind, "message": message, "count": count, "samples": self._found.get((kind, message), [])}
            for (kind, message), count in ordered
        ]
