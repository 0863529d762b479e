"""How a system was trained, where its run folder says so: a chart for each curve, and the load of each layer's experts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from evalharness.pages import charts
from evalharness.results.curves import Curve, Load, curves_of, loads_of, scalar_names
from evalharness.results.wording import counted, number

POINTS = 400  # of one line: more cannot be told apart in a chart
CELLS = 120  # of one expert over the steps
Chart = tuple[str, str, charts.Spec]


def training_charts(folder: Path) -> list[Chart]:
    """Return for each curve of a seed, or of all seeds of an arm, its name, a sentence and the chart; none without curves."""
    seeds = curves_of(folder)
    names = scalar_names(seeds.values())
    return [*(_curve(name, seeds) for name in names), *map(_load, loads_of(list(seeds.values())))]


def _curve(name: str, seeds: Mapping[int, Mapping[str, Curve]]) -> Chart:
    found = {f"seed {seed}": _points(curves[name]) for seed, curves in seeds.items() if name in curves}
    ends = [points[-1][1] for points in found.values() if points]
    told = "no value is finite" if not ends else f"{counted(len(found), 'seed')}, at the end {_span(ends)}"
    return name, told, charts.curves(found, name)


def _span(ends: Sequence[float]) -> str:
    low, high = number(min(ends)), number(max(ends))
    return low if low == high else f"{low} to {high}"


def _points(curve: Curve) -> list[tuple[int, float]]:
    """Return the finite values, evenly thinned where they are very many; the first and the last stay."""
    finite = np.flatnonzero(np.isfinite(curve.values))
    kept = finite[np.unique(np.linspace(0, len(finite) - 1, min(len(finite), POINTS)).round().astype(int))]
    return [(int(curve.steps[place]), float(f"{curve.values[place]:.6g}")) for place in kept]


def _load(load: Load) -> Chart:
    last = load.shares[:, -1] / load.even
    told = f"{len(last)} experts; at the end the fullest has {number(float(last.max()))} even shares, the emptiest "
    told += number(float(last.min()))
    title = "expert"
    if load.ranked:
        title, told = "expert, fullest first", f"{told}; means over the seeds, each seed's experts in the order of their load"
    return f"router load, layer {load.layer}", told, charts.load(list(_cells(load)), len(last), title)


def _cells(load: Load) -> Iterator[tuple[int, int, int, float]]:
    """Yield (first step, last step, expert, share in even shares); steps are averaged where they are very many."""
    for places in np.array_split(np.arange(len(load.steps)), min(len(load.steps), CELLS)):
        start = 0 if places[0] == 0 else int(load.steps[places[0] - 1])
        shares = load.shares[:, places].mean(1) / load.even
        for expert, share in enumerate(shares.tolist()):
            if np.isfinite(share):
                yield start, int(load.steps[places[-1]]), expert, float(f"{share:.4g}")
