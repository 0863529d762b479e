"""The interval of one score in closed form, from the influence of each group; no resampling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from evalharness.contract.metrics import Range

Vector = NDArray[np.float64]

BOUNDED_MEAN = "bounded mean"
FEWEST_GROUPS = 5
FEWEST_REPLICATES = 50
# A standard error this small beside the value is what rounding leaves of no variation at all.
_ROUNDING = 1e-12
# So far beyond its range is no rounding.
_OUTSIDE = 1e-9


@dataclass(frozen=True)
class Interval:
    """Ends of an interval, the rule that gave them (in words), standard error and degrees of freedom.

    Without ends, `reason` says why.
    """

    low: float | None = None
    high: float | None = None
    rule: str | None = None
    reason: str | None = None
    se: float | None = None
    df: float | None = None


@dataclass(frozen=True)
class Shape:
    """What the rule for a score is picked by: its range, and whether it is a plain mean; and what it is over.

    `groups` and `samples` are those in the score; `clustered`: whether the task names a group; `level`: coverage.
    """

    range: Range
    is_mean: bool
    samples: int
    groups: int
    clustered: bool = False
    level: float = 0.95

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Both ends of the range, where both are known."""
        low, high = self.range or (None, None)
        return None if low is None or high is None else (float(low), float(high))

    @property
    def rule(self) -> str:
        """The name of the rule."""
        low = (self.range or (None, None))[0]
        if self.bounds and self.is_mean:
            return BOUNDED_MEAN
        if low is None or low < 0:
            return "signed"
        return "other bounded" if self.bounds else "positive"

    def quantile(self, df: float) -> float:
        """Return the two-sided quantile of Student's t."""
        return float(stdtrit(df, (1 + self.level) / 2))

    def clip(self, low: float, high: float) -> tuple[float, float]:
        """Return the ends within the range."""
        least, most = self.range or (None, None)
        return (low if least is None else max(low, float(least))), (high if most is None else min(high, float(most)))


@dataclass(frozen=True)
class Influence:
    """Standard error, skewness and effective degrees of freedom of a score, from its jackknife."""

    se: float
    skewness: float
    df: float
    count: int

    @classmethod
    def of(cls, differences: Vector) -> Influence:
        """Return the moments of `mean(J) - J`, one a group."""
        count = len(differences)
        largest = float(np.abs(differences).max())
        if largest == 0.0:
            return cls(0.0, 0.0, count - 1.0, count)
        squares = (differences / largest) ** 2  # so that no power of them overflows, or loses what is tiny
        total = float(squares.sum())
        shares = squares / total
        df = min(max(3 / float((shares**2).sum()) - 1, 2.0), count - 1.0)
        skewness = float((np.sign(differences) * shares**1.5).sum()) * math.sqrt(count)
        return cls(largest * math.sqrt((count - 1) / count * total), skewness, df, count)

    def hall(self, x: float) -> float:
        """Return Hall's transformation of a t quantile, which corrects it for skewness."""
        if abs(self.skewness) < 1e-9:
            return x
        root, g = math.sqrt(self.count), self.skewness
        return 3 * root / g * (float(np.cbrt(1 + g * (x / root - g / (6 * self.count)))) - 1)


def varies(left_out: Vector) -> bool:
    """Return whether leaving out some group changes a score, where it has a value without it.

    >>> varies(np.array([1.0, np.nan, 1.0])), varies(np.array([1.0, 0.9]))
    (False, True)
    """
    finite = left_out[np.isfinite(left_out)]
    return bool(len(finite)) and bool(np.ptp(finite) > _ROUNDING * np.abs(finite).max())


def closed_form(value: float, left_out: Vector, shape: Shape) -> Interval:
    """Return the interval of a score from its values with each group left out.

    A value that is not finite (a class vanished with the group) counts as no influence.
    """
    reason = _hopeless(value, shape)
    if reason is None and not np.isfinite(left_out).any():
        reason = "undefined without any one of its groups"
    if reason is not None:
        return Interval(reason=reason)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows has no finite ends, and that is said
        return _by_rule(value, left_out, shape)


def _by_rule(value: float, left_out: Vector, shape: Shape) -> Interval:
    differences = _differences(left_out)
    influence = Influence.of(differences)
    if influence.se <= _ROUNDING * _size(value, shape):
        influence = Influence(0.0, 0.0, influence.df, influence.count)
    if shape.rule in (BOUNDED_MEAN, "other bounded"):
        return _bounded(value, influence, shape)
    if shape.rule == "positive" and value == 0:
        return Interval(reason="a score of exactly 0 has no logarithm", se=_finite(influence.se))
    if influence.se == 0.0:
        return _no_variation(value, shape)
    if shape.rule == "positive":
        return _positive(value, left_out, differences, influence, shape)
    t = shape.quantile(influence.df) * influence.se
    low, high = _hull((value - t, value + t), _hall_ends(value, influence, shape))
    return _interval(low, high, influence, influence.df, shape)


