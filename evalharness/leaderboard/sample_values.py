"""The values of one score per sample, read from `samples.parquet`; repeats of a sample are averaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import parquet

from evalharness.errors import DataError


@dataclass(frozen=True)
class SampleValues:
    """The id, the group and the value of each sample; NaN where it is unmeasured."""

    ids: list[str]
    groups: list[str]
    values: NDArray[np.float64]


def read_values(path: Path, score: str) -> SampleValues:
    """Return the values of a score in a samples file; raises DataError where it cannot be read or has none."""
    try:
        table = parquet.ParquetFile(path).read(columns=["id", "group", f"scores.{score}"])
        values = table.column("scores").combine_chunks().field(score)
    except (OSError, KeyError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} has no values of '{score}' by sample: {error}") from error
    numbers = np.asarray(values.cast(pyarrow.float64()).fill_null(float("nan")))
    return _averaged(table.column("id").to_pylist(), table.column("group").to_pylist(), numbers)


def _averaged(ids: list[str], groups: list[str], numbers: NDArray[np.float64]) -> SampleValues:
    """Return one value a sample: the mean of those of its repeats that are measured."""
    rows = {name: row for row, name in reversed(list(enumerate(ids)))}
    if len(rows) == len(ids):
        return SampleValues(ids, groups, numbers)
    names = list(dict.fromkeys(ids))
    number = {name: place for place, name in enumerate(names)}
    places, measured = np.array([number[name] for name in ids]), ~np.isnan(numbers)
    sums = np.bincount(places[measured], numbers[measured], len(names))
    with np.errstate(invalid="ignore"):
        means = sums / np.bincount(places[measured], minlength=len(names))
    return SampleValues(names, [groups[rows[name]] for name in names], means)
