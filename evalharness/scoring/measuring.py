"""Measures one batch with one metric: who is withheld, what the plugin gives, and what becomes of each row."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evalharness.contract import Batch, Failure, Response
from evalharness.contract.metrics import RESERVED
from evalharness.scoring.calls import Frozen, PluginFault, call_measure, fault, frozen
from evalharness.scoring.chain import Entry
from evalharness.scoring.normalise import Columns, Evidence, Normal, as_worst, layout, normalise
from evalharness.scoring.repeats import RESPONSES, Samples, spread_measured

Policy = Literal["worst", "exclude"]
Statuses = list[str | None]

ERROR = "error: "
UNDEFINED = "undefined for one sample"
AS_WORST = "counted as worst: "
FAILED = "failed: "

# Fields that come from the response, and those that may: they stand in the data set, or a system gives them.
FROM_RESPONSE = frozenset({"response", "logprobs", "choice_tokens"})
PERHAPS_FROM_RESPONSE = frozenset({"contexts", "text"})


@dataclass(frozen=True)
class Measured:
    """What one metric found in one batch of n samples.

    - `statistics`: float64 columns (n, ...) ready to be added, 0 in rows that are not kept; for `pool = "rows"` also
      columns of text (object), None in rows that are not kept. Empty where no row is kept.
    - `statuses`: None, or why there is no value: a reason, `failed: KIND` where the system failed, `error: KIND`; a
      kept row may bear a remark.
    - `values`: by score name, the value of each sample (n,), NaN where there is none.
    - `kept`: which rows count in the total (n,).
    - `notes`: what plugins did wrong, in full sentences.
    - `evidence`: by row number, the plain mappings that the metric gave to be shown beside the sample.
    """

    statistics: Columns
    statuses: Statuses
    values: dict[str, NDArray[np.float64]]
    kept: NDArray[np.bool_]
    notes: tuple[str, ...] = ()
    evidence: Evidence = field(default_factory=dict)

    def take(self, rows: NDArray[np.intp]) -> Measured:
        """Return what was found in some rows, without notes and evidence."""
        statistics = {name: column[rows] for name, column in self.statistics.items()}
        values = {name: column[rows] for name, column in self.values.items()}
        return Measured(statistics, [self.statuses[row] for row in rows], values, self.kept[rows])


class ParentValues(list[Any]):
    """One parent's per-sample values in this batch, as the argument `values` gives them by score name.

    A list with None where there is no value; `statuses` holds the reasons, `kept` which rows count in the parent's
    total, and `statistics` the parent's own, one row a sample. A metric that reads `responses` gets in place of a value
    the list of those of all repeats.
    """

    def __init__(self, values: Sequence[Any], statuses: Statuses, kept: Sequence[bool], statistics: Columns) -> None:
        super().__init__(values)
        self.statuses, self.kept, self.statistics = statuses, kept, statistics

    @classmethod
    def of(cls, score: str, measured: Measured) -> ParentValues:
        """Return the values of one score of a measured batch."""
        numbers = [None if number != number else number for number in measured.values[score].tolist()]
        return cls(numbers, measured.statuses, measured.kept.tolist(), measured.statistics)

    def take(self, rows: Sequence[int]) -> ParentValues:
        """Return the values of some rows."""
        statistics = {name: column[rows] for name, column in self.statistics.items()}
        chosen = [self[row] for row in rows], [self.statuses[row] for row in rows], [self.kept[row] for row in rows]
        return ParentValues(*chosen, statistics)

    def by_sample(self, samples: Samples, *, lists: bool) -> ParentValues:
        """Return the values by sample: a list of those of its repeats, or the one that stands in its first row."""
        statuses = samples.statuses(self.statuses, ERROR) if lists else samples.first(self.statuses)
        column: list[Any] = samples.lists(self) if lists else samples.first(self)
        statistics = {name: numbers[samples.rows] for name, numbers in self.statistics.items()}
        return ParentValues(column, statuses, samples.first(self.kept), statistics)


def excluded(
    entry: Entry,
    batch: Batch,
    *,
    failures: Sequence[Failure | None],
    parents: Mapping[str, ParentValues],
    answers: Sequence[Sequence[Response]] | None = None,
) -> Statuses:
    """Return for each row why the metric will not see it, or None; `parents` are the values that it uses.

    `error: KIND` for infrastructure failures of what it reads, of its own answers or of a metric that it uses, `failed:
    KIND` where that one has no value for a failure of the system, `no FIELD` where a field that it reads is None. Whoever
    asks on a metric's behalf asks for the other rows.
    """
    statuses: Statuses = [None] * len(batch)
    _exclude_missing(entry, batch, statuses)
    for score in entry.metric.uses:
        for row, status in enumerate(parents[score].statuses):
            if status is not None and status.startswith((ERROR, FAILED)):
                statuses[row] = status
    for row, asked in enumerate(answers or ()):
        kinds = [reply.error.kind for reply in asked if reply.error is not None and reply.error.infrastructure]
        if kinds:
            statuses[row] = ERROR + kinds[0]
    for row, failure in enumerate(failures):
        if failure is not None and failure.infrastructure and _concerns(entry, batch, row):
            statuses[row] = ERROR + failure.kind
    return statuses


def measure(
    entry: Entry,
    batch: Batch,
    *,
    failures: Sequence[Failure | None],
    policy: Policy,
    measured: Mapping[str, Measured],
    answers: Sequence[Sequence[Response]] | None = None,
) -> Measured:
    """Return what the entry's metric finds in a batch; a fault of the plugin costs the rows at fault and no others.

    `measured` holds the entries before it by name; `answers` the replies to what it asked, a list a row. A sample whose
    system failed and which the metric cannot measure counts, under the policy "worst", at the bad end of the range of
    a plain mean; elsewhere it is unmeasured for that reason. A metric of samples sees the repeats of each as one row.
    """
    parents = {score: ParentValues.of(score, _parent(score, measured)) for score in entry.metric.uses}
    if not entry.of_samples or RESPONSES in batch.columns:
        return _measure(entry, batch, failures, policy, parents, answers)
    samples = Samples.of(batch)
    by_sample = {score: values.by_sample(samples, lists=RESPONSES in entry.metric.reads) for score, values in parents.items()}
    found = _measure(entry, samples.batch(batch), samples.failures(failures), policy, by_sample, samples.answers(answers))
    return spread_measured(found, samples, len(batch))


def _measure(
    entry: Entry,
    batch: Batch,
    failures: Sequence[Failure | None],
    policy: Policy,
    parents: dict[str, ParentValues],
    answers: Sequence[Sequence[Response]] | None,
) -> Measured:
    statuses = excluded(entry, batch, failures=failures, parents=parents, answers=answers)
    rows = [row for row, status in enumerate(statuses) if status is None]
    call = _Call(entry, batch, answers, parents)
    pieces, notes, evidence = [], dict[str, None](), Evidence()
    for piece in _attempts(call, rows) if rows else ():
        pieces.append(piece.normal)
        notes |= dict.fromkeys(piece.notes)
        evidence |= piece.normal.evidence
        for row, reason in piece.normal.reasons.items():
            statuses[row] = reason
    pieces += _failed_piece(entry, failures, policy, statuses)
    pieces = [piece for piece in pieces if len(piece.rows)]
    if len({layout(piece.statistics) for piece in pieces}) > 1:
        kept = np.isin(np.arange(len(batch)), np.concatenate([piece.rows for piece in pieces]))
        return refused(entry, Measured({}, statuses, {}, kept, tuple(notes)))
    return replace(_assembled(entry, pieces, statuses), notes=tuple(notes), evidence=evidence)


def refused(entry: Entry, measured: Measured) -> Measured:
    """Return a batch whose statistics have other names or shapes than those beside them, or before: all errors."""
    statuses = [f"{ERROR}plugin" if kept else status for status, kept in zip(measured.statuses, measured.kept, strict=True)]
    note = str(fault(entry, "returned statistics whose names or shapes depend on the samples"))
    values = {name: np.full(len(statuses), np.nan) for name in entry.scores}
    return Measured({}, statuses, values, np.zeros(len(statuses), bool), (*measured.notes, note))


@dataclass(frozen=True)
class _Call:
    entry: Entry
    batch: Batch
    answers: Sequence[Sequence[Response]] | None
    values: dict[str, ParentValues]

    def __call__(self, rows: list[int]) -> Normal:
        """Measure some rows of the batch; row numbers of the result are those of the batch."""
        batch = _selected(self.batch, rows)
        arguments: dict[str, Any] = {name: batch.columns[name] for name in self.entry.metric.reads}
        before = {name: _frozen_column(batch, name) for name in self.entry.metric.reads}
        wanted = _reserved(type(self.entry.metric).measure)
        if "batch" in wanted:
            arguments["batch"] = batch
        if "answers" in wanted:
            arguments["answers"] = [list((self.answers or ())[row]) if self.answers else [] for row in rows]
        if "values" in wanted:
            arguments["values"] = {score: values.take(rows) for score, values in self.values.items()}
        normal = normalise(self.entry, call_measure(self.entry, arguments, before), len(rows))
        numbers = np.array(rows, np.intp)
        reasons = {rows[row]: reason for row, reason in normal.reasons.items()}
        evidence = {rows[row]: items for row, items in normal.evidence.items()}
        return Normal(numbers[normal.rows], normal.statistics, normal.values, reasons, evidence)


@dataclass(frozen=True)
class _Piece:
    normal: Normal
    notes: tuple[str, ...] = ()


def _attempts(call: _Call, rows: list[int]) -> Iterator[_Piece]:
    """Measure rows at once or, where the plugin fails, by halves until the rows at fault stand alone."""
    try:
        yield _Piece(call(rows))
    except PluginFault as error:
        if error.of_rows and len(rows) > 1:
            half = len(rows) // 2
            yield from _attempts(call, rows[:half])
            yield from _attempts(call, rows[half:])
        else:
            reasons = dict.fromkeys(rows, f"{ERROR}plugin")
            yield _Piece(Normal(np.empty(0, np.intp), {}, {}, reasons), (str(error),))


@functools.cache
def _reserved(function: Callable[..., Any]) -> frozenset[str]:
    return frozenset(RESERVED) & frozenset(inspect.signature(function).parameters)


def _selected(batch: Batch, rows: list[int]) -> Batch:
    """Return a batch of some rows; metrics that see the same rows share it, and what is computed once in it."""
    if len(rows) == len(batch):
        return batch

    def select() -> Batch:
        ids = [batch.ids[row] for row in rows] if batch.ids else ()
        return Batch({name: [column[row] for row in rows] for name, column in batch.columns.items()}, ids)

    return batch.once(("evalharness rows", tuple(rows)), select)


def _frozen_column(batch: Batch, name: str) -> Frozen:
    return batch.once(("evalharness frozen", name), lambda: frozen(batch.columns[name]))


def _exclude_missing(entry: Entry, batch: Batch, statuses: Statuses) -> None:
    for name in entry.metric.reads:
        for row, value in enumerate(batch.columns.get(name) or [None] * len(batch)):
            if value is None and statuses[row] is None:
                statuses[row] = f"no {name}"


def _concerns(entry: Entry, batch: Batch, row: int) -> bool:
    """Return whether a failed response leaves this row without something that the metric reads."""
    reads = frozenset(entry.metric.reads)
    absent = (name for name in reads & PERHAPS_FROM_RESPONSE if (batch.columns.get(name) or {row: None})[row] is None)
    return bool(reads & FROM_RESPONSE) or any(absent)


def _parent(score: str, measured: Mapping[str, Measured]) -> Measured:
    return next(item for item in measured.values() if score in item.values)


def _failed_piece(entry: Entry, failures: Sequence[Failure | None], policy: Policy, statuses: Statuses) -> list[Normal]:
    """Say of the rows that the system's failure left unmeasured that it did; return those that count as worst."""
    metric = entry.metric
    if not (frozenset(metric.reads) & FROM_RESPONSE or metric.asks):
        return []
    # What the data set lacks is no failure of the system.
    lacking = {f"no {shape}" for name in metric.reads if name not in FROM_RESPONSE for shape in (name, name.removesuffix("s"))}
    rows = {
        row: failure.kind
        for row, (failure, status) in enumerate(zip(failures, statuses, strict=True))
        if failure is not None and not failure.infrastructure
        if status is not None and status not in lacking and not status.startswith(ERROR)
    }
    counts = policy == "worst" and metric.is_mean and metric.worst is not None
    for row, kind in rows.items():
        statuses[row] = (AS_WORST if counts else FAILED) + kind
    return [Normal(np.array(list(rows), np.intp), *as_worst(entry, len(rows)), {})] if counts else []


def _blank(count: int, column: NDArray[Any]) -> NDArray[Any]:
    shape = (count, *column.shape[1:])
    return np.full(shape, None, object) if column.dtype == object else np.zeros(shape)


def _assembled(entry: Entry, pieces: list[Normal], statuses: Statuses) -> Measured:
    count = len(statuses)
    kept = np.zeros(count, bool)
    values = {name: np.full(count, np.nan) for name in entry.scores}
    statistics: Columns = {}
    for piece in pieces:
        kept[piece.rows] = True
        for name in entry.scores:
            values[name][piece.rows] = piece.values[name]
        for name, column in piece.statistics.items():
            if name not in statistics:
                statistics[name] = _blank(count, column)
            statistics[name][piece.rows] = column
    if entry.metric.pool == "sum":
        undefined = kept & np.logical_and.reduce([np.isnan(column) for column in values.values()])
        for row in np.flatnonzero(undefined):
            statuses[row] = statuses[row] or UNDEFINED
    return Measured(statistics, statuses, values, kept)
