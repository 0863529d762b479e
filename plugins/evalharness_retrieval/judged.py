"""Rankings of many samples as matrices of grades, made once for all metrics that read them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeVar

import evalharness as eh

Column = Sequence[Any]
T = TypeVar("T")

NOTHING_JUDGED = "no relevant passage"
NOTHING_FOUND = "nothing retrieved"


@dataclass(frozen=True)
class Judged:
    """Grades of the retrieved passages in their order (`grades`) and of all judged ones, best first (`ideal`).

    Both float64, (rows, places), NaN where a passage is not judged and in places that a row does not fill. A grade below
    0 says that a passage was in the pool but not judged. `found` counts the passages of each row, int64, (rows,);
    `unmeasured` gives reasons by row number.
    """

    grades: Any
    ideal: Any
    found: Any
    unmeasured: Mapping[int, str]
    _memo: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, contexts: Sequence[Sequence[eh.Passage] | None], relevant: Sequence[Mapping[str, int] | None]) -> Judged:
        """Look up the grade of every passage; the order of the passages is the ranking."""
        rankings = [[passage.id for passage in found or ()] for found in contexts]
        reasons = {
            row: reason
            for row, (found, ids, judgements) in enumerate(zip(contexts, rankings, relevant, strict=True))
            if (reason := _reason(found, ids, judgements))
        }
        return cls.looked_up(rankings, [judgements or {} for judgements in relevant], reasons)

    @classmethod
    def looked_up(
        cls, rankings: Sequence[Iterable[str]], relevant: Sequence[Mapping[str, int]], unmeasured: Mapping[int, str]
    ) -> Judged:
        """Look up the grade of every id; `rankings` have a length."""
        import numpy as np

        found = lengths(rankings)
        grades = padded((map(judged.get, ids) for judged, ids in zip(relevant, rankings, strict=True)), found)
        best = padded((judged.values() for judged in relevant), lengths(relevant))
        return cls(grades, -np.sort(-best, axis=1), found, unmeasured)

    def once(self, key: Any, compute: Callable[[], T]) -> T:
        """Return what `compute` gave the first time."""
        if key not in self._memo:
            self._memo[key] = compute()
        result: T = self._memo[key]
        return result

    def hits(self, level: int) -> Any:
        """Return which places hold a relevant passage; bool, (rows, places)."""
        return self.once(("hits", level), lambda: self.grades >= level)

    def hits_in(self, level: int, k: int | None) -> Any:
        """Return how many of the first `k` places (None: of all) hold a relevant passage; int64, (rows,)."""
        return first(self.hits_until(level), k)

    def hits_until(self, level: int) -> Any:
        """Return how many relevant passages stand among the first up to each place; int64, (rows, places)."""
        return self.once(("until", level), lambda: self.hits(level).cumsum(1))

    def relevant(self, level: int) -> Any:
        """Return how many passages are judged relevant; int64, (rows,)."""
        return self.once(("relevant", level), lambda: (self.ideal >= level).sum(1))

    def precision_sum(self, level: int, k: int | None) -> Any:
        """Return the sum of the precisions at the first `k` places that hold a relevant passage; float64, (rows,)."""
        sums = self.once(("precisions", level), lambda: added(self.hits(level) * self.hits_until(level) / self.ranks))
        return first(sums, k)

    def places(self, k: int | None) -> Any:
        """Return how many places are looked at: `k`, or for None as many as were found, at least 1."""
        return self.found.clip(1) if k is None else k

    @functools.cached_property
    def ranks(self) -> Any:
        """The rank of each place from 1; float64, (places,)."""
        import numpy as np

        return np.arange(1.0, self.grades.shape[1] + 1)


def added(values: Any) -> Any:
    """Return the sums up to each place, added one by one: empty places change no bit of them, whatever rows stand beside."""
    return values.cumsum(1)


def first(sums: Any, k: int | None) -> Any:
    """Return the sums over the first `k` places, for None over all; (rows,)."""
    return sums[:, min(k or sums.shape[1], sums.shape[1]) - 1]


def shared(contexts: Column, relevant: Column, batch: eh.Batch) -> Judged:
    """Return the matrices of a batch, made for the first metric that asks."""
    return batch.once("evalharness_retrieval.judged", lambda: Judged.of(contexts, relevant))


def lengths(rows: Iterable[Any]) -> Any:
    """Return the length of each row; int64, (rows,)."""
    import numpy as np

    return np.fromiter(map(len, rows), np.int64)


def padded(rows: Iterable[Iterable[float | None]], sizes: Any) -> Any:
    """Return rows of the given sizes as a float64 matrix, NaN for None and where a row is short; at least one place wide."""
    import numpy as np

    flat = np.fromiter(chain.from_iterable(rows), np.float64, int(sizes.sum()))
    width = int(sizes.max(initial=1))
    if flat.size == len(sizes) * width:
        return flat.reshape(-1, width)
    matrix = np.full((len(sizes), width), np.nan)
    matrix[np.arange(width) < sizes[:, None]] = flat
    return matrix


def _reason(found: Sequence[eh.Passage] | None, ids: Sequence[str], judgements: Mapping[str, int] | None) -> str:
    if not judgements:
        return NOTHING_JUDGED
    if found is None:
        return "no contexts"
    return "duplicate passage id" if len(set(ids)) < len(ids) else ""
