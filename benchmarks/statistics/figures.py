"""What was simulated beside the figures of the design reference: standard errors, and which differ by more than chance."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

MARKED = 3.5
CHANCE = 0.01
FILE = Path(__file__).with_name("figures.csv")


@dataclass(frozen=True)
class Figure:
    """A figure of the design reference and the runs behind it; `low` and `high` differ where it gives a range.

    Simulated there with numpy 2.4.6 and scipy 1.17.1; without runs it was calculated.
    """

    low: float
    high: float
    digits: int
    runs: int

    def gap(self, value: float) -> float:
        """Return how far a value lies outside, beyond what rounding of the figure explains."""
        outside = max(self.low - value, value - self.high, 0.0)
        return max(0.0, outside - 0.5 * 10.0**-self.digits)


@dataclass(frozen=True)
class Cell:
    """One simulated figure: the mean over the runs, and their standard deviation; `share` of runs, or another mean."""

    table: str
    name: str
    value: float
    sd: float
    runs: int
    share: bool

    @classmethod
    def of(cls, table: str, name: str, found: NDArray[Any]) -> Cell:
        """Return the mean of what was found in each run."""
        values = np.asarray(found, float)
        sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        return cls(table, name, float(values.mean()), sd, len(values), found.dtype == bool)


@dataclass(frozen=True)
class Compared:
    """A cell beside its figure; `z`: their distance in standard errors of the difference."""

    cell: Cell
    figure: Figure
    se: float
    figure_se: float
    z: float


def read_figures(path: Path = FILE) -> dict[tuple[str, str], Figure]:
    """Return the figures of the design reference by table and cell."""
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["table"], row["cell"]): _figure(row) for row in csv.DictReader(file)}


def _figure(row: dict[str, str]) -> Figure:
    digits = len(row["low"].partition(".")[2])
    return Figure(float(row["low"]), float(row["high"]), digits, int(row["runs"]))


def compare(cell: Cell, figure: Figure) -> Compared:
    """Return both with their standard errors.

    Of shares they are those of the pooled share, with half a run added on either side so that none is 0; of other means
    those of our runs, which stand in for the ones that the reference does not give. What was calculated has none.
    """
    gap = figure.gap(cell.value)
    nearest = min(max(cell.value, figure.low), figure.high)
    variance = _pooled(cell, nearest, figure.runs) if cell.share else cell.sd**2
    se, figure_se = math.sqrt(variance / cell.runs), math.sqrt(variance / figure.runs) if figure.runs else 0.0
    both = math.hypot(se, figure_se)
    return Compared(cell, figure, se, figure_se, gap / both if both else math.inf if gap else 0.0)


def _pooled(cell: Cell, figure: float, runs: int) -> float:
    if not runs:
        return figure * (1 - figure)
    share = (cell.value * cell.runs + figure * runs + 0.5) / (cell.runs + runs + 1)
    return share * (1 - share)


def limit(count: int) -> float:
    """Return how many standard errors none of so many cells passes, in 99 of 100 such simulations (Bonferroni)."""
    return float(-ndtri(CHANCE / (2 * max(count, 1))))


def beyond_chance(compared: Sequence[Compared]) -> list[Compared]:
    """Return the cells that differ by more than chance allows for the largest of so many."""
    return [one for one in compared if one.z > limit(len(compared))]


def line(one: Compared) -> str:
    """Return one line: cell, our figure and theirs, both standard errors, their distance, and a mark."""
    low, high = (f"{end:.{one.figure.digits}f}" for end in (one.figure.low, one.figure.high))
    theirs = low if low == high else f"{low} to {high}"
    mark = " *" if one.z > MARKED else ""
    return f"{one.cell.name:62} {one.cell.value:9.4g} {theirs:>14} {one.se:8.4f} {one.figure_se:8.4f} {one.z:6.1f}{mark}"
