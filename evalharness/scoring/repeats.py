"""Metrics of all repeats of a sample: rows are gathered by sample before measuring, and what is found is spread again.

The rows of one sample stand together in a batch and are never split over two. What is found stands in the first of
them; the others bear the status `OF_SAMPLE` and are counted nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalharness.contract import Batch, Failure, Response

RESPONSES = "responses"
OF_SAMPLE = "counted with its sample"
Span = tuple[int, int]


@dataclass(frozen=True)
class Samples:
    """The rows of a batch by sample: `spans` holds the first row of each and the one after its last."""

    spans: Sequence[Span]

    @classmethod
    def of(cls, batch: Batch) -> Samples:
        """Return the samples of a batch, found once: rows with one id that follow each other."""
        return batch.once("evalharness samples", lambda: cls(spans(batch.ids)))

    def batch(self, batch: Batch) -> Batch:
        """Return a batch with one row a sample: its first row's fields, and the texts of all as `responses`."""
        return batch.once("evalharness batch of samples", lambda: self._gathered(batch))

    def _gathered(self, batch: Batch) -> Batch:
        columns: dict[str, list[Any]] = {name: self.first(column) for name, column in batch.columns.items()}
        if "response" in batch.columns:
            columns[RESPONSES] = self.lists(batch.columns["response"])
        return Batch(columns, self.first(batch.ids))

    def first(self, values: Sequence[Any]) -> list[Any]:
        """Return what stands in the first row of each sample."""
        return [values[start] for start, _ in self.spans]

    def lists(self, values: Sequence[Any]) -> list[list[Any]]:
        """Return what stands in all rows of each sample."""
        return [list(values[start:stop]) for start, stop in self.spans]

    def failures(self, failures: Sequence[Failure | None]) -> list[Failure | None]:
        """Return the failure of each sample: one of infrastructure in any of its rows, or its own where all rows failed."""
        return [_failure(own) for own in self.lists(failures)]

    def statuses(self, statuses: Sequence[str | None], error: str) -> list[str | None]:
        """Return the status of each sample: an error in any of its rows, or the first one where no row has a value."""
        return [_status(own, error) for own in self.lists(statuses)]

    def spread(self, values: Sequence[Any], count: int, other: Any) -> list[Any]:
        """Return a value a sample in the first of its rows, `other` in the rest of `count` rows."""
        rows = [other] * count
        for (start, _), value in zip(self.spans, values, strict=True):
            rows[start] = value
        return rows

    def answers(self, answers: Sequence[Sequence[Response]] | None) -> list[list[Response]] | None:
        """Return the answers that were given for each sample, which stand in its first row."""
        return None if answers is None or not len(answers) else [list(own) for own in self.first(answers)]

    @property
    def rows(self) -> NDArray[np.intp]:
        """The number of each sample's first row."""
        return np.array([start for start, _ in self.spans], np.intp)


def spans(ids: Sequence[str]) -> list[Span]:
    """Return where rows of one id that follow each other begin and end.

    >>> spans(["a", "a", "b"])
    [(0, 2), (2, 3)]
    """
    starts = [row for row, name in enumerate(ids) if not row or name != ids[row - 1]]
    return list(zip(starts, [*starts[1:], len(ids)], strict=True))


def spread_measured(measured: Any, samples: Samples, count: int) -> Any:
    """Return what was found of samples as what was found of their rows."""
    statuses = samples.spread(measured.statuses, count, OF_SAMPLE)
    kept = np.zeros(count, bool)
    kept[samples.rows] = measured.kept
    values = {name: _placed(column, samples.rows, count, np.nan) for name, column in measured.values.items()}
    statistics = {name: _placed(column, samples.rows, count) for name, column in measured.statistics.items()}
    evidence = {int(samples.rows[row]): items for row, items in measured.evidence.items()}
    return replace(measured, statistics=statistics, statuses=statuses, values=values, kept=kept, evidence=evidence)


def _placed(column: NDArray[Any], rows: NDArray[np.intp], count: int, other: Any = 0.0) -> NDArray[Any]:
    placed = np.full((count, *column.shape[1:]), None if column.dtype == object else other, column.dtype)
    placed[rows] = column
    return placed


def _failure(failures: Sequence[Failure | None]) -> Failure | None:
    lost = [failure for failure in failures if failure is not None and failure.infrastructure]
    return lost[0] if lost else None if None in failures else failures[0]


def _status(statuses: Sequence[str | None], error: str) -> str | None:
    lost = [status for status in statuses if status is not None and status.startswith(error)]
    return lost[0] if lost else None if None in statuses else statuses[0]
