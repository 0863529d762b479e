"""The scores of one entry: values with intervals, honest denominators, and replicates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evalharness.scoring import replicates as replicated
from evalharness.scoring.calls import PluginFault, call_score
from evalharness.scoring.chain import Entry
from evalharness.scoring.figures import Pictures, pictures
from evalharness.scoring.generator import BUCKETS, generator_name
from evalharness.scoring.intervals import BOUNDED_MEAN, Interval, Shape, closed_form, from_spread, varies
from evalharness.scoring.measuring import FAILED
from evalharness.scoring.normalise import NOT_A_NUMBER
from evalharness.scoring.sums import Groups, beyond, joined
from evalharness.scoring.tally import RowStore, SumStore, Tally, distinct

_NUMBERS_A_CHUNK = 2**22
_WORD = 2**64
_UNDEFINED = "undefined for these samples"
_INFINITE = "infinite for these samples"
_NOTHING = "nothing was measured"
_SHAPELESS = "its statistics have names or shapes that depend on the samples"
_TOO_LARGE = "its sums are too large to be added exactly; the metric must declare a larger scale"
_TOO_SMALL = "its numbers in '{}' are too small to be added exactly; the metric must declare a smaller scale"


@dataclass(frozen=True, kw_only=True)
class Score:
    """A number with its interval and what it covers.

    `interval` names the rule that gave `low` and `high`; where there is no value or no interval, `reason` says why.
    `samples` and `groups` are those in the value, `as_worst` those among them that count at the bad end of the range
    because the system failed; `unmeasured` counts the others by reason, `errors` those that infrastructure lost.
    `range` holds the ends that the metric states, None for an open one. `bounds`: where a bounded mean would lie if all
    errors and all failures of the system that are left out were at the one end of the range, and at the other.
    `generator` and `fingerprint` say whether the replicates of two scores are aligned, and over the same samples.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    interval: str | None = None
    reason: str | None = None
    samples: int = 0
    groups: int = 0
    clustered: bool = False
    unmeasured: dict[str, int] = field(default_factory=dict)
    errors: int = 0
    as_worst: int = 0
    bounds: list[float] | None = None
    better: Literal["higher", "lower"] = "higher"
    unit: str = ""
    range: list[float | None] | None = None
    se: float | None = None
    df: float | None = None
    signature: str = ""
    generator: str = ""
    replicates: int = 0
    fingerprint: str = ""

    @property
    def missing(self) -> int:
        """How many samples have no value of this score, for whatever reason."""
        return self.errors + sum(self.unmeasured.values())

    @property
    def possible(self) -> tuple[float, float] | None:
        """Where the score would lie with all that it does not cover at the one end of its range, and at the other.

        None where everything is covered, and for a score that is no mean over a range: nothing says how far it could go.

        >>> Score(value=0.5, samples=90, errors=10, interval="bounded mean", range=[0, 1]).possible
        (0.45, 0.55)
        """
        low, high = self.range or (None, None)
        if not self.missing or self.value is None or self.interval != BOUNDED_MEAN or low is None or high is None:
            return None
        share = self.samples / (self.samples + self.missing)
        return share * self.value + (1 - share) * low, share * self.value + (1 - share) * high

    def same_samples(self, other: Score) -> bool:
        """Return whether both are over the same samples, each as often as every other.

        Fingerprints are sums mod 2^64, so that of a system asked three times is three times that of one asked once.

        >>> once, thrice = Score(value=0.5, samples=2, fingerprint="0a"), Score(value=0.4, samples=6, fingerprint="1e")
        >>> once.same_samples(thrice), once.same_samples(Score(value=0.5, samples=2, fingerprint="0b"))
        (True, False)
        """
        own, theirs = int(self.fingerprint or "0", 16), int(other.fingerprint or "0", 16)
        if self.samples == other.samples:
            return own == theirs
        return own * other.samples % _WORD == theirs * self.samples % _WORD

    def aligned(self, other: Score) -> bool:
        """Return whether the replicates of both stand for the same reweightings of the same groups."""
        return bool(self.generator) and (self.generator, self.clustered) == (other.generator, other.clustered)


