"""A confidence sequence for a bounded mean: an interval that holds however often one looks, and whenever one stops.

Two gamblers bet against each candidate mean, one that the true mean is higher, one that it is lower, and what each bets
on a group is fixed before the group is seen. Against the true mean no gambler can expect to win, so the chance that
their average wealth ever reaches 1/alpha is at most alpha: a candidate against which it did is rejected for good.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]

CELLS = 10_000
# A gambler puts at most this share of the wealth at risk on one group, so that no group can ruin it.
AT_RISK = 0.5
_BLOCK = 32
# So far beyond its range is no rounding.
_OUTSIDE = 1e-9


class Bets:
    """What to bet on each group, a function of the groups before it alone.

    A group is its sum over `largest`, where each of its `size` values lies in [0, 1]. The bets make the interval
    narrowest after `planned` groups or, with `within`, as soon as its half width is that, if this comes earlier by the
    variance seen so far. Without `planned` no moment is preferred.
    """

    def __init__(self, *, planned: float | None, alpha: float = 0.05, within: float | None = None, largest: float = 1.0) -> None:
        self.planned, self.within, self.largest = planned, within, largest
        self._stake = 2 * math.log(2 / alpha)
        self.count = 0
        self.total = self.weight = self._squares = self._spread = 0.0

    def next(self, sums: Vector, sizes: Vector) -> Vector:
        """Return the bet on each of the next groups, before any cap, and take them in."""
        before = self.count + np.arange(len(sums))
        totals, weights = _running(self.total, sums), _running(self.weight, sizes)
        deviations = (sums - (0.5 + totals[1:]) / (1 + weights[1:]) * sizes) / self.largest
        squares, spread = _running(self._squares, deviations**2), _running(self._spread, (sizes / self.largest) ** 2)
        # Before anything is known a value has the variance 1/4, and a group the largest size.
        share = np.divide(spread[:-1], before, out=np.ones(len(sums)), where=before > 0)
        average = np.divide(weights[:-1], before * self.largest, out=np.ones(len(sums)), where=before > 0)
        variance = (share / 4 + squares[:-1]) / (before + 1)
        self.count += len(sums)
        self.total, self.weight, self._squares, self._spread = (part[-1] for part in (totals, weights, squares, spread))
        horizon = (before + 1) * np.log(before + 2) if self.planned is None else self.planned
        bets = np.sqrt(self._stake / (variance * horizon))
        # sqrt(stake / (variance * n)) with the n after which the half width is `within`.
        return bets if self.within is None else np.maximum(bets, self.within * average / variance)


class BettingSequence:
    """The confidence sequence for the mean of values in [low, high], by planned betting.

    The mean is that of all values, the sum over the groups by the number of values in them. The groups must come in an
    order that has nothing to do with their values, and `largest`, the most values a group can have, must be known
    beforehand, as must `planned` and `within` (see `Bets`; `within` in the unit of the values). Memory and work do not
    grow with what was added, and the interval is the same however the values are split into calls of `add`.

    Candidate means are held in cells, a ten-thousandth of the range each; a cell is rejected when every mean inside it is.

    >>> sequence = BettingSequence(planned=200)
    >>> sequence.add([1.0, 0.0] * 100)
    >>> low, high = sequence.interval
    >>> round(low, 2), round(high, 2), sequence.excludes(0.35)
    (0.41, 0.59, True)
    """

    def __init__(
        self,
        low: float = 0.0,
        high: float = 1.0,
        *,
        planned: float | None,
        alpha: float = 0.05,
        within: float | None = None,
        largest: float = 1.0,
    ) -> None:
        self.low, self.high, self.span = float(low), float(high), float(high) - float(low)
        half = None if within is None else within / self.span
        self._bets = Bets(planned=planned, alpha=alpha, within=half, largest=largest)
        self._limit = 2 / alpha
        self._cells = np.arange(CELLS)
        self._up, self._down = np.ones(CELLS), np.ones(CELLS)
        self._empty = False

    @classmethod
    def paired(cls, low: float, high: float, *, planned: float, alpha: float = 0.05, largest: float = 1.0) -> BettingSequence:
        """Return the sequence for the mean difference of two systems whose values lie in [low, high]."""
        span = high - low
        return cls(-span, span, planned=planned, alpha=alpha, largest=largest)

    def add(self, sums: ArrayLike, sizes: ArrayLike | None = None) -> None:
        """Take in groups in their order: the sum and the number of the values in each; without `sizes`, single values.

        Raises ValueError for values outside the range, and for groups larger than the largest.
        """
        totals = np.asarray(sums, np.float64)
        counts = np.ones(len(totals)) if sizes is None else np.asarray(sizes, np.float64)
        totals = self._scaled(totals, counts)
        for start in range(0, len(totals), _BLOCK):
            self._bet(totals[start : start + _BLOCK], counts[start : start + _BLOCK])

    @property
    def interval(self) -> tuple[float, float]:
        """The least and the greatest mean that no look so far has rejected."""
        return self._edge(int(self._cells[0])), self._edge(int(self._cells[-1]) + 1)

    @property
    def groups(self) -> int:
        """How many groups were added."""
        return self._bets.count

    @property
    def values(self) -> int:
        """How many values they held."""
        return round(self._bets.weight)

    @property
    def mean(self) -> float | None:
        """The mean of the values added; None before the first."""
        return self.low + self.span * self._bets.total / self._bets.weight if self._bets.weight else None

    def _edge(self, cell: int) -> float:
        """Return the left edge of a cell; a mixture of both ends has no noise in its last digits."""
        return (self.low * (CELLS - cell) + self.high * cell) / CELLS

    def excludes(self, mean: float) -> bool:
        """Return whether this mean is rejected."""
        low, high = self.interval
        return not low <= mean <= high

    def _scaled(self, sums: Vector, sizes: Vector) -> Vector:
        """Return sums of values in [0, 1]."""
        if (sizes > self._bets.largest).any():
            raise ValueError(f"a group of {sizes.max():g} values, where {self._bets.largest:g} was said to be the largest")
        scaled = (sums - self.low * sizes) / self.span
        excess = np.maximum(-scaled, scaled - sizes)
        if not (excess <= _OUTSIDE * np.maximum(sizes, 1.0)).all():
            worst = int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))
            raise ValueError(
                f"a group of {sizes[worst]:g} values with the sum {sums[worst]:g}, outside {self.low:g} to {self.high:g} a value"
            )
        return np.clip(scaled, 0.0, sizes)

    def _bet(self, sums: Vector, sizes: Vector) -> None:
        """Let both gamblers bet on a block of groups, and keep the cells that no step of it rejects."""
        bets = self._bets.next(sums, sizes)
        if self._empty:
            return
        left, right = self._cells / CELLS, (self._cells + 1) / CELLS
        # Wealth falls as the mean rises for the first gambler and rises for the second: the least that a mean in the
        # cell can bring is that of its right edge and of its left one.
        up = self._path(self._up, np.minimum(bets, AT_RISK / right[:, None]), sums, sizes, right)
        down = self._path(self._down, -np.minimum(bets, AT_RISK / (1 - left[:, None])), sums, sizes, left)
        rejected = np.concatenate([up + down >= self._limit, np.ones((len(up), 1), bool)], axis=1)
        step = rejected.argmax(1)
        # Values that are no sample of one mean reject all of them; the cells that held out longest then stay.
        kept = step == step.max()
        self._empty = bool(step.max() < len(sums))
        self._cells, self._up, self._down = self._cells[kept], up[kept, -1], down[kept, -1]

    def _path(self, wealth: Vector, bets: Vector, sums: Vector, sizes: Vector, means: Vector) -> Vector:
        """Return the wealth against each mean after each group."""
        factors = 1 + bets * ((sums - means[:, None] * sizes) / self._bets.largest)
        factors[:, 0] *= wealth
        return np.multiply.accumulate(factors, axis=1)


def _running(start: float, steps: Vector | Sequence[float]) -> Vector:
    """Return the sums of the first steps, from none to all; the same numbers however the steps are split."""
    return np.add.accumulate(np.concatenate([[start], steps]))
