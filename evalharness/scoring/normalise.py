"""Turns what `measure` returned into statistics as the harness adds them, and says which rows have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalharness.contract import Rows, canonical
from evalharness.errors import shown_object
from evalharness.scoring.calls import call_score, fault
from evalharness.scoring.chain import Entry

Columns = dict[str, NDArray[Any]]
Evidence = dict[int, list[Mapping[str, Any]]]
Layout = tuple[tuple[str, tuple[int, ...]], ...]

INFINITE = "infinite value"
NOT_A_NUMBER = "not a number"
LARGEST_STATISTIC = 4096
_TEXT = (-1,)


@dataclass(frozen=True)
class Normal:
    """Statistics and per-sample values of the rows that count (row numbers ascending), and reasons for the others.

    Any row may have evidence.
    """

    rows: NDArray[np.intp]
    statistics: Columns
    values: Columns
    reasons: dict[int, str]
    evidence: Evidence = field(default_factory=dict)


def normalise(entry: Entry, result: Rows, count: int) -> Normal:
    """Return the statistics and the values of `count` rows; raises PluginFault where they break the contract."""
    found = statistics_of(entry, result, count)
    if not len(found.rows):
        return found
    return replace(found, values=_sample_values(entry, found.statistics, len(found.rows)))


def statistics_of(entry: Entry, result: Rows, count: int) -> Normal:
    """Return the statistics of `count` rows as float64, without values; raises PluginFault for what is no table.

    A plain mean gets its columns under `value`, or under its parts, each with `NAME.count` beside it, 0 where the
    value is NaN. Other metrics lose a row with NaN, all lose one with an infinite value. Columns of a metric with
    `pool = "rows"` may be text; None is no value there.
    """
    reasons = {row: str(reason) for row, reason in _by_row(entry, result.unmeasured, count, "unmeasured", "reason").items()}
    evidence = {
        row: _plain_items(entry, items, row)
        for row, items in _by_row(entry, result.evidence, count, "evidence", "a list of mappings").items()
    }
    rows = np.array([row for row in range(count) if row not in reasons], np.intp)
    columns = {name: _column(entry, name, values, rows, count) for name, values in result.statistics.items()}
    if entry.metric.is_mean:
        columns = _mean_columns(entry, columns)
    rows, columns = _without_infinite_and_nan(entry, rows, columns, reasons)
    if entry.metric.is_mean:
        columns = _with_counts(columns)
    return Normal(rows, columns if len(rows) else {}, {}, reasons, evidence)


def layout(statistics: Columns) -> Layout:
    """Return the names and the shapes of a sample's statistics, sorted by name; the shape of text is (-1,)."""
    return tuple(sorted((name, _TEXT if column.dtype == object else column.shape[1:]) for name, column in statistics.items()))


def as_worst(entry: Entry, count: int) -> tuple[Columns, Columns]:
    """Return statistics and values of `count` rows that a plain mean counts at the bad end of its range."""
    worst, ones = np.full(count, float(entry.metric.worst or 0.0)), np.ones(count)
    names = entry.metric.parts or ("value",)
    statistics = dict.fromkeys(names, worst) | {f"{name}.count": ones for name in names}
    return statistics, dict.fromkeys(entry.scores, worst)


def _by_row(entry: Entry, values: Mapping[int, Any], count: int, what: str, of: str) -> dict[int, Any]:
    """Return reasons or evidence by row number; raises PluginFault for what is no mapping or names no row."""
    if not isinstance(values, Mapping):
        raise fault(entry, f"returned one {type(values).__name__} as {what}; it must be a mapping of row to {of}")
    outside = [row for row in values if not (isinstance(row, (int, np.integer)) and 0 <= row < count)]
    if outside:
        raise fault(entry, f"named row {outside[0]} as {what}; there are {count} rows, counted from 0")
    return {int(row): value for row, value in values.items()}


def _plain_items(entry: Entry, items: Any, row: int) -> list[Mapping[str, Any]]:
    """Return the evidence of one row; raises PluginFault where it is no list of mappings that JSON can hold."""
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, Mapping) for item in items):
        raise fault(entry, f"returned {shown_object(items)} as evidence; it must be a list of mappings", of_rows=True)
    try:
        canonical(items).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise fault(entry, f"returned evidence of row {row} that JSON cannot hold: {error}", of_rows=True) from None
    return list(items)


