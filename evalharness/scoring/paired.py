"""The difference of two scores on one task: paired through their aligned replicates, or sample by sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from evalharness.scoring.intervals import FEWEST_GROUPS, FEWEST_REPLICATES
from evalharness.scoring.score import Score

Vector = NDArray[np.float64]

# So many replicates of a hundred may be undefined in one of the two systems.
UNDEFINED_PERCENT = 1
SWAPS = 9_999
EXACT_GROUPS = 13  # 2 ** 13 patterns are fewer than those drawn
_SWAPS_AT_ONCE = 1_024
_ROUNDING = 1e-7  # replicates are float32


@dataclass(frozen=True, kw_only=True)
class Difference:
    """`b - a` in the unit of the score, with its interval, a two-sided p-value and what they rest on.

    `effect` is the standardised paired difference, `value / (se * sqrt(groups))`: how many standard deviations of the
    difference of one group. Where there is no interval, `reason` says why.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    p: float | None = None
    se: float | None = None
    df: float | None = None
    groups: int = 0
    effect: float | None = None
    reason: str | None = None


def difference(a: Score, b: Score, replicates: tuple[NDArray[Any], NDArray[Any]], level: float = 0.95) -> Difference:
    """Return `b - a` with `value +- t * sd`, sd that of the differences of aligned replicates, t with G - 1 degrees.

    More than one per cent of undefined draws, fewer than five groups or no replicates leave the value without an
    interval. Whether the replicates are aligned is the caller's to check.

    >>> a, b = Score(value=0.5, groups=40), Score(value=0.6, groups=40)
    >>> draws = np.random.default_rng(0).normal(0, 0.02, (2, 1000))
    >>> found = difference(a, b, (0.5 + draws[0], 0.6 + draws[1]))
    >>> round(found.value, 3), round(found.se, 3), found.p < 0.01
    (0.1, 0.027, True)
    """
    if a.value is None or b.value is None:
        side = "the first" if a.value is None else "the second"
        return Difference(value=None, level=level, reason=f"{side} system has no value: {(a if a.value is None else b).reason}")
    value, groups = b.value - a.value, min(a.groups, b.groups)
    draws, reason = _paired_draws(*replicates, groups)
    if reason is not None:
        return Difference(value=value, level=level, groups=groups, reason=reason)
    size = max(abs(a.value), abs(b.value))
    sd = float(draws.std(ddof=1))
    if sd <= _ROUNDING * size:
        return _no_variation(0.0 if abs(value) <= _ROUNDING * size else value, groups, _span(a), level)
    return of_spread(value, sd, groups, _span(a), level)


def _span(score: Score) -> float | None:
    low, high = score.range or (None, None)
    return None if low is None or high is None else high - low


def why_unusable(draws: NDArray[Any]) -> str | None:
    """Return why replicates, or paired differences of them, say nothing of a spread; None where they do."""
    count, defined = len(draws), int(np.isfinite(draws).sum())
    if not count:
        return "no replicates to pair"
    if 100 * (count - defined) > UNDEFINED_PERCENT * count:
        return f"{count - defined} of {count} replicates are undefined"
    return f"fewer than {FEWEST_REPLICATES} replicates" if defined < FEWEST_REPLICATES else None


def _paired_draws(a: NDArray[Any], b: NDArray[Any], groups: int) -> tuple[Vector, str | None]:
    """Return the differences of the draws that both have, and why they do not suffice, or None."""
    count = min(len(a), len(b))
    draws = b[:count].astype(np.float64) - a[:count]
    reason = f"fewer than {FEWEST_GROUPS} groups" if groups < FEWEST_GROUPS else why_unusable(draws)
    return draws[np.isfinite(draws)], reason


def of_spread(value: float, sd: float, groups: int, span: float | None = None, level: float = 0.95) -> Difference:
    """Return the difference that a paired standard deviation above 0 gives, its interval within what a range allows."""
    df = groups - 1.0
    half = float(stdtrit(df, (1 + level) / 2)) * sd
    p = float(2 * stdtr(df, -abs(value) / sd))
    effect = value / (sd * math.sqrt(groups))
    low, high = _within(value - half, value + half, span)
    return Difference(value=value, low=low, high=high, level=level, p=p, se=sd, df=df, groups=groups, effect=effect)


