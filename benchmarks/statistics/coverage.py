"""How often the interval of one score holds the truth: section 3 of the design reference, and its held-out families."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.families import FAMILIES, HELD_OUT, Draws, Family
from benchmarks.statistics.figures import Cell
from benchmarks.statistics.shipped import entry, random_of, scored

RUNS, HELD_OUT_RUNS = 4000, 3000
GROUP_SIZE = 6
_NUMBERS_AT_ONCE = 200_000


def coverage(runs: int = RUNS) -> Iterator[Cell]:
    """Yield the coverage of each family, by samples and by groups of six."""
    for name, family in FAMILIES.items():
        for count in (20, 50, 100, 300, 1000):
            yield _cell("coverage", f"{name} n={count}", family, (1,) * count, runs)
    for name, family in FAMILIES.items():
        for groups in (10, 20, 50, 166) if name != "bleu" else ():
            label = f"{name} n={groups * GROUP_SIZE} ({groups} clusters)"
            yield _cell("coverage", label, family, (GROUP_SIZE,) * groups, runs)


def held_out(runs: int = HELD_OUT_RUNS) -> Iterator[Cell]:
    """Yield the coverage of the families that had no part in the choice of the rule."""
    for name, family in HELD_OUT.items():
        for count in (20, 50, 100, 300, 1000):
            yield _cell("holdout", f"{name} n={count}", family, _sizes(name, count), runs)


def _sizes(name: str, count: int) -> tuple[int, ...]:
    """Return the sizes of the groups; the reference says of one family only that they are of 1 to 12 samples.

    Word errors come in so many groups; of the shares, so many samples in groups of 1 to 3 fit the table best.
    """
    if not name.endswith("-uneven"):
        return (1,) * count
    if name.startswith("wer"):
        return (tuple(range(1, 13)) * (count // 12 + 1))[:count]
    return (1, 2, 3) * (count // 6) + (count % 6,) * (count % 6 > 0)


def _cell(table: str, name: str, family: Family, sizes: tuple[int, ...], runs: int) -> Cell:
    return Cell.of(table, name, covered(family, sizes, runs, random_of(table, name)))


def covered(family: Family, sizes: tuple[int, ...], runs: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """Return for each run whether the interval holds the truth; a score without an interval does not."""
    made, truth = entry(family.metric, replicates=1), family.truth()
    sizes_given = sizes if max(sizes) > 1 else ()
    inside = []
    for block in _blocks(runs, sum(sizes)):
        columns = family.draw(Draws(random, block, sizes))
        for run in range(block):
            found = scored(made, {name: column[run] for name, column in columns.items()}, sizes_given).scores[made.name]
            inside.append(found.low is not None and found.high is not None and found.low <= truth <= found.high)
    return np.array(inside)


def _blocks(runs: int, samples: int) -> Iterator[int]:
    at_once = max(1, _NUMBERS_AT_ONCE // samples)
    for start in range(0, runs, at_once):
        yield min(at_once, runs - start)
