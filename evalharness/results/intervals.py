"""The interval of an arm's score: what the samples leave open, or what the seeds do, whichever is wider."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evalharness.results.record import Record


def t_interval(values: Sequence[float], middle: float | None = None) -> tuple[float, float] | None:
    """Return the 95 % t interval of a mean, around `middle` where that is given; None for fewer than two values.

    >>> low, high = t_interval([1.0, 2.0, 3.0])
    >>> round(low, 2), round(high, 2)
    (-0.48, 4.48)
    """
    from scipy.special import stdtrit

    count = len(values)
    if count < 2:
        return None
    mean = math.fsum(values) / count
    se = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1) / count)
    half = float(stdtrit(count - 1, 0.975)) * se
    centre = mean if middle is None else middle
    return centre - half, centre + half


def interval_of(record: Record, name: str) -> tuple[float, float] | None:
    """Return the interval of an arm's score: that of the samples or that of the seeds, whichever is wider; None without one."""
    score = record.scores[name]
    if score.value is None:
        return None
    sample = None if score.low is None or score.high is None else (score.low, score.high)
    values = [value for value in (record.seeds or {"scores": {name: []}})["scores"][name] if value is not None]
    by_seed = t_interval(values, score.value)
    if by_seed is None or (sample is not None and by_seed[1] - by_seed[0] <= sample[1] - sample[0]):
        return sample
    low, high = score.range or (None, None)
    return (by_seed[0] if low is None else max(low, by_seed[0])), (by_seed[1] if high is None else min(high, by_seed[1]))