def _within(low: float, high: float, span: float | None) -> tuple[float, float]:
    """Return the ends within the differences that two scores of a range can have."""
    return (low, high) if span is None else (max(low, -span), min(high, span))


def _no_variation(value: float, groups: int, span: float | None, level: float) -> Difference:
    """Return a difference that is the same in all groups: it has a width all the same, where the range is known.

    Its p-value is that of the sign-flip test: 1 where all are equal, else the chance that all groups agree in sign.
    """
    df, p = groups - 1.0, 1.0 if value == 0 else 2.0 ** (1 - groups)
    found = Difference(value=value, level=level, p=p, se=0.0, df=df, groups=groups)
    if span is None:
        return replace(found, reason="no variation")
    c = float(stdtrit(df, (1 + level) / 2)) ** 2
    half = span * c / (groups + c)
    low, high = _within(value - half, value + half, span)
    return replace(found, low=low, high=high)


def spreads(replicates: NDArray[Any]) -> Vector:
    """Return the standard deviation of every paired difference (k, k) of aligned replicates (k, draws).

    NaN for systems that have an undefined draw in more than one per cent, 0 on the diagonal. Draws that are undefined in
    one of a pair are left out of that pair.
    """
    table = replicates.astype(np.float64)
    undefined = ~np.isfinite(table)
    hopeless = 100 * undefined.sum(1) > UNDEFINED_PERCENT * table.shape[1]
    table[undefined] = 0.0
    counts = np.maximum((~undefined).sum(1, keepdims=True), 1)
    table -= table.sum(1, keepdims=True) / counts
    table[undefined] = 0.0
    squares = _squares(table, ~undefined if undefined.any() else None)
    result = np.sqrt(squares)
    result[hopeless] = result[:, hopeless] = np.nan
    return result


def _squares(centred: Vector, defined: NDArray[np.bool_] | None) -> Vector:
    """Return the variance of every paired difference of centred rows, 0 where only float32's rounding is left."""
    products = centred @ centred.T
    own = np.diag(products)
    totals = own[:, None] + own
    count: Any = centred.shape[1]
    if defined is not None:  # what each row has where the other is defined, too
        mask = defined.astype(np.float64)
        count = np.maximum(mask @ mask.T, 2.0)
        within, shift = centred**2 @ mask.T, centred @ mask.T
        totals = within + within.T - (shift - shift.T) ** 2 / count
    squares = totals - 2 * products
    squares[squares <= _ROUNDING * totals] = 0.0
    return squares / (count - 1)


def label_swap(gaps: Callable[[NDArray[np.bool_]], Vector], groups: int, seed: int = 0) -> float:
    """Return the two-sided p-value of a difference under all, or 9,999 drawn, exchanges of the two labels group by group.

    The conservative check for few groups: exact where the systems are alike, whatever the shape of their scores. `gaps`
    gives the difference for each row of a table (draws, groups), True where a group keeps its labels.

    >>> totals = np.array([1.0, 2.0, 3.0, 4.0, 5.0])  # of `b - a`, by group
    >>> label_swap(lambda kept: np.where(kept, totals, -totals).sum(1), 5)
    0.0625
    """
    observed = abs(float(gaps(np.ones((1, groups), bool))[0]))
    if groups <= EXACT_GROUPS:
        patterns = (np.arange(2**groups)[:, None] >> np.arange(groups)) & 1 == 1
        blocks = (patterns[start : start + _SWAPS_AT_ONCE] for start in range(0, len(patterns), _SWAPS_AT_ONCE))
        return sum(int(_as_far(gaps(block), observed).sum()) for block in blocks) / len(patterns)
    generator = np.random.Generator(np.random.PCG64(seed))
    far = 0
    for start in range(0, SWAPS, _SWAPS_AT_ONCE):
        drawn = generator.integers(0, 2, (min(_SWAPS_AT_ONCE, SWAPS - start), groups), dtype=np.int8) == 1
        far += int(_as_far(gaps(drawn), observed).sum())
    return (1 + far) / (1 + SWAPS)


def _as_far(gaps: Vector, observed: float) -> NDArray[np.bool_]:
    """Return which differences are at least as large, rounding apart; an undefined one is as large as any."""
    return ~(np.abs(gaps) < observed * (1 - 1e-9))
