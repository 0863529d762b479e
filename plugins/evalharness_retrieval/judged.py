"""Rankings of a batch as a matrix of grades, made once for all metrics that read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import evalharness as eh

Column = Sequence[Any]


@dataclass(frozen=True)
class Judged:
    """Grades of the retrieved (`grades`) and of all judged passages (`ideal`, best first); float64, (rows, places).

    Places that a row does not fill, and unjudged passages, hold 0. `unmeasured` gives reasons by row number.
    """

    grades: Any
    ideal: Any
    unmeasured: Mapping[int, str]

    @classmethod
    def of(cls, contexts: Sequence[Sequence[eh.Passage] | None], relevant: Sequence[Mapping[str, int] | None]) -> Judged:
        """Look up the grade of every retrieved passage."""
        reasons: dict[int, str] = {}
        grades: list[list[float]] = []
        for row, (found, judgements) in enumerate(zip(contexts, relevant, strict=True)):
            ids = [passage.id for passage in found or ()]
            reason = _reason(found, ids, judgements)
            if reason:
                reasons[row] = reason
            grades.append([(judgements or {}).get(key, 0) for key in ids])
        ideal = [sorted((judgements or {}).values(), reverse=True) for judgements in relevant]
        return cls(_padded(grades), _padded(ideal), reasons)

    def hits(self, level: int) -> Any:
        """Return which places hold a relevant passage; bool, (rows, places)."""
        return self.grades >= level

    def relevant(self, level: int) -> Any:
        """Return how many passages are judged relevant; int64, (rows,)."""
        return (self.ideal >= level).sum(1)

    def gain(self, grades: Any, k: int) -> Any:
        """Return the discounted cumulative gain of the first `k` places; float64, (rows,)."""
        first = grades[:, :k].clip(0)
        return first @ self._discounts[: first.shape[1]]

    @cached_property
    def _discounts(self) -> Any:
        import numpy as np

        return 1 / np.log2(np.arange(2, max(self.grades.shape[1], self.ideal.shape[1]) + 2))


def _reason(found: Sequence[eh.Passage] | None, ids: Sequence[str], judgements: Mapping[str, int] | None) -> str:
    if not judgements:
        return "no relevant passage"
    if found is None:
        return "no contexts"
    return "duplicate passage id" if len(set(ids)) < len(ids) else ""


def _padded(rows: Sequence[Sequence[float]]) -> Any:
    import numpy as np

    width = max(map(len, rows), default=0)
    matrix = np.zeros((len(rows), max(width, 1)))
    for row, values in enumerate(rows):
        matrix[row, : len(values)] = values
    return matrix
