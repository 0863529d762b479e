"""The standings of a board: values, coverage, and simultaneous rank sets from the aligned replicates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evalharness.leaderboard.aligned import Replicates, Spreads, score_of
from evalharness.leaderboard.board import Board, System
from evalharness.leaderboard.cells import bounds, coverage, coverage_note
from evalharness.leaderboard.rules import Ruled, rule
from evalharness.scoring.intervals import FEWEST_GROUPS
from evalharness.scoring.ranks import rank, tie_groups


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where one system stands under the board's rule.

    The true rank lies from `rank_low` to `rank_high`, for all systems at once with a chance of 95 %; None where the system
    is not ranked. Systems that share a letter cannot be told apart; with more than 26 groups there are no letters.
    `coverage` is the share of the samples that the value rests on, `bounds` where the value would lie with the others at
    the ends of the range. `marks` say in words what a reader must know of the row.
    """

    system: str
    value: float | None
    low: float | None = None
    high: float | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    letters: str = ""
    coverage: float = 1.0
    bounds: tuple[float, float] | None = None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Standings:
    """The rows of a board, best first and unranked ones last, and how far chance parts any two systems.

    A system that lost samples to errors stands where it would if they had all gone wrong.

    `spreads` holds by column title the standard deviations (k, k) of the paired differences, in the order of
    `board.systems`, NaN where two systems have no aligned replicates; each is computed when it is asked for.
    """

    rule: str
    rows: tuple[Standing, ...]
    spreads: Mapping[str, NDArray[np.float64]]


def standings(board: Board) -> Standings:
    """Return the standings of a board under its rule."""
    replicates = Replicates(board)
    ruled = rule(board, replicates)
    sign, end = (-1.0, 0) if board.rank.better == "higher" else (1.0, 1)
    sure = {system.name: sign * np.nan_to_num(ruled.bounds[place, end]) for place, system in enumerate(board.systems)}
    rows = {system.name: _row(board, system, ruled, place) for place, system in enumerate(board.systems)}
    rows |= {row.system: row for row in _ranked(board, ruled, rows)}
    order = sorted(rows.values(), key=lambda row: (row.rank_low is None, row.value is None, sure[row.system]))
    return Standings(rule=board.rank.words, rows=tuple(order), spreads=Spreads(board, replicates))


def _row(board: Board, system: System, ruled: Ruled, place: int) -> Standing:
    """Return the row of a system without its rank."""
    reason = ruled.apart.get(place)
    marks = [] if reason is None else [f"not ranked: {reason}"]
    scores = [score for column in board.rank.columns if (score := score_of(system, column)) is not None]
    marks += ruled.marks.get(place, ())
    marks += [note for score in scores if (note := coverage_note(score)) is not None]
    value, low, high = (None if np.isnan(number) else float(number) for number in ruled.ends[place])
    whole = len(scores) == len(board.rank.columns)
    return Standing(
        system=system.name, value=value, low=low, high=high, marks=tuple(dict.fromkeys([*marks, *_marks(system)])),
        coverage=min(map(coverage, scores)) if whole else 0.0,
        bounds=bounds(scores[0]) if board.rank.kind == "by" and len(board.rank.columns) == 1 and whole else None,
    )  # fmt: skip


def _marks(system: System) -> Iterator[str]:
    """Yield what must be said of a system's records, whatever the rule."""
    for submission in system.submissions.values():
        yield from submission.problems
        if submission.samples is None:
            yield "its samples are missing, so that nothing can be recomputed"
        elif not submission.has_texts:
            yield "texts left out: recomputable from statistics only"


def _ranked(board: Board, ruled: Ruled, rows: Mapping[str, Standing]) -> Iterator[Standing]:
    """Yield the rows of the systems that can be compared, with their rank sets."""
    places = [place for place in range(len(board.systems)) if place not in ruled.apart]
    chosen = [rows[board.systems[place].name] for place in places]
    if not chosen:
        return
    if ruled.groups < FEWEST_GROUPS:
        yield from (replace(row, marks=(f"not ranked: fewer than {FEWEST_GROUPS} groups", *row.marks)) for row in chosen)
        return
    values, better = ruled.ends[places, 0], board.rank.better
    bounds = ruled.bounds[places, 0], ruled.bounds[places, 1]
    ranking = rank(values, ruled.replicates[places], better=better, df=ruled.groups - 1, bounds=bounds)
    letters = readable(tie_groups(values.tolist(), ranking, better))
    for number, row in enumerate(chosen):
        yield replace(row, rank_low=ranking.low[number], rank_high=ranking.high[number], letters=letters[number])


def readable(letters: Sequence[str]) -> list[str]:
    """Return the letters, or none at all where there are so many groups that they come with numbers.

    >>> readable(["a", "ab", "b"]), readable(["z", "za2", "a2"])
    (['a', 'ab', 'b'], ['', '', ''])
    """
    return list(letters) if all(text.isalpha() for text in letters) else [""] * len(letters)
