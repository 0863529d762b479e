"""What unscored samples do to a comparison: the last lines of section 4 of the reference."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.figures import Cell, read_figures
from benchmarks.statistics.pairs import Pair, binary, binary_difference
from benchmarks.statistics.shipped import Share, entry, of_mean, random_of, scored
from evalharness.scoring.paired import difference

RUNS = 500  # fewer, since each draw of lost samples has weights of its own
LEVEL = 0.05
DISAGREEMENT = 0.2
_CELL = re.compile(r"(size|power): (\d+) % (at random|of the wrong), n=(\d+), (replicates|common samples|as failures)")


def unscored(runs: int = RUNS) -> Iterator[Cell]:
    """Yield the share of runs in which systems are called different when the second has lost samples."""
    for table, name in read_figures():
        if table == "unscored":
            yield Cell.of(table, name, rejections(name, runs))


def rejections(name: str, runs: int) -> NDArray[np.bool_]:
    """Return for each run whether the systems are called different."""
    found = _CELL.fullmatch(name)
    assert found is not None, name
    sort, percent, which, count, treated = found.groups()
    gap = 0.0 if sort == "size" else binary_difference(DISAGREEMENT, int(count))
    random = random_of("unscored", sort, percent, which, count)
    draw, results = binary(DISAGREEMENT), []
    for _ in range(runs):
        pair = draw(random, int(count), gap)
        lost = random.random(int(count)) < int(percent) / 100
        if which == "of the wrong":
            lost &= pair[1]["value"] == 0
        results.append(_p(pair, lost, treated) <= LEVEL)
    return np.array(results)


def _p(pair: Pair, lost: NDArray[np.bool_], treated: str) -> float:
    """Return the p-value where the lost samples are left out of one system, out of both, or count as wrong answers."""
    a, b = pair
    if treated == "as failures":
        b, lost = of_mean(np.where(lost, 0.0, b["value"])), np.zeros(len(lost), bool)
    made = entry(Share)
    first = scored(made, a, kept=~lost if treated == "common samples" else None)
    second = scored(made, b, kept=~lost)
    found = difference(first.scores["share"], second.scores["share"], (first.replicates["share"], second.replicates["share"]))
    assert found.p is not None
    return found.p
