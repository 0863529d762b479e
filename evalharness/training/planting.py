"""Faults that are put into the training part of a table, to see which losses bear them; drawn from the seed alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from evalharness.errors import DataError
from evalharness.task import Plant
from evalharness.task.training import Outliers, Positives
from evalharness.training.collating import Row


def planted(rows: Sequence[Row], plant: Plant, seed: int) -> list[Row]:
    """Return the rows with these faults; equal seeds give equal faults, whatever the arm.

    >>> from evalharness.task.training import Outliers
    >>> rows = [Row((0.0,), float(number), str(number)) for number in range(10)]
    >>> moved = planted(rows, Plant(outliers=Outliers(share=0.2, sides="one")), seed=0)
    >>> sum(row.target != other.target for row, other in zip(rows, moved))
    2
    """
    import numpy

    kept = list(rows)
    if plant.positives is not None:
        kept = _thinned(kept, plant.positives, numpy.random.default_rng([seed, 1]))
    if plant.outliers is not None:
        kept = _moved(kept, plant.outliers, numpy.random.default_rng([seed, 2]))
    return kept


def _thinned(rows: list[Row], wanted: Positives, draws: Any) -> list[Row]:
    """Return the rows without some of one class, so that class 1 makes up the wanted share; the order stays."""
    places = {label: [place for place, row in enumerate(rows) if row.target == label] for label in (0, 1)}
    if len(places[0]) + len(places[1]) < len(rows) or not all(isinstance(row.target, int) for row in rows):
        raise DataError("plant.positives is for tables whose 'target' is 0 or 1; this one has other values")
    odds = wanted.share / (1 - wanted.share)
    keep = {0: min(len(places[0]), round(len(places[1]) / odds)), 1: min(len(places[1]), round(len(places[0]) * odds))}
    if not keep[0] or not keep[1]:
        raise DataError(f"plant.positives: a share of {wanted.share} leaves only one class of {len(rows):,} rows")
    chosen = {place for label in (0, 1) for place in draws.permutation(places[label])[: keep[label]].tolist()}
    return [row for place, row in enumerate(rows) if place in chosen]


def _moved(rows: list[Row], wanted: Outliers, draws: Any) -> list[Row]:
    """Return the rows, the targets of some moved by some standard deviations of all targets."""
    import numpy

    if all(isinstance(row.target, int) for row in rows):
        raise DataError("plant.outliers is for tables whose 'target' is a number; this one has classes")
    count = round(wanted.share * len(rows))
    places = draws.permutation(len(rows))
    signs = numpy.ones(len(rows)) if wanted.sides == "one" else draws.choice([-1.0, 1.0], len(rows))
    shifts = signs * draws.uniform(*wanted.size, len(rows)) * numpy.std([row.target for row in rows])
    # Everything is drawn for all rows, so that a larger share moves the rows of a smaller one, by as much, and others.
    moved = {place: float(shifts[place]) for place in places[:count].tolist()}
    return [dataclasses.replace(row, target=row.target + moved.get(place, 0.0)) for place, row in enumerate(rows)]
