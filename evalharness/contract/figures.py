"""Pictures that a metric may draw of what it found: plain data, which pages and files render."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Bounds = tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Points that belong together: `x` and `y`, equally many. A "dashed" one is for comparison, such as chance.

    Raises ValueError where one holds what is no finite number, or more numbers than the other.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    name: str = ""
    style: Literal["line", "dashed", "points", "bars"] = "line"

    def __post_init__(self) -> None:
        for axis in ("x", "y"):
            object.__setattr__(self, axis, _numbers(getattr(self, axis), f"{axis} of curve '{self.name}'"))
        if len(self.x) != len(self.y):
            raise ValueError(f"curve '{self.name}' has {len(self.x)} numbers in x and {len(self.y)} in y")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Curves over one pair of axes; `x` and `y` say what stands on them, `x_range` and `y_range` where they end."""

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    x_range: Bounds = None
    y_range: Bounds = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "curves", tuple(self.curves))


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """A table of numbers with a label for each row and column; `rows` and `columns` say what those are.

    Raises ValueError where a label lacks its numbers, or one is not finite.
    """

    title: str
    rows: str
    columns: str
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        for labels in ("row_labels", "column_labels"):
            object.__setattr__(self, labels, tuple(map(str, getattr(self, labels))))
        values = tuple(_numbers(row, f"matrix '{self.title}'") for row in self.values)
        object.__setattr__(self, "values", values)
        if [len(row) for row in values] != [len(self.column_labels)] * len(self.row_labels):
            shape = f"{len(self.row_labels)} rows of {len(self.column_labels)} numbers"
            raise ValueError(f"matrix '{self.title}' has labels for {shape}; it holds rows of {[len(row) for row in values]}")


def _numbers(values: Iterable[float], where: str) -> tuple[float, ...]:
    found = tuple(map(float, values))
    if not all(map(math.isfinite, found)):
        raise ValueError(f"{where} holds a number that is not finite; leave such points out")
    return found
