"""Scores of parts of a run from its stored statistics: slices, the samples that two systems share, groups one by one.

Nothing is measured again; the metrics' `score` is called, so their plugins must be installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalharness import registry
from evalharness.comparison.results import Result
from evalharness.contract import canonical
from evalharness.errors import DataError, UsageError, nearest
from evalharness.results.samples import read_batches
from evalharness.running.measuring import Scoring
from evalharness.running.parts import build_chain
from evalharness.running.rescoring import stored_rows, stored_task
from evalharness.scoring import Chain, Entry, Measured, Score, hash_keys, seed_of
from evalharness.scoring.calls import call_score
from evalharness.scoring.paired import label_swap
from evalharness.scoring.sums import joined
from evalharness.scoring.tally import SumStore, Tally
from evalharness.task import Task

ROWS_A_BATCH = 4_096
MOST_SLICES = 50
KEYS = ("id", "group", "repeat")
Columns = dict[str, list[Any]]
Rows = NDArray[np.intp]
Part = tuple[dict[str, Score], dict[str, NDArray[Any]]]


@dataclass(frozen=True)
class Stored:
    """The stored statistics of one run, read as often as wanted."""

    result: Result

    @cached_property
    def task(self) -> Task:
        """The task as it was run."""
        return stored_task(self.result.folder, self.result.record)

    @cached_property
    def chain(self) -> Chain:
        """The chain of the task's metrics."""
        return build_chain(self.task, registry.installed())

    @cached_property
    def path(self) -> Path:
        """The samples file; raises DataError where there is none, or not the task that measured it."""
        if self.result.samples is None or not self.result.measurable:
            raise DataError(f"{self.result.folder} lacks samples.parquet or task.yaml; give the whole folder of a run")
        return self.result.samples

    @cached_property
    def tallies(self) -> dict[str, Tally]:
        """What all samples add up to, metric by metric."""
        scoring = Scoring(self.chain, self.task.failures, lambda entry, batch: [])
        for columns, measured in self.batches():
            scoring.add_measured(stored_rows(columns), measured)
        return scoring.tallies

    def batches(self, texts: Sequence[str] = KEYS) -> Iterator[tuple[Columns, dict[str, Measured]]]:
        """Yield the keys of the rows, and other texts, with what each metric measured."""
        return read_batches(self.path, self.chain.entries, ROWS_A_BATCH, texts=texts)

    def scores(self, parts: Iterator[tuple[str, Columns, dict[str, Measured]]]) -> dict[str, Part]:
        """Return scores and replicates of each named part of the rows."""
        found: dict[str, Scoring] = {}
        for name, columns, measured in parts:
            if name not in found:
                found[name] = Scoring(self.chain, self.task.failures, lambda entry, batch: [])
            found[name].add_measured(stored_rows(columns), measured)
        return {name: self._finished(scoring) for name, scoring in found.items()}

    def _finished(self, scoring: Scoring) -> Part:
        task = self.task
        finished = scoring.finish(seed=seed_of(task.name, task.version, task.group), clustered=task.group is not None)
        scores = {name: score for _, one in finished for name, score in one.scores.items()}
        return scores, {name: values for _, one in finished for name, values in one.replicates.items()}


def _chosen(columns: Columns, measured: dict[str, Measured], rows: Rows) -> tuple[Columns, dict[str, Measured]]:
    """Return some rows of a batch."""
    chosen = {name: [column[row] for row in rows] for name, column in columns.items()}
    return chosen, {name: one.take(rows) for name, one in measured.items()}


def slices(stored: Stored, field: str) -> dict[str, Part]:
    """Return scores and replicates of the samples with each value of a field, in the order of the values.

    Raises UsageError where no sample has the field, or it has more than 50 values.
    """
    found = stored.scores(_by_field(stored, field))
    return {value: found[value] for value in sorted(found)}


