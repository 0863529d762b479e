"""Ranks with simultaneous confidence sets: max-t step-down over all paired differences of aligned replicates.

With the chance `level`, all true ranks lie in their sets at once. Source: Mogstad, Romano, Shaikh and Wilhelm, Inference
for Ranks with Applications to Mobility across Neighborhoods and Academic Achievement across Countries (2024).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from evalharness.scoring.paired import spreads

_ROWS = 64
_TAILS = 4  # so many times the draws beyond the quantile are looked at again
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Ranking:
    """Rank sets from `low` to `high`, 1 the best, in the order given; `better[i, j]`: i is significantly better than j."""

    low: tuple[int, ...]
    high: tuple[int, ...]
    better: NDArray[np.bool_]


def rank(
    values: NDArray[Any],
    replicates: NDArray[Any],
    *,
    better: Literal["higher", "lower"],
    df: float,
    level: float = 0.95,
    bounds: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> Ranking:
    """Return the simultaneous rank sets of k systems from values (k,) and aligned replicates (k, draws).

    `df`: degrees of freedom of the differences, groups - 1. `bounds`: the least and the most that each value could be,
    whatever the samples had given that were lost to errors; a system counts as better than another only where the worst
    it could be is significantly better than the best that the other could be. A pair without variation is never called
    different. Draws that are undefined in one of a pair are left out of that pair.
    """
    values = np.asarray(values, np.float64)
    least, most = (np.asarray(end, np.float64) for end in bounds or (values, values))
    worst, best = (least, most) if better == "higher" else (-most, -least)
    sd = spreads(replicates)
    with np.errstate(divide="ignore", invalid="ignore"):
        ahead = np.where(sd > 0, np.maximum(worst[:, None] - best, 0.0) / sd, 0.0)
    quantile = float(stdtrit(df, (1 + level) / 2))
    rejected = _step_down(np.maximum(ahead, ahead.T), _deviations(replicates), sd, quantile, level)
    above = rejected & (ahead > 0)
    low, high = 1 + above.sum(0), len(values) - above.sum(1)
    return Ranking(tuple(low.tolist()), tuple(high.tolist()), above)


def _deviations(replicates: NDArray[Any]) -> NDArray[np.float32]:
    """Return the deviations of the replicates from their means, NaN where a draw is undefined."""
    table = np.where(np.isfinite(replicates), replicates, np.nan).astype(np.float64)
    counts = np.maximum(np.isfinite(table).sum(1, keepdims=True), 1)
    return (table - np.nansum(table, 1, keepdims=True) / counts).astype(np.float32)


def _step_down(
    statistics: NDArray[np.float64], deviations: NDArray[np.float32], sd: NDArray[np.float64], t: float, level: float
) -> NDArray[np.bool_]:
    """Return which pairs (k, k) are different: what is rejected is left out of the next maximum, until nothing is new."""
    rejected = np.zeros(statistics.shape, bool)
    open_pairs = np.triu(sd > 0, 1)
    largest = np.full(deviations.shape[1], np.inf, np.float32)
    while open_pairs.any():
        largest = _lowered(largest, deviations, sd, open_pairs, level)
        critical = float(np.quantile(largest, level)) * t / float(ndtri((1 + level) / 2))
        new = open_pairs & (statistics > critical)
        if not new.any():
            break
        rejected |= new | new.T
        open_pairs &= ~new
    return rejected


def _lowered(
    bounds: NDArray[np.float32], deviations: NDArray[np.float32], sd: NDArray[np.float64], pairs: NDArray[np.bool_], level: float
) -> NDArray[np.float32]:
    """Return the largest standardised difference of each draw, exact where their quantile is; `bounds` are not below them.

    With fewer pairs a draw's maximum falls. So the quantile needs only the draws that were largest before, as long as it
    comes out above all that the others were.
    """
    order = np.argsort(-bounds, kind="stable")
    count = len(bounds) if np.isinf(bounds).all() else min(len(bounds), math.ceil(_TAILS * (1 - level) * len(bounds)))
    largest = bounds.copy()
    largest[order[:count]] = _largest(deviations[:, order[:count]], sd, pairs)
    if count < len(bounds) and np.quantile(largest, level, method="lower") < bounds[order[count]]:
        return _largest(deviations, sd, pairs)
    return largest


def _largest(deviations: NDArray[np.float32], sd: NDArray[np.float64], pairs: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return for each draw the largest standardised difference over these pairs."""
    largest = np.zeros(deviations.shape[1], np.float32)
    for first, seconds in _by_first(pairs):
        scale = (1 / sd[first, seconds]).astype(np.float32)
        for start in range(0, len(seconds), _ROWS):
            part = slice(start, start + _ROWS)
            gaps = np.abs(deviations[seconds[part]] - deviations[first])
            gaps *= scale[part, None]
            np.fmax(largest, np.fmax.reduce(gaps, axis=0), out=largest)
    return largest


def _by_first(pairs: NDArray[np.bool_]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    for first in np.flatnonzero(pairs.any(1)).tolist():
        yield first, np.flatnonzero(pairs[first])


def tie_groups(values: Sequence[float], ranking: Ranking, better: Literal["higher", "lower"]) -> list[str]:
    """Return letters for each system, in the order given: two that share a letter cannot be told apart.

    A group is a longest run of systems, ordered by value, of which none is significantly better than another; the letter
    a is that of the best. Beyond 26 groups letters are followed by a number.

    >>> better = np.array([[False, False, True], [False, False, False], [False, False, False]])
    >>> tie_groups([0.9, 0.8, 0.7], Ranking((1, 1, 2), (2, 3, 3), better), "higher")
    ['a', 'ab', 'b']
    """
    sign = -1.0 if better == "higher" else 1.0
    order = sorted(range(len(values)), key=lambda place: (sign * values[place], place))
    told_apart = ranking.better | ranking.better.T
    letters = [""] * len(values)
    for number, (start, stop) in enumerate(_runs(told_apart[np.ix_(order, order)])):
        for place in order[start:stop]:
            letters[place] += _letter(number)
    return letters


def _runs(told_apart: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield the longest runs [start, stop) in which no two are told apart, none within another."""
    last = 0
    for start in range(len(told_apart)):
        stop = start + 1
        while stop < len(told_apart) and not told_apart[start:stop, stop].any():
            stop += 1
        if stop > last:
            yield start, stop
            last = stop


def _letter(number: int) -> str:
    return LETTERS[number % 26] + (str(number // 26 + 1) if number >= 26 else "")
