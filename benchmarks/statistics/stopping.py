"""Sample size and stopping early: what a plan needs, and what planned betting saves and risks (section 6)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.figures import Cell
from benchmarks.statistics.shipped import random_of
from evalharness.scoring.paired import of_spread
from evalharness.scoring.power import binary_samples
from evalharness.scoring.sequential import BettingSequence

RUNS = 300
LEVEL = 0.05
LONGEST = 8  # fixed samples; a sequence that has not decided by then counts as this long
LOOKS = 20
STEPS = 200


def stopping(runs: int = RUNS) -> Iterator[Cell]:
    """Yield planned sizes, and for each disagreement and difference false alarms and lengths in units of the fixed n."""
    for wanted in (0.05, 0.02):
        # The reference says 620 and 3,900.
        planned = float(f"{binary_samples(0.2, wanted):.2g}")
        yield Cell.of("stopping", f"samples for {wanted:g} at q=.2".replace("0.", "."), np.array([planned]))
    for disagreement in (0.1, 0.3):
        for wanted in (0.02, 0.05):
            yield from _setting(disagreement, wanted, runs)


def _setting(disagreement: float, wanted: float, runs: int) -> Iterator[Cell]:
    count = binary_samples(disagreement, wanted)
    random = random_of("stopping", disagreement, wanted)
    label = f"q={disagreement:g}, difference {wanted:g}: ".replace("0.", ".")
    alarms = np.array([peeked(gaps(random, disagreement, 0.0, count)) for _ in range(5 * runs)])
    yield Cell.of("stopping", f"{label}peeking {LOOKS} times, false alarms", alarms)
    false, planned, twice = (
        np.array([length(gaps(random, disagreement, difference, LONGEST * count), count) for _ in range(runs)])
        for difference in (0.0, wanted, 2 * wanted)
    )
    yield Cell.of("stopping", f"{label}betting, false alarms", np.isfinite(false))
    yield Cell.of("stopping", f"{label}betting, mean n", np.minimum(planned, LONGEST))
    yield Cell.of("stopping", f"{label}betting, decided by n", planned <= 1)
    yield Cell.of("stopping", f"{label}betting, mean n at twice the difference", np.minimum(twice, LONGEST))


def gaps(random: np.random.Generator, disagreement: float, difference: float, count: int) -> NDArray[np.float64]:
    """Return paired differences of right and wrong: -1, 0 and 1."""
    u = random.random(count)
    won, lost = u < (disagreement + difference) / 2, u > 1 - (disagreement - difference) / 2
    return won.astype(float) - lost


def length(differences: NDArray[np.float64], count: int, steps: int = STEPS) -> float:
    """Return after how many samples, in units of the planned count, the sequence excludes 0; infinite where it never does.

    It is looked at so many times within the planned count, and as often after it.
    """
    sequence, step = BettingSequence.paired(0.0, 1.0, planned=count), max(1, count // steps)
    for start in range(0, len(differences), step):
        sequence.add(differences[start : start + step])
        if sequence.excludes(0.0):
            return min(start + step, len(differences)) / count
    return math.inf


def peeked(differences: NDArray[np.float64]) -> bool:
    """Return whether one of 20 looks with the interval for a fixed number of samples excludes 0."""
    ends = len(differences) * np.arange(1, LOOKS + 1) // LOOKS
    return any(_differs(differences[:end]) for end in ends)


def _differs(differences: NDArray[np.float64]) -> bool:
    sd = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    p = of_spread(float(differences.mean()), sd, len(differences)).p if sd > 0 else 1.0
    return p is not None and p <= LEVEL
