"""Probabilities and target classes of a batch as arrays, and what all metrics of classes share."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

from evalharness import Metric

MOST_NUMBERS = 4096  # of a sample's statistics
_OFF_BY = 1e-3  # probabilities in half precision add up to 1 only so far


@dataclass(frozen=True)
class Read:
    """`probabilities` (rows, classes) float64 and `target` (rows,) int64; class 0 for certain in rows that are unmeasured."""

    probabilities: Any
    target: Any
    unmeasured: Mapping[int, str]

    @property
    def of_target(self) -> Any:
        """The probability of each row's target; float64, (rows,)."""
        import numpy as np

        return self.probabilities[np.arange(len(self.target)), self.target]

    @property
    def is_target(self) -> Any:
        """1 at each row's target, 0 elsewhere; float64, (rows, classes)."""
        import numpy as np

        return np.eye(self.probabilities.shape[1])[self.target]


class OfClasses(Metric):
    """What metrics of classes share: `probabilities` and `target` are read in one way.

    Of two classes `probabilities` is that of class 1, or one of each; of more, one of each, which add up to 1. `target` is
    the number of the right class, from 0, or its name among `labels`. There are as many classes as `labels`, or `classes`,
    or 2.
    """

    family: ClassVar[str] = "classification"
    example: ClassVar[Mapping[str, Any]] = {"classes": 3}
    positive: ClassVar[tuple[str, ...]] = ()  # the options that must be above 0

    classes: int | None = None
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.positive:
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value:g}, but must be above 0")
        if self.classes is not None and not 2 <= self.classes <= self.most_classes:
            raise ValueError(f"classes is {self.classes}, but must be from 2 to {self.most_classes}")
        if self.labels:
            self._check_labels()

    def _check_labels(self) -> None:
        if not 2 <= len(self.labels) <= self.most_classes:
            raise ValueError(f"labels holds {len(self.labels)}, but must name from 2 to {self.most_classes} classes")
        doubles = sorted({name for name in self.labels if self.labels.count(name) > 1})
        if doubles or any(name != name.strip() or not name for name in self.labels):
            wrong = f"'{doubles[0]}' twice" if doubles else "a name that is empty, or with white space around it"
            raise ValueError(f"labels holds {wrong}; write each class once, as its bare name")
        if self.classes not in (None, len(self.labels)):
            raise ValueError(f"classes is {self.classes}, but labels names {len(self.labels)}; leave out classes")

    @property
    def most_classes(self) -> int:
        """How many classes there may be, so that the statistics of a sample are not too many."""
        return MOST_NUMBERS

    @property
    def count(self) -> int:
        """How many classes there are."""
        return len(self.labels) or self.classes or 2

    @property
    def names(self) -> tuple[str, ...]:
        """What each class is called: its label, or its number."""
        return self.labels or tuple(map(str, range(self.count)))

    @property
    def places(self) -> dict[Any, int]:
        """The number of each class by label and by number; where labels are whole numbers, a number means the label."""
        numerals = [label for label in self.labels if label.lstrip("-").isdecimal()]
        known: dict[Any, int] = {label: place for place, label in enumerate(self.labels)}
        numbers = {int(label): known[label] for label in numerals} or {place: place for place in range(self.count)}
        return known | numbers

    def no_class(self, field: str) -> str:
        """Return the reason of a row whose field names no class."""
        return f"{field} is none of the labels" if self.labels else f"{field} is none of {self.count} classes"

    def read(self, probabilities: Sequence[Any], target: Sequence[Any]) -> Read:
        """Return the rows as arrays, with the reason of each that cannot be read."""
        import numpy as np

        known, wrong = self.places, self.no_class("target")
        rows, right = [spread(row) for row in probabilities], [place_of(value, known) for value in target]
        faults = ((number, fault_of(row, self.count) or (wrong if place is None else None)) for number, (row, place) in
                  enumerate(zip(rows, right, strict=True)))  # fmt: skip
        unmeasured = {row: reason for row, reason in faults if reason}
        certain = [1.0] + [0.0] * (self.count - 1)
        kept = [certain if row in unmeasured else values for row, values in enumerate(rows)]
        places = [0 if row in unmeasured else place for row, place in enumerate(right)]
        return Read(np.array(kept, float).reshape(-1, self.count), np.array(places, np.int64), unmeasured)


def place_of(value: Any, known: Mapping[Any, int]) -> int | None:
    """Return the number of the class that a value names; None where it names none. A list of one value counts as that."""
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        text = value.strip()
        return known.get(text, known.get(int(text)) if text.isascii() and text.isdecimal() else None)
    return known.get(value) if isinstance(value, (int, float, Integral)) else None


def spread(row: Any) -> Any:
    """Return one probability of each class; a text is read as the number or the list that it spells."""
    if isinstance(row, str):  # a cell of a CSV file
        try:
            row = json.loads(row)
        except ValueError:
            return row
    if isinstance(row, (float, Real)):
        return (1 - row, row)
    return row.tolist() if hasattr(row, "tolist") else row


def are_shares(row: Sequence[Any]) -> bool:
    """Return whether all values are numbers from 0 to 1."""
    return all(isinstance(value, (float, Real)) and 0 <= float(value) <= 1 for value in row)  # float first: Real is slow


def fault_of(row: Any, classes: int) -> str | None:
    """Return why a row is not one probability of each class; None where it is."""
    if not isinstance(row, (list, tuple)) or len(row) != classes:
        found = f"{len(row)} numbers" if isinstance(row, (list, tuple)) else "no numbers"
        return f"{found}, not one probability of each of {classes} classes"
    if not are_shares(row) or abs(math.fsum(row) - 1) > _OFF_BY:
        return "probabilities are not from 0 to 1 with the sum 1"
    return None
