"""The difference of two scores on one task: paired through their aligned replicates, or sample by sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from evalharness.scoring.intervals import FEWEST_GROUPS, FEWEST_REPLICATES
from evalharness.scoring.score import Score

Vector = NDArray[np.float64]

# So many replicates of a hundred may be undefined in one of the two systems.
UNDEFINED_PERCENT = 1
SIGN_FLIPS = 9_999
EXACT_GROUPS = 13  # 2 ** 13 sign patterns are fewer than those drawn
_ROUNDING = 1e-7  # replicates are float32
_NO_REPLICATES = "no replicates to pair"


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

    Identical systems differ by 0 with p = 1. More than one per cent of undefined draws, fewer than five groups or no
    replicates leave the value without an interval. Whether the replicates are aligned is the caller's to check.

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
    return of_spread(value, float(draws.std(ddof=1)), groups, level, rounding=_ROUNDING * size)


def _paired_draws(a: NDArray[Any], b: NDArray[Any], groups: int) -> tuple[Vector, str | None]:
    """Return the differences of the draws that both have, and why they do not suffice, or None."""
    count = min(len(a), len(b))
    draws = b[:count].astype(np.float64) - a[:count]
    defined = draws[np.isfinite(draws)]
    lost = count - len(defined)
    if groups < FEWEST_GROUPS:
        return defined, f"fewer than {FEWEST_GROUPS} groups"
    if not count:
        return defined, _NO_REPLICATES
    if 100 * lost > UNDEFINED_PERCENT * count:
        return defined, f"{lost} of {count} replicates are undefined"
    return defined, f"fewer than {FEWEST_REPLICATES} replicates" if len(defined) < FEWEST_REPLICATES else None


def of_spread(value: float, sd: float, groups: int, level: float = 0.95, *, rounding: float = 0.0) -> Difference:
    """Return the difference that a paired standard deviation gives; an sd not above `rounding` is no variation at all."""
    df = groups - 1.0
    if sd <= rounding:
        if abs(value) > rounding:
            return Difference(value=value, level=level, groups=groups, se=0.0, df=df, reason="no variation")
        return Difference(value=value, low=value, high=value, level=level, p=1.0, se=0.0, df=df, groups=groups, effect=0.0)
    half = float(stdtrit(df, (1 + level) / 2)) * sd
    p = float(2 * stdtr(df, -abs(value) / sd))
    effect = value / (sd * math.sqrt(groups))
    return Difference(
        value=value, low=value - half, high=value + half, level=level, p=p, se=sd, df=df, groups=groups, effect=effect
    )


def spreads(replicates: NDArray[Any]) -> Vector:
    """Return the standard deviation of every paired difference (k, k) of aligned replicates (k, draws).

    NaN for systems that have an undefined draw in more than one per cent, 0 on the diagonal. Draws that are undefined
    for some system are left out for all, which one matrix product needs; `difference` leaves them out pair by pair.
    """
    table = replicates.astype(np.float64)
    undefined = ~np.isfinite(table)
    hopeless = 100 * undefined.sum(1) > UNDEFINED_PERCENT * table.shape[1]
    kept = ~undefined[~hopeless].any(0) if (~hopeless).any() else np.ones(table.shape[1], bool)
    centred = np.where(undefined, 0.0, table)[:, kept]
    centred -= centred.mean(1, keepdims=True)
    covariance = centred @ centred.T / max(kept.sum() - 1, 1)
    variance = np.diag(covariance)
    squares = variance[:, None] + variance - 2 * covariance
    # What a difference of equal rows leaves is rounding of float32, not variation.
    squares[squares <= _ROUNDING * (variance[:, None] + variance)] = 0.0
    result = np.sqrt(squares)
    result[hopeless] = result[:, hopeless] = np.nan
    return result


def sign_flip(totals: Vector, seed: int = 0) -> float:
    """Return the two-sided p-value of group totals of a difference under all, or 9,999 drawn, flips of their signs.

    The conservative check for few groups: exact where the differences are symmetric about 0, whatever their shape.
    `totals` (groups,) are the sums of `b - a` over the samples of each group.

    >>> sign_flip(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    0.0625
    """
    groups = len(totals)
    if groups <= EXACT_GROUPS:
        patterns = 1 - 2.0 * ((np.arange(2**groups)[:, None] >> np.arange(groups)) & 1)
        return float(np.mean(_as_far(np.abs(patterns @ totals), totals)))
    generator = np.random.Generator(np.random.PCG64(seed))
    patterns = 1 - 2.0 * generator.integers(0, 2, (SIGN_FLIPS, groups), dtype=np.int8)
    return float((1 + _as_far(np.abs(patterns @ totals), totals).sum()) / (1 + SIGN_FLIPS))


def _as_far(flipped: Vector, totals: Vector) -> NDArray[np.bool_]:
    return flipped >= abs(totals.sum()) - 1e-9 * np.abs(totals).sum()
