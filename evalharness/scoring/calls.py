"""Calls into plugins: what they return is checked, what they break is told in one message and mended."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evalharness.contract import Passage, Rows
from evalharness.errors import EvalharnessError, shown_object
from evalharness.scoring.chain import Entry

_LEAVES = frozenset({str, int, float, bool, type(None), Passage})


class PluginFault(Exception):
    """A plugin broke its contract. `of_rows`: a single sample may be the cause, so smaller batches may help."""

    def __init__(self, message: str, *, of_rows: bool = False) -> None:
        super().__init__(message)
        self.of_rows = of_rows


def fault(entry: Entry, what: str, *, of_rows: bool = False) -> PluginFault:
    """Return the fault of an entry's metric, which is named together with the class that provides it."""
    kind = type(entry.metric)
    return PluginFault(f"metric '{entry.name}' ({kind.__module__}.{kind.__qualname__}) {what}", of_rows=of_rows)


def call_measure(entry: Entry, arguments: Mapping[str, Any], columns: Mapping[str, Frozen]) -> Rows:
    """Return what `measure` gives for these arguments.

    `columns` holds what `frozen` made of the columns before; a plugin that changed one is at fault, and the column
    is put back as it was. Raises PluginFault for whatever the plugin raises.
    """
    try:
        result = entry.metric.measure(**arguments)
    except (Exception, SystemExit) as error:
        # Missing weights or packages are nobody's row.
        of_rows = not isinstance(error, (EvalharnessError, ImportError))
        raise fault(entry, f"raised {type(error).__name__}: {error}", of_rows=of_rows) from error
    finally:
        changed = [name for name, before in columns.items() if not _unchanged(before)]
        for name in changed:
            _restore(columns[name])
    if changed:
        raise fault(entry, f"changed its input '{changed[0]}', which it must leave as it is", of_rows=True)
    rows = result if isinstance(result, Rows) else Rows(result)
    if not isinstance(rows.statistics, Mapping) or not rows.statistics:
        raise fault(entry, f"returned {shown_object(result)} from measure; it must return a mapping of statistics, or Rows")
    return rows


def call_score(entry: Entry, statistics: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, NDArray[np.float64]]:
    """Return the values of each score, of this shape, from statistics with these leading axes.

    It works on copies, so that one which writes into its arguments changes nothing. Raises PluginFault where `score`
    raises, gives other keys than its parts, or does not broadcast.
    """
    try:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            result = entry.metric.score(**{name: np.array(values) for name, values in statistics.items()})
    except EvalharnessError as error:
        raise fault(entry, f"gives no score: {error}") from error
    except (Exception, SystemExit) as error:
        what = f"raised {type(error).__name__} in score, which must broadcast over leading axes: {error}"
        raise fault(entry, what) from error
    return checked_scores(entry, result, shape)


def checked_scores(entry: Entry, result: Any, shape: tuple[int, ...]) -> dict[str, NDArray[np.float64]]:
    """Return what `score` gave as float64 arrays by score name; raises PluginFault for wrong keys or shapes."""
    parts = entry.metric.parts
    if parts and not (isinstance(result, Mapping) and set(result) == set(parts)):
        keys = ", ".join(map(str, result)) if isinstance(result, Mapping) else shown_object(result)
        raise fault(entry, f"returned {keys} from score; its parts are {', '.join(parts)}")
    values = [result[part] for part in parts] if parts else [result]
    return {name: _value(entry, value, shape) for name, value in zip(entry.scores, values, strict=True)}


def _value(entry: Entry, value: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    try:
        array = np.asarray(value, np.float64)
    except Exception:  # arrays of other libraries refuse in their own ways
        raise fault(entry, f"returned {shown_object(value)} from score; it must return numbers") from None
    if array.shape != shape:
        raise fault(entry, f"returned shape {array.shape} from score for statistics with leading axes {shape}")
    return array


class Frozen(NamedTuple):
    """A list or dict and what it held; equal to a later one if nothing in it was changed."""

    container: Any
    items: tuple[Any, ...]


def frozen(value: Any) -> Any:
    """Return what tells later whether a list or dict, or one within it, was changed; other values as they are."""
    if type(value) is list:
        return Frozen(value, _frozen_items(value))
    if type(value) is dict:
        return Frozen(value, tuple(zip(value, _frozen_items(value.values()), strict=True)))
    return value


def _unchanged(before: Frozen) -> bool:
    try:
        return bool(frozen(before.container) == before)
    except ValueError:  # an array stands where something else stood
        return False


def _frozen_items(values: Collection[Any]) -> tuple[Any, ...]:
    flat = _LEAVES.issuperset(map(type, values))
    return tuple(values) if flat else tuple(map(frozen, values))


def _restore(value: Any) -> Any:
    """Put a frozen list or dict back to what it held, in place."""
    if not isinstance(value, Frozen):
        return value
    if isinstance(value.container, list):
        value.container[:] = map(_restore, value.items)
    else:
        value.container.clear()
        value.container.update((key, _restore(item)) for key, item in value.items)
    return value.container