def _column(entry: Entry, name: str, values: Any, rows: NDArray[np.intp], count: int) -> NDArray[Any]:
    if not isinstance(name, str):
        raise fault(entry, f"returned a statistic named {name!r}; names are text")
    if not _is_sequence(values):
        raise fault(entry, f"returned one {type(values).__name__} as '{name}'; it must be a sequence, one value a sample")
    if len(values) != count:
        raise fault(entry, f"returned {len(values)} rows of '{name}' for {count} samples", of_rows=True)
    if len(rows) < count:
        values = [values[row] for row in rows]
    column = _text_or_numbers(entry, name, values) if entry.metric.pool == "rows" else _numbers(entry, name, values)
    if column.size > LARGEST_STATISTIC * max(len(column), 1):
        raise fault(entry, f"returned {column[0].size} numbers a sample in '{name}'; at most {LARGEST_STATISTIC} are allowed")
    return column


def _is_sequence(values: Any) -> bool:
    """Return whether values are a list, a tuple or an array with an axis of rows, of whatever library."""
    if not (hasattr(values, "__len__") and hasattr(values, "__getitem__")) or isinstance(values, (str, bytes, Mapping)):
        return False
    return getattr(values, "shape", None) != ()


def _numbers(entry: Entry, name: str, values: Sequence[Any]) -> NDArray[np.float64]:
    try:
        return np.asarray(values, np.float64)
    except Exception:  # arrays of other libraries refuse in their own ways
        message = f"returned '{name}' that is no column of numbers or of arrays of one shape"
        raise fault(entry, message, of_rows=True) from None


def _text_or_numbers(entry: Entry, name: str, values: Sequence[Any]) -> NDArray[Any]:
    texts = {isinstance(value, str) for value in values if value is not None}
    if texts == {True, False}:
        raise fault(entry, f"returned '{name}' with text and numbers in one column", of_rows=True)
    return np.array(values, object) if True in texts else _numbers(entry, name, values)


def _mean_columns(entry: Entry, columns: Columns) -> Columns:
    parts = entry.metric.parts
    wanted = set(parts) if parts else set(columns) if len(columns) == 1 else {"a single column"}
    if set(columns) != wanted:
        expected = ", ".join(parts) or "one column, as it has no parts and no score of its own"
        raise fault(entry, f"returned the columns {', '.join(columns)} from measure; expected: {expected}")
    for name, column in columns.items():
        if column.ndim != 1:
            raise fault(entry, f"returned arrays in '{name}'; a metric without score of its own returns one number a sample")
    return {part: columns[part] for part in parts} if parts else {"value": next(iter(columns.values()))}


def _without_infinite_and_nan(
    entry: Entry, rows: NDArray[np.intp], columns: Columns, reasons: dict[int, str]
) -> tuple[NDArray[np.intp], Columns]:
    """Return what is left when rows without a usable number are taken out, and note the reasons."""
    if not len(rows):
        return rows, columns
    numbers = [_as_numbers(column).reshape(len(rows), -1) for column in columns.values()]
    if all(np.isfinite(column).all() for column in numbers):
        return rows, columns
    infinite = np.logical_or.reduce([np.isinf(column).any(1) for column in numbers])
    every = np.logical_and if entry.metric.is_mean else np.logical_or
    undefined = every.reduce([np.isnan(column).any(1) for column in numbers]) & ~infinite
    reasons.update(dict.fromkeys(rows[infinite].tolist(), INFINITE))
    reasons.update(dict.fromkeys(rows[undefined].tolist(), NOT_A_NUMBER))
    left = ~(infinite | undefined)
    return rows[left], {name: column[left] for name, column in columns.items()}


def _as_numbers(column: NDArray[Any]) -> NDArray[np.float64]:
    """Return a column as it is; of text, NaN where there is none."""
    return np.array([np.nan if text is None else 0.0 for text in column]) if column.dtype == object else column


def _with_counts(columns: Columns) -> Columns:
    counted: Columns = {}
    for name, column in columns.items():
        missing = np.isnan(column)
        counted[name] = np.where(missing, 0.0, column)
        counted[f"{name}.count"] = (~missing).astype(np.float64)
    return counted


def _sample_values(entry: Entry, columns: Columns, count: int) -> Columns:
    if entry.metric.pool == "rows":
        return {name: np.full(count, np.nan) for name in entry.scores}
    values = call_score(entry, columns, (count,))
    return {name: np.where(np.isfinite(value), value, np.nan) for name, value in values.items()}
