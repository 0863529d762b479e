"""The scores of an arm: the mean over its seeds, each of which is one trained system."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evalharness.scoring.chain import Entry
from evalharness.scoring.intervals import Interval, Shape, from_spread
from evalharness.scoring.score import Finished, Score


def mean_over_seeds(entry: Entry, pooled: Finished, seeds: Sequence[Finished]) -> Finished:
    """Return the mean over the seeds of each score; `pooled` are the scores over the rows of all seeds together.

    Of a plain mean the pooled score is that already. A correlation, a ranking or a calibration error of rows that several
    systems answered would be that of none of them: its value is the mean of the seeds' values, and its replicates are the
    means of theirs, which stand for the same reweightings of the same groups. Figures show the rows of all seeds.
    """
    if entry.metric.is_mean or len(seeds) == 1:
        return pooled
    made = {name: _replicates(name, seeds) for name in entry.scores}
    scores = {name: _mean(entry, score, made[name], [one.scores[name] for one in seeds]) for name, score in pooled.scores.items()}
    kept = {name: values for name, values in made.items() if values is not None and scores[name].value is not None}
    return Finished(scores, kept, pooled.figures)


def _replicates(name: str, seeds: Sequence[Finished]) -> NDArray[np.float32] | None:
    """Return the mean replicates, None where a seed has none."""
    if any(name not in one.replicates for one in seeds):
        return None
    return np.mean([one.replicates[name].astype(np.float64) for one in seeds], axis=0).astype(np.float32)


def _mean(entry: Entry, pooled: Score, made: NDArray[np.float32] | None, seeds: Sequence[Score]) -> Score:
    values = [one.value for one in seeds if one.value is not None]
    if len(values) < len(seeds):
        return _without_interval(pooled, None, f"{len(seeds) - len(values)} of {len(seeds)} seeds have no value")
    value = math.fsum(values) / len(values)
    if made is None:
        return _without_interval(pooled, value, "a seed has no replicates")
    shape = Shape(entry.metric.range, False, pooled.samples, pooled.groups, pooled.clustered, pooled.level)
    found: Interval = from_spread(value, made.astype(np.float64), shape)
    return replace(
        pooled, value=value, low=found.low, high=found.high, interval=found.rule, reason=found.reason, se=found.se, df=found.df,
        generator=seeds[0].generator, replicates=len(made),
    )  # fmt: skip


def _without_interval(pooled: Score, value: float | None, reason: str) -> Score:
    return replace(
        pooled, value=value, low=None, high=None, interval=None, se=None, df=None, generator="", replicates=0, reason=reason
    )