def from_spread(value: float, replicates: Vector, shape: Shape) -> Interval:
    """Return `value +- t * sd(replicates)`, for scores that no sums give."""
    reason = _hopeless(value, shape)
    defined = replicates[np.isfinite(replicates)]
    lost = len(replicates) - len(defined)
    if reason is None and lost > 0.01 * len(replicates):
        reason = f"{lost} of {len(replicates)} replicates are undefined"
    if reason is None and len(defined) < FEWEST_REPLICATES:
        reason = f"fewer than {FEWEST_REPLICATES} replicates"
    if reason is not None:
        return Interval(reason=reason)
    se = float(defined.std(ddof=1))
    if se <= _ROUNDING * _size(value, shape):
        return _no_variation(value, shape)
    t = shape.quantile(shape.groups - 1) * se
    low, high = shape.clip(value - t, value + t)
    return Interval(low, high, f"spread of {len(defined)} replicates", None, se, shape.groups - 1.0)


def _hopeless(value: float, shape: Shape) -> str | None:
    """Return why no rule has an interval for this value, or None."""
    if shape.groups < FEWEST_GROUPS:
        return f"fewer than {FEWEST_GROUPS} groups"
    least, most = shape.clip(value, value)
    if max(least - value, value - most) > _OUTSIDE * max(abs(value), 1.0):
        return f"the value lies outside the range that the metric states, {shape.range}"
    return None


def _size(value: float, shape: Shape) -> float:
    return max(abs(value), shape.bounds[1] - shape.bounds[0] if shape.bounds else 0.0)


def _differences(left_out: Vector) -> Vector:
    finite = np.isfinite(left_out)
    if not finite.any():
        return np.zeros(len(left_out))
    return np.where(finite, left_out[finite].mean() - left_out, 0.0)


def _bounded(value: float, influence: Influence, shape: Shape) -> Interval:
    """Agresti-Coull with an effective sample size, for a score within two bounds."""
    assert shape.bounds is not None
    least, span = shape.bounds[0], shape.bounds[1] - shape.bounds[0]
    p = min(max((value - least) / span, 0.0), 1.0)
    df = shape.groups - 1.0 if shape.is_mean else min(influence.df, shape.groups - 1.0)
    c = shape.quantile(df)
    spread = p * (1 - p)
    v = 1 / shape.groups
    if spread > 0 and influence.se > 0:
        v = (influence.se / span) ** 2 * (influence.count - 1) / influence.count / spread
    if shape.clustered and shape.is_mean:
        rare = shape.samples * min(p, 1 - p)
        v = (rare * v + 0.5 / shape.groups) / (rare + 0.5)
    middle = (p + c * c * v / 2) / (1 + c * c * v)
    half = c * math.sqrt(middle * (1 - middle) * v / (1 + c * c * v))
    return _interval(least + span * (middle - half), least + span * (middle + half), influence, df, shape)


def _no_variation(value: float, shape: Shape) -> Interval:
    if shape.bounds is None:
        return Interval(reason="no variation", se=0.0)
    c = shape.quantile(shape.groups - 1)
    half = (shape.bounds[1] - shape.bounds[0]) / 2 * c * c / (shape.groups + c * c)
    low, high = shape.clip(value - half, value + half)
    return Interval(low, high, shape.rule, None, 0.0, shape.groups - 1.0)


def _positive(value: float, left_out: Vector, differences: Vector, influence: Influence, shape: Shape) -> Interval:
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(left_out)
    # Where leaving a group out leaves 0, the logarithm has no value; its slope at the score stands in.
    relative = np.where(left_out > 0, _differences(logs), differences / value)
    log_influence = Influence.of(relative)
    factor = math.exp(min(shape.quantile(log_influence.df) * log_influence.se, 700.0))
    low, high = _hull((value / factor, value * factor), _hall_ends(value, influence, shape))
    return _interval(low, high, influence, log_influence.df, shape)


def _hall_ends(value: float, influence: Influence, shape: Shape) -> tuple[float, float]:
    c = shape.quantile(shape.groups - 1)
    return value - influence.se * influence.hall(c), value - influence.se * influence.hall(-c)


def _hull(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    return min(first[0], second[0]), max(first[1], second[1])


def _interval(low: float, high: float, influence: Influence, df: float, shape: Shape) -> Interval:
    low, high = shape.clip(low, high)
    if not (math.isfinite(low) and math.isfinite(high)):
        return Interval(reason="its ends are beyond all numbers", se=_finite(influence.se))
    return Interval(low, high, shape.rule, None, influence.se, df)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
