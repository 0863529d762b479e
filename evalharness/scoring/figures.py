"""The pictures that a metric draws of all samples; a fault in one costs the picture and never the score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from evalharness.contract import Curve, Figure, Matrix, Metric
from evalharness.scoring.calls import PluginFault, fault
from evalharness.scoring.chain import Entry
from evalharness.scoring.sums import joined
from evalharness.scoring.tally import RowStore, SumStore, Tally

POINTS = 1000  # of one curve: more cannot be told apart in a picture
Pictures = tuple[Figure | Matrix, ...]


def pictures(entry: Entry, tally: Tally) -> Pictures:
    """Return what the entry's metric draws of the whole; a fault of the plugin is noted in the tally."""
    if type(entry.metric).figures is Metric.figures:
        return ()
    try:
        return _drawn(entry, _whole(tally.store))
    except PluginFault as why:
        tally.notes.add(str(why))
        return ()


def _whole(store: SumStore | RowStore) -> Mapping[str, Any]:
    """Return what `score` gets for all samples: the sums, or the rows with weights of one."""
    if isinstance(store, SumStore):
        return store.unpack(joined(store.sums.groups().rows.sum(0)))
    groups, columns = store.rows()
    return {"weights": np.ones(len(groups), np.int64), **columns}


def _drawn(entry: Entry, statistics: Mapping[str, Any]) -> Pictures:
    try:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = tuple(entry.metric.figures(**{name: np.array(values) for name, values in statistics.items()}))
    except (Exception, SystemExit) as error:  # a stranger's code may fail in any way
        raise fault(entry, f"raised {type(error).__name__} in figures: {error}") from error
    strange = next((item for item in found if not isinstance(item, (Figure, Matrix))), None)
    if strange is not None:
        raise fault(entry, f"returned {type(strange).__name__} from figures; it must return Figure and Matrix objects")
    return tuple(_thinned(item) for item in found)


def _thinned(item: Figure | Matrix) -> Figure | Matrix:
    """Return a picture whose curves have at most 1,000 points, evenly chosen; the first and the last stay."""
    if isinstance(item, Matrix):
        return item
    return replace(item, curves=tuple(_thinned_curve(curve) for curve in item.curves))


def _thinned_curve(curve: Curve) -> Curve:
    if len(curve.x) <= POINTS:
        return curve
    places = np.linspace(0, len(curve.x) - 1, POINTS).round().astype(int).tolist()
    return replace(curve, x=tuple(curve.x[place] for place in places), y=tuple(curve.y[place] for place in places))
