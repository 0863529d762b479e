"""Replicates: the score under Poisson reweightings of the groups, aligned between any two systems on a task."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalharness.scoring.calls import PluginFault, call_score
from evalharness.scoring.chain import Entry
from evalharness.scoring.generator import BUCKETS, LARGEST, weights
from evalharness.scoring.keys import Keys
from evalharness.scoring.normalise import Columns
from evalharness.scoring.sums import Groups, Matrix, beyond, joined
from evalharness.scoring.tally import SumStore

_CHUNK = 512
_NUMBERS_A_BLOCK = 2**22
Replicates = dict[str, NDArray[np.float32]]


def of_sums(entry: Entry, store: SumStore, groups: Groups, seed: int) -> Replicates:
    """Return the score of each reweighting, float32; empty where the sums are too large to be added exactly.

    Sums are rescaled by groups / sum of weights, so that totals mean the same in each replicate.
    """
    drawn = weights(seed, groups.buckets, entry.metric.replicates)
    if beyond(np.abs(groups.rows).sum(0) * LARGEST) and beyond(_weighted(drawn, np.abs(groups.rows)).max(0)):
        return {}
    counts = _weighted(drawn, groups.multiplicity[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        rescaled = joined(_weighted(drawn, groups.rows)) * (groups.count / counts)
    return _stored(call_score(entry, store.unpack(rescaled), (len(rescaled),)))


def _weighted(drawn: NDArray[np.uint8], rows: NDArray[Any]) -> Matrix:
    """Return weights.T @ rows (replicates, columns), exact; columns of zeros, such as whole numbers leave, are skipped.

    It goes by chunks of rows, as the weights of 65,536 groups take half a gigabyte in float64.
    """
    result = np.zeros((rows.shape[1], drawn.shape[1]))
    used = np.flatnonzero(rows.any(0))
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        result[used] += rows[part][:, used].T.astype(np.float64) @ drawn[part].astype(np.float64)
    return result.T


def _stored(values: dict[str, NDArray[np.float64]]) -> Replicates:
    with np.errstate(over="ignore"):
        return {name: value.astype(np.float32) for name, value in values.items()}


def score_rows(entry: Entry, columns: Columns, row_weights: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Return the value of a metric with `pool = "rows"` under integer weights (n,) or (replicates, n)."""
    return call_score(entry, {"weights": row_weights, **columns}, row_weights.shape[:-1])


def of_rows(entry: Entry, groups: Keys, columns: Columns, seed: int) -> Replicates:
    """Return the score of each reweighting of the rows, float32; as many as the metric states.

    A row bears the weight of its group. A metric that takes weights of shape (replicates, n) gets them in blocks of
    about four million numbers, the others one replicate at a time.
    """
    buckets, place = np.unique(groups % np.uint64(BUCKETS), return_inverse=True)
    drawn = weights(seed, buckets, entry.metric.replicates).T
    size = max(2, _NUMBERS_A_BLOCK // len(groups))
    at_once = _takes_blocks(entry, columns, drawn[:2, place].astype(np.int64))
    parts = [{name: np.empty(0) for name in entry.scores}]
    for start in range(0, len(drawn), size):
        block = drawn[start : start + size, place].astype(np.int64, order="C")  # a replicate in one piece: sums go along it
        parts.append(score_rows(entry, columns, block) if at_once else _one_by_one(entry, columns, block))
    return _stored({name: np.concatenate([part[name] for part in parts]) for name in entry.scores})


def _takes_blocks(entry: Entry, columns: Columns, pair: NDArray[np.int64]) -> bool:
    """Return whether two replicates at once come out as they do one by one; a sum over both would pass for a score."""
    single = _one_by_one(entry, columns, pair)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            both = score_rows(entry, columns, pair)
    except PluginFault:
        return False
    return all(np.allclose(both[name], single[name], rtol=1e-9, atol=1e-12, equal_nan=True) for name in entry.scores)


def _one_by_one(entry: Entry, columns: Columns, block: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    values = [_or_undefined(entry, columns, row) for row in block]
    return {name: np.array([float(value[name]) for value in values]) for name in entry.scores}


def _or_undefined(entry: Entry, columns: Columns, row: NDArray[np.int64]) -> dict[str, Any]:
    try:
        return score_rows(entry, columns, row)
    except PluginFault:  # a class that vanished from this draw, say; too many of them cost the interval
        return dict.fromkeys(entry.scores, np.nan)
