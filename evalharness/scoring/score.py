"""The scores of one entry: values with intervals, honest denominators, and replicates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evalharness.scoring import replicates as replicated
from evalharness.scoring.calls import PluginFault, call_score
from evalharness.scoring.chain import Entry
from evalharness.scoring.generator import BUCKETS, generator_name
from evalharness.scoring.intervals import Interval, Shape, closed_form, from_spread
from evalharness.scoring.sums import Groups, beyond, joined
from evalharness.scoring.tally import RowStore, SumStore, Tally, distinct

_NUMBERS_A_CHUNK = 2**22
UNDEFINED = "undefined for these samples"
NOTHING = "nothing was measured"


@dataclass(frozen=True, kw_only=True)
class Score:
    """A number with its interval and what it covers.

    `interval` names the rule that gave `low` and `high`; where there is no value or no interval, `reason` says why.
    `samples` and `groups` are those in the value, `as_worst` those among them that count at the bad end of the range
    because the system failed; `unmeasured` counts the others by reason, `errors` those that infrastructure lost.
    `bounds`: the value if all errors were worst, and if all were best. `generator` and `fingerprint` say whether the
    replicates of two scores are aligned, and over the same samples.
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
    se: float | None = None
    df: float | None = None
    signature: str = ""
    generator: str = ""
    replicates: int = 0
    fingerprint: str = ""


@dataclass(frozen=True)
class Finished:
    """The scores of one entry by name, and the replicates of those that have them (float32)."""

    scores: dict[str, Score]
    replicates: dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class _Value:
    value: float
    samples: int
    groups: int
    interval: Interval


def finish(entry: Entry, tally: Tally, *, seed: int, clustered: bool, level: float = 0.95) -> Finished:
    """Return the scores of a tally with intervals of this level, and the replicates under the seed of the task.

    `clustered` says that the task names a group. A fault of the plugin costs the value, with the reason.
    """
    common = _common(entry, tally, level, clustered)
    if not tally.samples or len(tally.layouts) > 1:
        reason = NOTHING if not tally.samples else "its statistics have names or shapes that depend on the samples"
        return Finished({name: replace(common, reason=_why(tally, reason)) for name in entry.scores}, {})
    try:
        made, values = _made(entry, tally, seed, clustered, level)
    except PluginFault as error:
        return Finished({name: replace(common, reason=str(error)) for name in entry.scores}, {})
    scores = {name: _score(entry, tally, common, values[name]) for name in entry.scores}
    named = replace(common, generator=generator_name(seed, _buckets(tally.store)))
    return Finished(
        {name: _with_generator(score, named.generator, made.get(name)) for name, score in scores.items()},
        {name: made[name] for name in entry.scores if name in made and scores[name].value is not None},
    )


def _common(entry: Entry, tally: Tally, level: float, clustered: bool) -> Score:
    metric = entry.metric
    return Score(
        value=None, level=level, clustered=clustered, samples=tally.samples, as_worst=tally.as_worst,
        unmeasured=dict(sorted(tally.unmeasured.items())), errors=sum(tally.errors.values()), better=metric.better,
        unit=metric.unit, signature=metric.signature(), fingerprint=f"{tally.samples}:{tally.fingerprint:016x}",
    )  # fmt: skip


def _why(tally: Tally, reason: str) -> str:
    notes = sorted(tally.notes)
    return f"{reason}: {notes[0]}" if notes else reason


def _buckets(store: Any) -> int:
    return store.sums.buckets if isinstance(store, SumStore) else BUCKETS


def _with_generator(score: Score, generator: str, made: NDArray[np.float32] | None) -> Score:
    if score.value is None or made is None:
        return score
    return replace(score, generator=generator, replicates=len(made))


def _made(
    entry: Entry, tally: Tally, seed: int, clustered: bool, level: float
) -> tuple[dict[str, NDArray[np.float32]], dict[str, _Value]]:
    if isinstance(tally.store, RowStore):
        made = replicated.of_rows(entry, tally.store, seed)
        return made, dict(_row_values(entry, tally, made, clustered, level))
    groups: Groups = tally.store.sums.groups()
    if beyond(groups.magnitude):
        raise PluginFault("its sums are too large to be added exactly; the metric must declare a larger scale")
    values = dict(_sum_values(entry, tally, groups, clustered, level))
    return replicated.of_sums(entry, tally.store, groups, seed), values


def _row_values(
    entry: Entry, tally: Tally, made: dict[str, NDArray[np.float32]], clustered: bool, level: float
) -> Iterator[tuple[str, _Value]]:
    hashes, columns = tally.store.rows()
    values = replicated.score_rows(entry, columns, np.ones(len(hashes), np.int64))
    count = len(distinct(hashes))
    shape = Shape(entry.metric.range, False, tally.samples, count, clustered, level)
    for name, value in values.items():
        number = float(value)
        interval = from_spread(number, made[name].astype(np.float64), shape) if math.isfinite(number) else Interval()
        yield name, _Value(number, tally.samples, count, interval)


def _sum_values(entry: Entry, tally: Tally, groups: Groups, clustered: bool, level: float) -> Iterator[tuple[str, _Value]]:
    total = groups.rows.sum(0)
    store: SumStore = tally.store
    values = call_score(entry, store.unpack(joined(total)), ())
    left_out = _left_out(entry, store, groups, total)
    for name, part in zip(entry.scores, entry.metric.parts or ("value",), strict=True):
        counted = _counted(store, groups, part) if entry.metric.is_mean else None
        samples, count = tally.samples, groups.count
        if counted is not None and (found := int(counted.sum())) != samples:
            samples, count = found, min(int((counted > 0) @ groups.multiplicity), groups.count)
        number = float(values[name])
        shape = Shape(entry.metric.range, entry.metric.is_mean, samples, count, clustered, level)
        kept = left_out[name] if counted is None else left_out[name][counted > 0]
        interval = closed_form(number, kept, shape) if math.isfinite(number) else Interval()
        yield name, _Value(number, samples, count, interval)


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


def _score(entry: Entry, tally: Tally, common: Score, found: _Value) -> Score:
    scored = replace(common, samples=found.samples, groups=found.groups)
    if not math.isfinite(found.value):
        return replace(scored, reason=_why(tally, UNDEFINED if found.samples else NOTHING))
    interval = found.interval
    return replace(
        scored, value=found.value, low=interval.low, high=interval.high, interval=interval.rule, reason=interval.reason,
        se=interval.se, df=interval.df, bounds=_bounds(entry, tally, found),
    )  # fmt: skip


def _bounds(entry: Entry, tally: Tally, found: _Value) -> list[float] | None:
    """Return the plain mean if everything that errors lost were at one end of the range, and at the other."""
    low, high = entry.metric.range or (None, None)
    lost = sum(tally.errors.values())
    if not lost or not entry.metric.is_mean or low is None or high is None:
        return None
    share = lost / (found.samples + lost)
    return [(1 - share) * found.value + share * low, (1 - share) * found.value + share * high]
