"""Simultaneous rank sets of ten systems: coverage and mean size, beside sets from single comparisons (section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.figures import Cell, read_figures
from benchmarks.statistics.pairs import answers
from benchmarks.statistics.shipped import Share, entry, of_mean, random_of, scored
from evalharness.scoring.families import benjamini_hochberg, holm
from evalharness.scoring.paired import of_spread, spreads
from evalharness.scoring.ranks import rank

RUNS = 500
LEVEL = 0.05
BOARDS = {
    "equal": np.full(10, 0.7),
    "groups": np.repeat([0.8, 0.7, 0.6], [3, 4, 3]),
    "spread": 0.78 - 0.02 * np.arange(10),
    "ceiling": np.linspace(0.99, 0.93, 10),
}
Sets = tuple[NDArray[Any], NDArray[Any]]


def ranks(runs: int = RUNS) -> Iterator[Cell]:
    """Yield coverage and mean set size of each board; with 3,000 samples a third of the runs."""
    wanted = read_figures()
    boards = dict.fromkeys(name.partition(":")[0] for table, name in wanted if table == "ranks")
    for board in boards:
        count = int(board.partition("n=")[2])
        found = simulated(board.partition(",")[0], count, runs if count < 3000 else max(10, runs // 3))
        for method, (covered, sizes) in found.items():
            cells = {f"{board}: {method}, coverage": covered, f"{board}: {method}, set size": sizes}
            yield from (Cell.of("ranks", name, values) for name, values in cells.items() if ("ranks", name) in wanted)


def simulated(board: str, count: int, runs: int) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.float64]]]:
    """Return by method, for each run, whether all true ranks lie in their sets, and the mean size of the sets."""
    random, shares = random_of("ranks", board, count), BOARDS[board]
    true_low, true_high = (shares[:, None] > shares).sum(0) + 1, len(shares) - (shares[:, None] < shares).sum(0)
    found: dict[str, list[tuple[bool, float]]] = {}
    for _ in range(runs):
        values, replicates = _measured(answers(random, shares, count))
        for method, (low, high) in _sets(values, replicates, count).items():
            covers = bool((low <= true_low).all() and (high >= true_high).all())
            found.setdefault(method, []).append((covers, float((high - low + 1).mean())))
    return {name: (np.array([c for c, _ in rows]), np.array([s for _, s in rows])) for name, rows in found.items()}


def _measured(right: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    finished = [scored(entry(Share), of_mean(row)) for row in right]
    values = np.array([one.scores["share"].value for one in finished], float)
    return values, np.stack([one.replicates["share"] for one in finished])


def _sets(values: NDArray[np.float64], replicates: NDArray[np.float32], count: int) -> dict[str, Sets]:
    """Return the rank sets by the shipped rule, and by comparisons pair by pair, adjusted or not."""
    ranking = rank(values, replicates, better="higher", df=count - 1.0)
    return {
        "max-t": (np.array(ranking.low), np.array(ranking.high)),
        "pairwise": _of_pairs(values, replicates, count, list),
        "holm": _of_pairs(values, replicates, count, holm),
        "bh": _of_pairs(values, replicates, count, benjamini_hochberg),
    }


def _of_pairs(
    values: NDArray[np.float64],
    replicates: NDArray[np.float32],
    count: int,
    adjust: Callable[[list[float | None]], list[float | None]],
) -> Sets:
    first, second = np.triu_indices(len(values), 1)
    gaps, sd = values[first] - values[second], spreads(replicates)[first, second]
    p = [of_spread(gap, spread, count).p if spread > 0 else 1.0 for gap, spread in zip(gaps, sd, strict=True)]
    different = np.asarray(adjust(p), np.float64) <= LEVEL
    above = np.zeros((len(values), len(values)), bool)
    above[first, second], above[second, first] = different & (gaps > 0), different & (gaps < 0)
    return 1 + above.sum(0), len(values) - above.sum(1)
