"""Many tests at once: nine systems against a baseline on twenty tasks, 30 % of the differences real (section 5)."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from benchmarks.statistics.figures import Cell
from benchmarks.statistics.pairs import LIKENESS, answers
from benchmarks.statistics.shipped import Share, entry, of_mean, random_of, scored
from evalharness.scoring.families import benjamini_hochberg, holm
from evalharness.scoring.paired import difference

RUNS = 500
LEVEL = 0.05
SYSTEMS, TASKS, SAMPLES = 9, 20, 200
SHARE = 0.7
# Of the real differences: the reference's false discovery rate of .111 without adjustment means a power of .934.
ERRORS_AWAY = 3.47
REAL = np.arange(SYSTEMS * TASKS).reshape(TASKS, SYSTEMS) % 10 < 3


def many(runs: int = RUNS) -> Iterator[Cell]:
    """Yield family-wise error, false discovery rate and power of both adjustments, and of none."""
    random = random_of("many")
    values = np.array([_p_values(random) for _ in range(runs)])
    for name, adjust in (("unadjusted", list), ("holm", holm), ("benjamini-hochberg", benjamini_hochberg)):
        claimed = np.array([adjust(row.tolist()) for row in values]) <= LEVEL
        false, true = (claimed & ~REAL.ravel()).sum(1), (claimed & REAL.ravel()).sum(1)
        if name != "benjamini-hochberg":
            yield Cell.of("many", f"{name}: family-wise error", false > 0)
        if name != "holm":
            yield Cell.of("many", f"{name}: false discovery rate", false / np.maximum(false + true, 1))
        if name != "unadjusted":
            yield Cell.of("many", f"{name}: power", true / REAL.sum())


def _p_values(random: np.random.Generator) -> NDArray[np.float64]:
    """Return the p-values of all systems against the baseline, from replicates, task by task."""
    made, found = entry(Share), []
    for real in REAL:
        table = answers(random, SHARE + np.append(0.0, _gain() * real), SAMPLES)
        base, *others = (scored(made, of_mean(row)) for row in table)
        for other in others:
            pair = base.replicates["share"], other.replicates["share"]
            found.append(difference(base.scores["share"], other.scores["share"], pair).p)
    return np.array(found, float)


@functools.cache
def _gain() -> float:
    """Return the real difference of shares that lies as many standard errors from 0 as it should."""
    low, high = 0.0, 1 - SHARE
    for _ in range(30):
        middle = (low + high) / 2
        variance = _disagreement(SHARE, SHARE + middle) - middle**2
        low, high = (middle, high) if middle < ERRORS_AWAY * math.sqrt(variance / SAMPLES) else (low, middle)
    return low


def _disagreement(a: float, b: float) -> float:
    """Return on which share of samples exactly one of two systems is right, by integration over the difficulty."""
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    right = [ndtr((ndtri(share) - math.sqrt(LIKENESS) * points) / math.sqrt(1 - LIKENESS)) for share in (a, b)]
    return a + b - 2 * float((weights * right[0] * right[1]).sum() / weights.sum())
