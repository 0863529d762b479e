"""What each system reached on each sample: wins, ties and losses, and the samples that changed most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalharness.results.values import Values
from evalharness.scoring import Score

_TIE = 1e-9


@dataclass(frozen=True)
class Counts:
    """On how many samples the second system is better, equal and worse; `better` of the score taken into account."""

    wins: int
    ties: int
    losses: int


@dataclass(frozen=True)
class Change:
    """A sample on which two systems differ: its id, both values, and `b - a`."""

    id: str
    a: float
    b: float
    difference: float


def common(a: Values, b: Values) -> tuple[Values, Values]:
    """Return both restricted to the samples that both have, in one order."""
    if np.array_equal(a.ids, b.ids):
        return a, b
    _, first, second = np.intersect1d(a.ids, b.ids, assume_unique=True, return_indices=True)
    return a.take(first), b.take(second)


def count(score: Score, a: NDArray[np.float64], b: NDArray[np.float64]) -> Counts:
    """Return wins, ties and losses of the second over the samples that both have a value for."""
    gaps = _oriented(score, a, b)
    gaps = gaps[np.isfinite(gaps)]
    wins, losses = int((gaps > 0).sum()), int((gaps < 0).sum())
    return Counts(wins, len(gaps) - wins - losses, losses)


def _oriented(score: Score, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much better the second is on each sample; what is but rounding is 0."""
    gaps = (b - a) if score.better == "higher" else (a - b)
    return np.where(np.abs(gaps) <= _TIE * np.maximum(np.abs(a), np.abs(b)), 0.0, gaps)


def changes(name: str, a: Values, b: Values, limit: int) -> list[Change]:
    """Return the samples on which two aligned systems differ most in one score, the largest difference first."""
    gaps = b.by_score[name] - a.by_score[name]
    size = np.where(np.isfinite(gaps), np.abs(gaps), 0.0)
    order = np.lexsort((a.ids, -size))[:limit]
    return [
        Change(str(a.ids[row]), float(a.by_score[name][row]), float(b.by_score[name][row]), float(gaps[row]))
        for row in order
        if size[row] > 0
    ]
