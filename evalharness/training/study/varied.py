"""What a varied number does to each arm: settings, data sets, break points, errors beside the first arm's, ranks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from scipy.stats import rankdata

from evalharness.results.intervals import t_interval
from evalharness.scoring import Score
from evalharness.training.study.reading import Case, Study

DATASET = "dataset"
Setting = tuple[str, ...]
Ends = tuple[float, float] | None


@dataclass(frozen=True)
class Grid:
    """The cases of a study along one number that varies (`key`), for each data set and each setting of what else varies.

    A case in which something else is not set, as the sides of no outliers are not, belongs to all of its settings.
    """

    study: Study
    key: str

    @classmethod
    def of(cls, study: Study) -> Grid | None:
        """Return the grid along the last key whose values are numbers, None where there is none."""
        varied = _values(study)
        numbers = [key for key, values in varied.items() if len(values) > 1 and all(isinstance(each, float) for each in values)]
        return cls(study, numbers[-1]) if numbers else None

    @cached_property
    def numbers(self) -> tuple[float, ...]:
        """The values of the number, ascending."""
        return tuple(sorted(float(value) for value in _values(self.study)[self.key]))

    @property
    def labels(self) -> list[str]:
        """The values of the number as they are written."""
        return [f"{value:g}" for value in self.numbers]

    @cached_property
    def data_key(self) -> str:
        """The key by which the data vary, or nothing."""
        named = [key for key in _values(self.study) if key.split(".")[0] == DATASET and key != self.key]
        return named[0] if named else ""

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """The labels of the data sets; one without a name where the data do not vary."""
        return tuple(map(str, _values(self.study).get(self.data_key, [""])))

    @cached_property
    def settings(self) -> list[Setting]:
        """The combinations of what else varies, in the order of the file."""
        return list(itertools.product(*self._others.values()))

    @cached_property
    def _others(self) -> dict[str, list[str]]:
        varied = _values(self.study).items()
        return {key: list(map(str, values)) for key, values in varied if key not in (self.key, self.data_key)}

    @cached_property
    def _cases(self) -> dict[tuple[Setting, str, float], Case]:
        found: dict[tuple[Setting, str, float], Case] = {}
        for setting, case in itertools.product(self.settings, self.study.cases):
            own = [str(case.sets.get(key, value)) for key, value in zip(self._others, setting, strict=True)]
            if tuple(own) == setting and self.key in case.sets:
                found[setting, str(case.sets.get(self.data_key, "")), float(case.sets[self.key])] = case
        return found

    def case(self, setting: Setting, data: str, place: int) -> Case | None:
        """Return the case of a setting and a data set at one of the numbers, None where it was not run."""
        return self._cases.get((setting, data, self.numbers[place]))

    def value(self, setting: Setting, data: str, place: int, arm: str, name: str) -> float | None:
        """Return the value of an arm there, None where it was not run or has none."""
        case = self.case(setting, data, place)
        return None if case is None or arm not in case.arms else case.record(arm).scores[name].value

    def values(self, setting: Setting, data: str, arm: str, name: str) -> list[float | None]:
        """Return the value of an arm at each of the numbers, None where there is none."""
        return [self.value(setting, data, place, arm, name) for place in range(len(self.numbers))]


def _values(study: Study) -> dict[str, list[float | str]]:
    """Return the different values of each key that varies, in the order of the file."""
    found: dict[str, dict[float | str, None]] = {}
    for case in study.cases:
        for key, value in case.sets.items():
            found.setdefault(key, {})[value] = None
    return {key: list(values) for key, values in found.items()}


def is_error(score: Score) -> bool:
    """Return whether a score is an error: 0 is best, and it has no largest value."""
    low, high = score.range or (None, None)
    return score.better == "lower" and low == 0 and high is None


def break_point(numbers: Sequence[float], values: Sequence[float | None], times: float = 2.0) -> float | None:
    """Return where a curve first reaches so many times its first value, interpolated; None where it never does.

    Raises ValueError where the first value is missing, or 0, which has no multiple.

    >>> break_point([0, 0.1, 0.2, 0.4], [1.0, 1.2, 1.8, 2.2]), break_point([0, 0.1], [1.0, 1.5])
    (0.3, None)
    """
    if not values[0]:
        raise ValueError("the first value is missing or 0")
    known = [(number, value) for number, value in zip(numbers, values, strict=True) if value is not None]
    limit = times * values[0]
    for (left, low), (right, high) in itertools.pairwise(known):
        if high >= limit:
            return round(left + (right - left) * (limit - low) / (high - low), 6)
    return None


def break_points(grid: Grid, setting: Setting, arm: str, name: str) -> list[float | None]:
    """Return the break point of an arm on each data set where its clean error is known, None where it bears all numbers."""
    curves = [grid.values(setting, data, arm, name) for data in grid.datasets]
    return [break_point(grid.numbers, values) for values in curves if values[0]]


@dataclass(frozen=True)
class Relative:
    """An arm beside the first one over the data sets: the mean ratio of the errors, or the mean difference of other scores."""

    value: float
    ends: Ends
    ratio: bool

    @property
    def alike(self) -> float:
        """The value of an arm that is as good as the first one."""
        return 1.0 if self.ratio else 0.0


def relative(grid: Grid, setting: Setting, place: int, arm: str, name: str) -> Relative | None:
    """Return an arm's error in units of the first arm's (geometric mean, t interval over the data sets); None without any.

    For a score that is no error it is the difference to the first arm.
    """
    pairs = list(_pairs(grid, setting, place, arm, name))
    if not pairs:
        return None
    ratios = is_error(grid.study.first.scores[name]) and all(min(pair) > 0 for pair in pairs)
    values = [math.log(own / first) if ratios else own - first for own, first in pairs]
    mean, ends = math.fsum(values) / len(values), t_interval(values)
    if not ratios:
        return Relative(mean, ends, ratio=False)
    return Relative(math.exp(mean), None if ends is None else (math.exp(ends[0]), math.exp(ends[1])), ratio=True)


def _pairs(grid: Grid, setting: Setting, place: int, arm: str, name: str) -> Iterator[tuple[float, float]]:
    for data in grid.datasets:
        own = grid.value(setting, data, place, arm, name)
        first = grid.value(setting, data, place, grid.study.arms[0], name)
        if own is not None and first is not None:
            yield own, first


def mean_ranks(grid: Grid, setting: Setting, place: int, name: str) -> dict[str, tuple[float, Ends]]:
    """Return the mean rank of each arm over the data sets on which all have a value, 1 for the best, with a t interval."""
    arms = grid.study.arms
    ranks = list(_ranks(grid, setting, place, name))
    found: dict[str, tuple[float, Ends]] = {}
    for number, arm in enumerate(arms if ranks else []):
        own = [float(row[number]) for row in ranks]
        ends = t_interval(own)
        clipped = None if ends is None else (max(1.0, ends[0]), min(float(len(arms)), ends[1]))
        found[arm] = (math.fsum(own) / len(own), clipped)
    return found


def _ranks(grid: Grid, setting: Setting, place: int, name: str) -> Iterator[Sequence[float]]:
    sign = 1.0 if grid.study.first.scores[name].better == "lower" else -1.0
    for data in grid.datasets:
        values = [grid.value(setting, data, place, arm, name) for arm in grid.study.arms]
        known = [sign * value for value in values if value is not None]
        if len(known) == len(values):
            yield rankdata(known).tolist()
