"""How small a difference a task can show, and how many samples a smaller one needs."""

from __future__ import annotations

import math

from scipy.special import ndtri, stdtrit

POWER = 0.8
LEVEL = 0.95
TINY, MOST = 1e-100, 1e18  # nobody needs an exact number of samples beyond


def detectable(se: float, df: float, *, power: float = POWER, level: float = LEVEL) -> float:
    """Return the smallest difference that is shown with this power, in the unit of the score.

    `se` is the standard error of the paired difference, `df` its degrees of freedom.

    >>> round(detectable(0.01, 199), 4)
    0.0281
    """
    return float(stdtrit(df, (1 + level) / 2) + ndtri(power)) * se


def samples_needed(samples: int, se: float, difference: float, *, power: float = POWER, level: float = LEVEL) -> int:
    """Return how many samples show a difference with this power, if they vary as these did; at least one.

    `se` is the standard error of the paired difference over `samples`; it falls with their square root.

    >>> samples_needed(200, 0.01, 0.0281), samples_needed(200, 0.01, 0.01)
    (199, 1570)
    """
    quantiles = _quantiles(power, level)
    return max(1, math.ceil(min(samples * (quantiles * se / max(difference, TINY)) ** 2, MOST)))


def binary_samples(disagreement: float, difference: float, *, power: float = POWER, level: float = LEVEL) -> int:
    """Return how many samples show a difference of two shares, from the share of samples on which the systems disagree.

    For planning without a past run; samples in groups need `1 + (size - 1) * correlation` times as many.

    >>> binary_samples(0.2, 0.05), binary_samples(0.2, 0.02)
    (621, 3917)
    """
    quantiles = _quantiles(power, level)
    return max(1, math.ceil(quantiles**2 * (disagreement - difference**2) / difference**2))


def binary_detectable(disagreement: float, samples: int, *, power: float = POWER, level: float = LEVEL) -> float:
    """Return the smallest difference of two shares that samples show, from the share on which the systems disagree.

    For planning without a past run, as `binary_samples`. Of values between 0 and 1 that are no shares it is the most that
    the difference has to be, where they differ on no more of the samples.

    >>> round(binary_detectable(0.2, 621), 3), round(binary_detectable(1.0, 100), 2)
    (0.05, 0.27)
    """
    quantiles = _quantiles(power, level)
    return quantiles * math.sqrt(disagreement / (samples + quantiles**2))


def _quantiles(power: float, level: float) -> float:
    return float(ndtri((1 + level) / 2) + ndtri(power))
