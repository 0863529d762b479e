"""`curves.parquet`: what was logged while a system was trained, one row a step and name; an arm has those of its seeds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import parquet

from evalharness.errors import DataError
from evalharness.results.folder import whole

CURVES = "curves.parquet"
ROUTER = re.compile(r"router\.(\d+)\.(\d+)")
_SEED = re.compile(r"seed(\d+)")
_SCHEMA = pyarrow.schema([("step", pyarrow.int64()), ("name", pyarrow.string()), ("value", pyarrow.float64())])
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """The values of one name over the steps, both (points,), in the order of the steps."""

    steps: NDArray[np.int64]
    values: Vector


@dataclass(frozen=True)
class Load:
    """The share of a layer's tokens that went to each expert, 0 to 1: `shares` (experts, points) over `steps` (points,).

    With `ranked` the experts are in the order of their load and have no number: a mean over seeds, whose experts have
    nothing in common but that.
    """

    layer: int
    steps: NDArray[np.int64]
    shares: Vector
    ranked: bool = False

    @property
    def even(self) -> float:
        """The share of each expert under an even load."""
        return 1 / len(self.shares)


Curves = Mapping[str, Curve]


def write_curves(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of {"step": int, "name": str, "value": float}, in their order."""
    table = pyarrow.Table.from_pylist([{name: row[name] for name in _SCHEMA.names} for row in rows], schema=_SCHEMA)
    with whole(path) as temporary:
        parquet.write_table(table, temporary, compression="zstd")


def read_curves(path: Path) -> dict[str, Curve]:
    """Return the curves in a file by name, in the order in which they were first logged; DataError where it holds none."""
    try:
        table = parquet.ParquetFile(path).read(columns=_SCHEMA.names)
        names, steps, values = (table.column(name).to_pylist() for name in ("name", "step", "value"))
    except (OSError, KeyError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} holds no curves (columns step, name, value): {error}") from error
    found: dict[str, dict[int, float]] = {}
    for name, step, value in zip(names, steps, values, strict=True):
        found.setdefault(name, {})[step] = np.nan if value is None else value
    return {name: _curve(points) for name, points in found.items()}


def _curve(points: Mapping[int, float]) -> Curve:
    steps = sorted(points)
    return Curve(np.array(steps, np.int64), np.array([points[step] for step in steps], np.float64))


def curves_of(folder: Path) -> dict[int, dict[str, Curve]]:
    """Return the curves of a run folder by seed: of an arm those of each seed, of a seed its own; empty where none are.

    A run whose folder is not called after a seed is seed 0.
    """
    own = _SEED.fullmatch(folder.resolve().name)
    if (folder / CURVES).is_file():
        return {int(own[1]) if own else 0: read_curves(folder / CURVES)}
    below = {int(name[1]): path / CURVES for path in folder.glob("seed*") if (name := _SEED.fullmatch(path.name))}
    return {seed: read_curves(path) for seed, path in sorted(below.items()) if path.is_file()}


def scalar_names(seeds: Iterable[Curves]) -> list[str]:
    """Return the names of the curves that are no part of a router's load: losses first, as logged.

    A part that is the whole loss wherever it was logged is left out.
    """
    found = list(seeds)
    names = dict.fromkeys(name for curves in found for name in curves if not ROUTER.fullmatch(name))
    names = {name: None for name in names if any(name in curves and not _is_loss(name, curves) for curves in found)}
    return sorted(names, key=lambda name: name.partition(".")[0] != "loss")


def _is_loss(name: str, curves: Curves) -> bool:
    """Return whether a part of the loss is all of it."""
    whole = curves.get("loss")
    return name.startswith("loss.") and whole is not None and np.array_equal(whole.values, curves[name].values, equal_nan=True)


def mean_of(seeds: Sequence[Curves]) -> dict[str, Curve]:
    """Return the mean of each curve over the seeds, at the steps that all of them logged."""
    shared = [name for name in seeds[0] if all(name in curves for curves in seeds)]
    return {name: _mean_curve([curves[name] for curves in seeds]) for name in shared}


def _mean_curve(curves: Sequence[Curve]) -> Curve:
    steps = _common([curve.steps for curve in curves])
    return Curve(steps, np.mean([curve.values[np.isin(curve.steps, steps)] for curve in curves], axis=0))


def loads_of(seeds: Sequence[Curves]) -> list[Load]:
    """Return the load of each layer's experts from the curves `router.LAYER.EXPERT`; of several seeds the mean.

    What was logged, shares or counts, is divided by its sum over the experts of the layer; a step counts where every seed
    logged all experts. Expert 3 of one seed is not expert 3 of another: each seed's experts are first ordered by their mean
    load, the fullest first, so that the mean over seeds does not even out what each of them left uneven.
    """
    found = [_shares(curves) for curves in seeds]
    layers = sorted({layer for one in found for layer in one})
    return [_mean(layer, [one[layer] for one in found if layer in one]) for layer in layers]


def _shares(curves: Curves) -> dict[int, Load]:
    by_layer: dict[int, dict[int, Curve]] = {}
    for name, curve in curves.items():
        place = ROUTER.fullmatch(name)
        if place:
            by_layer.setdefault(int(place[1]), {})[int(place[2])] = curve
    return {layer: _load(layer, [experts[each] for each in sorted(experts)]) for layer, experts in by_layer.items()}


def _load(layer: int, experts: Sequence[Curve]) -> Load:
    steps = _common([curve.steps for curve in experts])
    counts = np.stack([curve.values[np.isin(curve.steps, steps)] for curve in experts])
    with np.errstate(invalid="ignore", divide="ignore"):
        return Load(layer, steps, counts / counts.sum(0))


def _mean(layer: int, loads: Sequence[Load]) -> Load:
    if len(loads) == 1:
        return loads[0]
    steps = _common([load.steps for load in loads])
    shares = [_fullest_first(load.shares[:, np.isin(load.steps, steps)]) for load in loads]
    return Load(layer, steps, np.mean(shares, axis=0), ranked=True)


def _fullest_first(shares: Vector) -> Vector:
    return shares[np.argsort(-np.nansum(shares, 1), kind="stable")]


def _common(steps: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    shared = steps[0]
    for other in steps[1:]:
        shared = np.intersect1d(shared, other)
    return shared
