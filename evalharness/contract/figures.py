"""Pictures that a metric may draw of what it found: plain data, which pages and files render."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Bounds = tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Points that belong together: `x` and `y`, equally many. A "dashed" one is for comparison, such as chance."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    name: str = ""
    style: Literal["line", "dashed", "points", "bars"] = "line"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Curves over one pair of axes; `x` and `y` say what stands on them, `x_range` and `y_range` where they end."""

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    x_range: Bounds = None
    y_range: Bounds = None


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """A table of numbers with a label for each row and column; `rows` and `columns` say what those are."""

    title: str
    rows: str
    columns: str
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
