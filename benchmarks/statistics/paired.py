"""Size and power of the paired test from two stored replicate vectors, and of the sign flips: section 4 of the reference."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.figures import Cell, read_figures
from benchmarks.statistics.pairs import GROUP_SIZE, KINDS, Kind, Pair, binary_difference, designed
from benchmarks.statistics.shipped import entry, random_of, scored
from evalharness.scoring.paired import difference, label_swap

RUNS = 2000
LEVEL = 0.05
FLIPPED = 4  # one run in so many does the sign flips, which take longer
# How far apart the macro-F1s are the reference does not say; by samples, in standard errors of many samples, this gives its
# power of a paired t test on the data (.518, .527).
MACRO_ERRORS_AWAY = {100: 2.15, 500: 2.0}
_CELL = re.compile(r"(size|power): (.+), (?:n=(\d+)|(\d+) clusters), (replicates|sign flip|unaligned)")


def paired(runs: int = RUNS) -> Iterator[Cell]:
    """Yield the share of runs in which each test calls two systems different at .05."""
    for table, name in read_figures():
        if table == "paired":
            yield Cell.of(table, name, rejections(name, runs))


def rejections(name: str, runs: int) -> NDArray[np.bool_]:
    """Return for each run whether the test that the cell names calls the systems different."""
    found = _CELL.fullmatch(name)
    assert found is not None, name
    sort, kind_name, samples, clusters, test = found.groups()
    count = int(samples) if samples else GROUP_SIZE * int(clusters)
    kind = KINDS[kind_name + (" in groups" if clusters else "")]
    sizes = (GROUP_SIZE,) * int(clusters) if clusters else ()
    gap = 0.0 if sort == "size" else true_difference(kind_name, count)
    random = random_of("paired", sort, kind_name, count, bool(clusters))
    pairs = (kind.draw(random, count, gap) for _ in range(max(10, runs // FLIPPED) if test == "sign flip" else runs))
    return np.array([_TESTS[test](kind, pair, sizes) <= LEVEL for pair in pairs])


def true_difference(kind: str, count: int) -> float:
    """Return the difference that so many samples are designed for, as the kind takes it."""
    if kind.startswith("binary "):
        return binary_difference(float(kind.removeprefix("binary ")), count)
    return designed(kind, count, MACRO_ERRORS_AWAY[count]) if kind == "macrof1" else designed(kind, count)


def by_replicates(kind: Kind, pair: Pair, sizes: tuple[int, ...], seeds: tuple[int, int] = (1, 1)) -> float:
    """Return the p-value from the aligned replicates of both systems; 1 where there is none."""
    made = entry(kind.metric)
    a, b = (scored(made, columns, sizes, seed=seed) for columns, seed in zip(pair, seeds, strict=True))
    name = made.name
    if name not in a.replicates or name not in b.replicates:
        return 1.0
    found = difference(a.scores[name], b.scores[name], (a.replicates[name], b.replicates[name]))
    return 1.0 if found.p is None else found.p


def _unaligned(kind: Kind, pair: Pair, sizes: tuple[int, ...]) -> float:
    return by_replicates(kind, pair, sizes, (1, 2))


def by_sign_flips(kind: Kind, pair: Pair, sizes: tuple[int, ...]) -> float:
    """Return the p-value from the flips of the signs of the group totals."""
    gaps = pair[1]["value"] - pair[0]["value"]
    totals = gaps.reshape(-1, sizes[0] if sizes else 1).sum(1)
    return label_swap(lambda kept: (2.0 * kept - 1.0) @ totals, len(totals))


_TESTS = {"replicates": by_replicates, "unaligned": _unaligned, "sign flip": by_sign_flips}