def _by_field(stored: Stored, field: str) -> Iterator[tuple[str, Columns, dict[str, Measured]]]:
    seen: set[str] = set()
    for columns, measured in stored.batches((*KEYS, "fields")):
        values = [_value(stored, field, columns, row) for row in range(len(columns["id"]))]
        seen.update(values)
        if len(seen) > MOST_SLICES:
            raise UsageError(f"the field '{field}' has more than {MOST_SLICES} values; slice by one that names kinds of samples")
        for value in dict.fromkeys(values):
            rows = np.flatnonzero([each == value for each in values])
            yield (value, *_chosen(columns, measured, rows))


def _value(stored: Stored, field: str, columns: Columns, row: int) -> str:
    fields: Mapping[str, Any] = columns["fields"][row] or {}
    if field in fields:
        value = fields[field]
    elif field in ("group", stored.task.group):
        value = columns["group"][row]
    else:
        known = [name for name in ("group", *fields) if name != "input"]
        raise UsageError(f"no sample has the field '{field}'.{nearest(field, known)} They have: {', '.join(known)}.")
    return value if isinstance(value, str) else canonical(value)


def shared(a: Stored, b: Stored) -> tuple[Part, Part]:
    """Return the scores of two systems over the samples that both have measured, metric by metric."""
    both = _kept(a)
    for name, ids in _kept(b).items():
        both[name] &= ids
    return a.scores(_only(a, both))[""], b.scores(_only(b, both))[""]


def _kept(stored: Stored) -> dict[str, set[int]]:
    """Return for each metric the hashes of the samples that it measured, in all their repeats."""
    kept: dict[str, set[int]] = {entry.name: set() for entry in stored.chain.entries}
    lost: dict[str, set[int]] = {entry.name: set() for entry in stored.chain.entries}
    for columns, measured in stored.batches():
        ids = hash_keys(columns["id"])
        for name, one in measured.items():
            kept[name].update(ids[one.kept].tolist())
            lost[name].update(ids[~one.kept].tolist())
    return {name: ids - lost[name] for name, ids in kept.items()}


def _only(stored: Stored, wanted: Mapping[str, set[int]]) -> Iterator[tuple[str, Columns, dict[str, Measured]]]:
    """Yield all rows, those of each metric that are not wanted of it as if they were not measured."""
    for columns, measured in stored.batches():
        ids = hash_keys(columns["id"]).tolist()
        for name, one in measured.items():
            inside = np.array([each in wanted[name] for each in ids], bool)
            measured[name] = Measured(one.statistics, one.statuses, one.values, one.kept & inside)
        yield "", columns, measured


def exact_tests(a: Stored, b: Stored, names: Sequence[str]) -> dict[str, float]:
    """Return the two-sided p-value of the label-swap test of those of the named scores that sums give.

    The labels of the two systems are exchanged group by group: exact where the systems are alike, whatever the metric.
    Scores over other groups in one system than in the other are left out.
    """
    found: dict[str, float] = {}
    for entry in a.chain.entries:
        wanted = [name for name in entry.scores if name in names]
        found |= _swapped(entry, wanted, a.tallies[entry.name], b.tallies[entry.name]) if wanted else {}
    return found


def _swapped(entry: Entry, names: Sequence[str], a: Tally, b: Tally) -> dict[str, float]:
    if not (isinstance(a.store, SumStore) and isinstance(b.store, SumStore)) or len(a.layouts | b.layouts) > 1:
        return {}
    one, two = a.store.sums.groups().rows, b.store.sums.groups().rows
    if not np.array_equal(a.store.sums.keys, b.store.sums.keys):
        return {}
    return {name: label_swap(_Gaps(entry, name, a.store, one, two), len(one)) for name in names}


@dataclass(frozen=True)
class _Gaps:
    """The difference `b - a` of one score, from the sums of each group, where some groups keep their labels."""

    entry: Entry
    name: str
    store: SumStore
    a: NDArray[np.float64]
    b: NDArray[np.float64]

    def __call__(self, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
        return self._score(kept, self.b, self.a) - self._score(kept, self.a, self.b)

    def _score(self, kept: NDArray[np.bool_], own: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        totals = joined(kept.astype(np.float64) @ own + (~kept).astype(np.float64) @ other)
        return call_score(self.entry, self.store.unpack(totals), (len(totals),))[self.name]
