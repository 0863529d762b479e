"""Replicates: the score under Poisson reweightings of the groups, aligned between any two systems on a task."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalharness.scoring.calls import PluginFault, call_score, checked_scores, fault
from evalharness.scoring.chain import Entry
from evalharness.scoring.generator import BUCKETS, LARGEST, weights
from evalharness.scoring.keys import Keys
from evalharness.scoring.normalise import Columns
from evalharness.scoring.sums import Groups, Matrix, beyond, joined
from evalharness.scoring.tally import RowStore, SumStore

_CHUNK = 2048
Replicates = dict[str, NDArray[np.float32]]


def of_sums(entry: Entry, store: SumStore, groups: Groups, seed: int) -> Replicates:
    """Return the score of each reweighting, float32; empty where the sums are too large to be added exactly."""
    drawn = weights(seed, groups.buckets, entry.metric.replicates)
    if beyond(np.abs(groups.rows).sum(0) * LARGEST) and beyond(_weighted(drawn, np.abs(groups.rows)).max(0)):
        return {}
    counts = groups.multiplicity.astype(np.float64) @ drawn
    with np.errstate(divide="ignore", invalid="ignore"):
        rescaled = joined(_weighted(drawn, groups.rows)) * (groups.count / counts)[:, None]
    values = call_score(entry, store.unpack(rescaled), (len(counts),))
    return {name: value.astype(np.float32) for name, value in values.items()}


def _weighted(drawn: NDArray[np.uint8], rows: Matrix) -> Matrix:
    """Return weights.T @ rows (replicates, columns), exact; columns of zeros, such as whole numbers leave, are skipped."""
    result = np.zeros((drawn.shape[1], rows.shape[1]))
    used = np.flatnonzero(rows.any(0))
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        result[:, used] += drawn[part].T.astype(np.float64) @ rows[part][:, used]
    return result


def score_rows(entry: Entry, columns: Columns, row_weights: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Return the value of a metric with `pool = "rows"` under integer weights (n,) or (replicates, n)."""
    shape = row_weights.shape[:-1]
    try:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            result = entry.metric.score(weights=row_weights, **columns)
    except Exception as error:
        raise fault(entry, f"raised {type(error).__name__} in score: {error}") from error
    return checked_scores(entry, result, shape)


def of_rows(entry: Entry, store: RowStore, seed: int) -> Replicates:
    """Return the score of each reweighting of the rows, float32; as many as the metric states."""
    groups, columns = store.rows()
    drawn = weights(seed, _buckets(groups), entry.metric.replicates).T.astype(np.int64)
    values = _at_once(entry, columns, drawn) or _one_by_one(entry, columns, drawn)
    return {name: value.astype(np.float32) for name, value in values.items()}


def _buckets(groups: Keys) -> Keys:
    return groups % np.uint64(BUCKETS)


def _at_once(entry: Entry, columns: Columns, drawn: NDArray[np.int64]) -> dict[str, NDArray[np.float64]] | None:
    """Return all replicates where the metric takes weights of shape (replicates, n), as two of them show."""
    try:
        score_rows(entry, columns, drawn[:2])
    except PluginFault:
        return None
    parts = [score_rows(entry, columns, drawn[start : start + 50]) for start in range(0, len(drawn), 50)]
    return {name: np.concatenate([part[name] for part in parts]) for name in entry.scores}


def _one_by_one(entry: Entry, columns: Columns, drawn: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    values = [_or_undefined(entry, columns, row) for row in drawn]
    return {name: np.array([float(value[name]) for value in values]) for name in entry.scores}


def _or_undefined(entry: Entry, columns: Columns, row: NDArray[np.int64]) -> dict[str, Any]:
    try:
        return score_rows(entry, columns, row)
    except PluginFault:  # a class that vanished from this draw, say; too many of them cost the interval
        return dict.fromkeys(entry.scores, np.nan)
