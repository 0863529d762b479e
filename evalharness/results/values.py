"""The values of scores by sample, read from `samples.parquet`; repeats of a sample are averaged."""

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


@dataclass(frozen=True)
class Values:
    """Per-sample values by score: the mean over the repeats that are measured, NaN where none is. `ids` are sorted."""

    ids: NDArray[Any]
    groups: NDArray[Any]
    by_score: dict[str, NDArray[np.float64]]

    def take(self, rows: NDArray[np.intp]) -> Values:
        """Return the values of some samples."""
        return Values(self.ids[rows], self.groups[rows], {name: column[rows] for name, column in self.by_score.items()})


def read_values(path: Path, scores: Sequence[str]) -> Values:
    """Return the values in a samples file; of its columns only those needed are read. DataError where they are not there."""
    try:
        wanted = ["id", "group", *(f"scores.{name}" for name in scores)]
        table = parquet.ParquetFile(path).read(columns=wanted, use_threads=False)  # files are small, boards have many
        parts: Any = table.column("scores").combine_chunks() if scores else None
        columns = [_floats(parts.field(name)) for name in scores]
    except (OSError, KeyError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} has no values of {', '.join(scores)} by sample: {error}") from error
    ids, groups = (table.column(name).to_numpy(zero_copy_only=False).astype(str) for name in ("id", "group"))
    names, first, place = np.unique(ids, return_index=True, return_inverse=True)
    once = len(names) == len(ids)
    means = (column[first] if once else _mean_by(place, column, len(names)) for column in columns)
    return Values(names, groups[first], dict(zip(scores, means, strict=True)))


def _floats(column: Any) -> NDArray[np.float64]:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def _mean_by(place: NDArray[np.intp], column: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the mean of the measured rows of each sample."""
    measured = ~np.isnan(column)
    sums = np.bincount(place[measured], column[measured], count)
    with np.errstate(invalid="ignore"):
        return sums / np.bincount(place[measured], minlength=count)