@dataclass(frozen=True)
class Finished:
    """The scores of one entry by name, the replicates of those that have them (float32), and what its metric draws."""

    scores: dict[str, Score]
    replicates: dict[str, NDArray[np.float32]]
    figures: Pictures = ()


@dataclass(frozen=True)
class _Value:
    value: float
    samples: int
    groups: int
    interval: Interval


class _NoValue(Exception):
    """There is no value, for this reason."""


def finish(entry: Entry, tally: Tally, *, seed: int, clustered: bool, level: float = 0.95) -> Finished:
    """Return the scores of a tally with intervals of this level, and the replicates under the seed of the task.

    `clustered` says that the task names a group. A fault of the plugin costs the value, with the reason; one in what it draws
    costs the pictures alone.
    """
    blank = {name: _blank(entry, tally, name, level, clustered) for name in entry.scores}
    try:
        made, values = _made(entry, tally, seed, clustered, level)
    except (PluginFault, _NoValue) as why:
        if isinstance(why, PluginFault):
            tally.notes.add(str(why))
        return Finished({name: replace(score, reason=str(why)) for name, score in blank.items()}, {})
    scores = {name: _score(entry, score, values[name]) for name, score in blank.items()}
    kept = {name: made[name] for name, score in scores.items() if name in made and score.value is not None}
    generator = generator_name(seed, _buckets(tally.store))
    aligned = {name: replace(scores[name], generator=generator, replicates=len(kept[name])) for name in kept}
    return Finished(scores | aligned, kept, pictures(entry, tally))


def _blank(entry: Entry, tally: Tally, name: str, level: float, clustered: bool) -> Score:
    """Return a score without a value."""
    metric = entry.metric
    return Score(
        value=None, level=level, clustered=clustered, samples=tally.samples, as_worst=tally.as_worst,
        unmeasured=dict(sorted(tally.unmeasured.items())), errors=sum(tally.errors.values()), better=metric.better,
        unit=metric.unit, range=None if metric.range is None else list(metric.range), signature=metric.signature(),
        fingerprint=f"{tally.fingerprints.get(name, 0):016x}",
    )  # fmt: skip


def _is_bounded_mean(entry: Entry) -> bool:
    return entry.metric.is_mean and None not in (entry.metric.range or (None,))


def _buckets(store: Any) -> int:
    return store.sums.buckets if isinstance(store, SumStore) else BUCKETS


def _made(
    entry: Entry, tally: Tally, seed: int, clustered: bool, level: float
) -> tuple[replicated.Replicates, dict[str, _Value]]:
    """Return replicates and values by score; raises _NoValue or PluginFault where there are none."""
    if len(tally.layouts) > 1:
        raise _NoValue(_SHAPELESS)
    if not tally.samples:
        raise _NoValue(": ".join([_NOTHING, *sorted(tally.notes)[:1]]))
    if isinstance(tally.store, RowStore):
        return _of_rows(entry, tally, seed, clustered, level)
    groups: Groups = tally.store.sums.groups()
    if beyond(groups.magnitude):
        raise _NoValue(_TOO_LARGE)
    small = tally.store.vanishing()
    if small and not _is_bounded_mean(entry):  # there, what is lost is nothing beside the range
        raise _NoValue(_TOO_SMALL.format(small[0]))
    values = dict(_sum_values(entry, tally, groups, clustered, level))
    return replicated.of_sums(entry, tally.store, groups, seed), values


def _of_rows(
    entry: Entry, tally: Tally, seed: int, clustered: bool, level: float
) -> tuple[replicated.Replicates, dict[str, _Value]]:
    hashes, columns = tally.store.rows()
    numbers = replicated.score_rows(entry, columns, np.ones(len(hashes), np.int64))
    made = replicated.of_rows(entry, hashes, columns, seed)
    shape = Shape(entry.metric.range, False, tally.samples, len(distinct(hashes)), clustered, level)
    values = {}
    for name, value in numbers.items():
        number = float(value)
        interval = from_spread(number, made[name].astype(np.float64), shape) if math.isfinite(number) else Interval()
        values[name] = _Value(number, shape.samples, shape.groups, interval)
    return made, values


