"""Ratings: a list a sample, None where a rater gave none; kept as text between `measure` and `score`, since lists vary."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, ClassVar, Literal, NamedTuple

import evalharness as eh

LEAST = 2
FEW = "fewer than two ratings"


class OfRatings(eh.Metric):
    """Agreement over all samples at once; a label is a text, or a number where `numeric`."""

    better: ClassVar[Literal["higher", "lower"]] = "higher"
    family: ClassVar[str] = "agreement"
    pool: ClassVar[Literal["sum", "rows", "batch"]] = "rows"

    ratings: str = "ratings"

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The column of ratings."""
        return (self.ratings,)

    @property
    def numeric(self) -> bool:
        """Whether ratings are numbers."""
        return False

    def why_not(self, given: Sequence[Any]) -> str | None:
        """Return why a sample with these ratings, None where one is missing, has no place in the score."""
        return FEW if len(given) - list(given).count(None) < LEAST else None

    def measure(self, *_: Any, **columns: Sequence[Any]) -> eh.Rows:
        """Return each sample's ratings as one text."""
        texts, reasons = [], {}
        for row, value in enumerate(columns[self.ratings]):
            given = read(value, self.numeric)
            why = given if isinstance(given, str) else self.why_not(given)
            if why is not None:
                reasons[row] = why
            texts.append(json.dumps(None if why is not None else given))
        return eh.Rows({"given": texts}, reasons)


def read(value: Any, numeric: bool) -> list[Any] | str:
    """Return a sample's ratings, None where one is missing, or why they are none: NaN and an empty text are missing."""
    if not isinstance(value, (list, tuple)):
        return "ratings are no list"
    found = [_rating(each, numeric) for each in value]
    strange = next((each for each, rating in zip(value, found, strict=True) if rating is Ellipsis), None)
    return found if strange is None else f"a rating is no {'finite number' if numeric else 'label'}"


def _rating(value: Any, numeric: bool) -> Any:
    """Return a rating, None where it is missing, and an ellipsis where it is of the wrong kind."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if not numeric:
        return label(value) if isinstance(value, (str, Real)) else ...
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return ...
    return number if math.isfinite(number) else ...


def label(value: Any) -> str:
    """Return a label as text: 1, 1.0 and "1" are one, True is "true"."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if value == int(value) else str(value)


class Table(NamedTuple):
    """Ratings laid out flat, sorted by sample.

    `sample` and `place` (ratings,): whose each is, and which of the `values` (in ascending order) it is; `sizes` (samples,)
    how many each sample has, `starts` (samples,) where they begin.
    """

    sample: Any
    place: Any
    values: Any
    sizes: Any
    starts: Any

    def by_sample(self, numbers: Any) -> Any:
        """Return the sums over each sample's ratings: (..., ratings) to (..., samples)."""
        import numpy as np

        return np.add.reduceat(numbers, self.starts, axis=-1)

    def totals(self, weights: Any) -> Any:
        """Return how often each value was given under weights (..., samples): (..., values)."""
        return totals(weights, self.sample, self.place, len(self.values))

    def disagreement(self, cost: Callable[[Any, Any], Any]) -> Any:
        """Return each sample's costs of its ordered pairs of places over its ratings less one (samples,)."""
        import numpy as np

        found = np.zeros(len(self.sizes))
        for apart in range(1, self.sizes.max()):
            first = np.flatnonzero(self.sample[apart:] == self.sample[:-apart])
            costs = cost(self.place[first], self.place[first + apart])
            found += 2 * np.bincount(self.sample[first], costs, len(found))
        return found / (self.sizes - 1)


def totals(weights: Any, rows: Any, places: Any, count: int) -> Any:
    """Return how often each of so many places occurs under weights (..., n) of rows: (..., count)."""
    import numpy as np
    from scipy import sparse

    counts = sparse.csr_matrix((np.ones(len(rows)), (rows, places)), (weights.shape[-1], count))
    return (weights.reshape(-1, weights.shape[-1]) @ counts).reshape(*weights.shape[:-1], count)


def table(given: Any) -> Table:
    """Return the ratings of samples, from their texts."""
    return _table(tuple(given.tolist()))


@functools.lru_cache(maxsize=2)  # the same samples under many weightings
def _table(texts: tuple[str, ...]) -> Table:
    import numpy as np

    rows = [[rating for rating in json.loads(text) if rating is not None] for text in texts]
    values, place = np.unique([rating for row in rows for rating in row], return_inverse=True)
    sizes = np.array([len(row) for row in rows])
    sample = np.repeat(np.arange(len(rows)), sizes)
    return Table(sample, place, values, sizes, np.concatenate([[0], sizes.cumsum()[:-1]]))


def matrix(given: Any, places: Sequence[int]) -> Any:
    """Return the ratings of the raters at these places as an array (samples, raters)."""
    import numpy as np

    rows = (json.loads(text) for text in given.tolist())
    return np.array([[row[place] for place in places] for row in rows])
