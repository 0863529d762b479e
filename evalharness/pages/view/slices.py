"""Which fields cut the samples into slices: those with few different values, found while samples stream by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_VALUES = 40
LONGEST_VALUE = 100
NOT_SLICED = ("input", "references", "text")


@dataclass
class Vocabulary:
    """Numbers different texts in the order in which they come; 0 stands for none."""

    texts: list[str] = field(default_factory=list)
    _codes: dict[str, int] = field(default_factory=dict)

    def code(self, text: str | None) -> int:
        """Return the number of a text."""
        if text is None:
            return 0
        if text not in self._codes:
            self.texts.append(text)
            self._codes[text] = len(self.texts)
        return self._codes[text]


@dataclass
class Slices:
    """The values of each field of the samples so far; a field with too many, or with long ones, is given up."""

    fields: dict[str, Vocabulary] = field(default_factory=dict)
    cuts: dict[str, Any] = field(default_factory=dict)  # a digest of which samples have one value, by field
    given_up: set[str] = field(default_factory=lambda: set(NOT_SLICED))
    rows: int = 0

    def add(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
        """Take in the fields of some samples; return the number of each one's value, by field."""
        self.rows += len(rows)
        names = dict.fromkeys(name for row in rows for name in row if name not in self.given_up)
        return {name: codes for name in names if (codes := self._codes(name, (row.get(name) for row in rows))) is not None}

    def _codes(self, name: str, values: Iterable[Any]) -> list[int] | None:
        known, codes = self.fields.setdefault(name, Vocabulary()), list[int]()
        for value in values:
            text = shown(value)
            codes.append(known.code(text))
            if len(known.texts) > MOST_VALUES or (text is None and value is not None):
                self.given_up.add(name)
                del self.fields[name]
                return None
        self.cuts.setdefault(name, hashlib.blake2b()).update(f"{self.rows}:{codes}".encode())
        return codes

    def found(self) -> dict[str, list[str]]:
        """Return the values of each field that cuts the samples into slices of more than one, each cut once."""
        cuts: dict[bytes, str] = {}
        for name, vocabulary in self.fields.items():
            if 1 < len(vocabulary.texts) <= max(self.rows / 2, 2):
                cuts.setdefault(self.cuts[name].digest(), name)
        return {name: list(self.fields[name].texts) for name in cuts.values()}


def shown(value: Any) -> str | None:
    """Return a value as the name of a slice; None where it is absent, or no name for one.

    >>> shown("a"), shown(True), shown(3), shown(0.5), shown(None)
    ('a', 'true', '3', None, None)
    """
    if isinstance(value, str):
        return value if len(value) <= LONGEST_VALUE else None
    return json.dumps(value) if isinstance(value, (bool, int)) else None