def _sum_values(entry: Entry, tally: Tally, groups: Groups, clustered: bool, level: float) -> Iterator[tuple[str, _Value]]:
    total = groups.rows.sum(0)
    store: SumStore = tally.store
    values = call_score(entry, store.unpack(joined(total)), ())
    left_out = _left_out(entry, store, groups, total)
    for name, part in zip(entry.scores, entry.metric.parts or ("value",), strict=True):
        counted = _counted(store, groups, part) if entry.metric.is_mean else None
        samples, count = tally.samples, groups.count
        if counted is not None and (found := int(counted.sum())) != samples:
            samples, count = found, min(int((counted > 0) @ groups.multiplicity), found)  # of folded groups: at most
        number = float(values[name])
        kept = left_out[name] if counted is None else left_out[name][counted > 0]
        told_by = count if entry.metric.is_mean or varies(kept) else _bearing(entry, store, groups, name)
        shape = Shape(entry.metric.range, entry.metric.is_mean, samples, told_by, clustered, level)
        interval = closed_form(number, kept, shape) if math.isfinite(number) else Interval()
        yield name, _Value(number, samples, count, interval)


def _bearing(entry: Entry, store: SumStore, groups: Groups, name: str) -> int:
    """Return how many groups bear on a ratio that is the same without any of them: those that have a value of their own.

    A recall of 1 is told by the samples of the class, however many others there are. Where no group alone has a value (a
    correlation), all of them count.
    """
    own = call_score(entry, store.unpack(joined(groups.rows)), (len(groups.rows),))[name]
    return int(np.isfinite(own) @ groups.multiplicity) or groups.count


def _counted(store: SumStore, groups: Groups, part: str) -> NDArray[np.float64]:
    """Return how many samples of each group have a value in this part of a plain mean."""
    return store.unpack(joined(groups.rows))[f"{part}.count"]


def _left_out(entry: Entry, store: SumStore, groups: Groups, total: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the score with each group left out in turn."""
    size = max(1, _NUMBERS_A_CHUNK // groups.rows.shape[1])
    parts = []
    for start in range(0, len(groups.rows), size):
        rest = store.unpack(joined(total - groups.rows[start : start + size]))
        parts.append(call_score(entry, rest, (len(groups.rows[start : start + size]),)))
    return {name: np.concatenate([part[name] for part in parts]) for name in entry.scores}


def _score(entry: Entry, blank: Score, found: _Value) -> Score:
    """Return the blank score with what was found; samples that lack this part alone are counted as unmeasured."""
    missing = blank.samples - found.samples
    unmeasured = Counter(blank.unmeasured) + Counter({NOT_A_NUMBER: missing})
    counted = replace(blank, samples=found.samples, groups=found.groups, unmeasured=dict(sorted(unmeasured.items())))
    if not math.isfinite(found.value):
        undefined = _INFINITE if math.isinf(found.value) else _UNDEFINED
        return replace(counted, reason=undefined if found.samples else _NOTHING)
    interval = found.interval
    return replace(
        counted, value=found.value, low=interval.low, high=interval.high, interval=interval.rule, reason=interval.reason,
        se=interval.se, df=interval.df, bounds=_bounds(entry, counted, found.value),
    )  # fmt: skip


def _bounds(entry: Entry, counted: Score, value: float) -> list[float] | None:
    """Return the plain mean if all that was lost were at one end of the range, and at the other."""
    low, high = entry.metric.range or (None, None)
    lost = counted.errors + sum(count for reason, count in counted.unmeasured.items() if reason.startswith(FAILED))
    if not lost or not entry.metric.is_mean or low is None or high is None:
        return None
    share = lost / (counted.samples + lost)
    return [(1 - share) * value + share * low, (1 - share) * value + share * high]
