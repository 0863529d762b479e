"""What each system reached on each sample: wins, ties and losses, and the samples that changed most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import parquet

from evalharness.errors import DataError
from evalharness.scoring import Score

_TIE = 1e-9


@dataclass(frozen=True)
class Values:
    """Per-sample values by score, the mean over a sample's repeats; NaN where there is none. `ids` are sorted."""

    ids: NDArray[Any]
    by_score: dict[str, NDArray[np.float64]]

    def take(self, rows: NDArray[np.intp]) -> Values:
        """Return the values of some samples."""
        return Values(self.ids[rows], {name: column[rows] for name, column in self.by_score.items()})


@dataclass(frozen=True)
class Counts:
    """On how many samples the second system is better, equal and worse; `better` of the score taken into account."""

    wins: int
    ties: int
    losses: int


@dataclass(frozen=True)
class Change:
    """A sample on which two systems differ: its id, both values, and `b - a`."""

    id: str
    a: float
    b: float
    difference: float


def read_values(path: Path, scores: Sequence[str]) -> Values:
    """Return the values in a samples file; of its columns only ids and scores are read. DataError where it is none."""
    try:
        table = parquet.ParquetFile(path).read(columns=["id", "scores"])
        ids = table.column("id").to_numpy(zero_copy_only=False)
        parts = table.column("scores").combine_chunks()
        parts = parts.chunk(0) if isinstance(parts, pyarrow.ChunkedArray) else parts
        columns = {name: _floats(parts.field(name)) for name in scores}
    except (OSError, KeyError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    names, place = np.unique(ids.astype(str), return_inverse=True)
    return Values(names, {name: _mean_by(place, column, len(names)) for name, column in columns.items()})


def _floats(column: Any) -> NDArray[np.float64]:
    return np.asarray(column.cast(pyarrow.float64()).fill_null(np.nan))


def _mean_by(place: NDArray[np.intp], column: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the mean of the rows of each sample; NaN where one of them has no value."""
    if len(column) == count:
        ordered = np.empty(count)
        ordered[place] = column
        return ordered
    return np.bincount(place, column, count) / np.bincount(place, minlength=count)


def common(a: Values, b: Values) -> tuple[Values, Values]:
    """Return both restricted to the samples that both have, in one order."""
    if np.array_equal(a.ids, b.ids):
        return a, b
    _, first, second = np.intersect1d(a.ids, b.ids, assume_unique=True, return_indices=True)
    return a.take(first), b.take(second)


def count(score: Score, a: NDArray[np.float64], b: NDArray[np.float64]) -> Counts:
    """Return wins, ties and losses of the second over the samples that both have a value for."""
    gaps = _oriented(score, a, b)
    gaps = gaps[np.isfinite(gaps)]
    wins, losses = int((gaps > 0).sum()), int((gaps < 0).sum())
    return Counts(wins, len(gaps) - wins - losses, losses)


def _oriented(score: Score, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much better the second is on each sample; what is but rounding is 0."""
    gaps = (b - a) if score.better == "higher" else (a - b)
    return np.where(np.abs(gaps) <= _TIE * np.maximum(np.abs(a), np.abs(b)), 0.0, gaps)


def changes(name: str, a: Values, b: Values, limit: int) -> list[Change]:
    """Return the samples on which two aligned systems differ most in one score, the largest difference first."""
    gaps = b.by_score[name] - a.by_score[name]
    size = np.where(np.isfinite(gaps), np.abs(gaps), 0.0)
    order = np.lexsort((a.ids, -size))[:limit]
    return [
        Change(str(a.ids[row]), float(a.by_score[name][row]), float(b.by_score[name][row]), float(gaps[row]))
        for row in order
        if size[row] > 0
    ]
