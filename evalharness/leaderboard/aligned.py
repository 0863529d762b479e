"""Which systems can be compared in a column: aligned replicates over the same samples, and how far chance parts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evalharness.leaderboard.board import Board, System
from evalharness.leaderboard.cells import coverage
from evalharness.leaderboard.columns import Column
from evalharness.results.folder import REPLICATES
from evalharness.scoring import Score
from evalharness.scoring.paired import UNDEFINED_PERCENT, spreads

Table = NDArray[np.float32]
Kind = tuple[str, bool, int, int, str]  # what decides whether two scores can be compared


def score_of(system: System, column: Column) -> Score | None:
    """Return a system's score in a column, None where it has none."""
    submission = system.submissions.get(column.task)
    return None if submission is None else submission.record.scores.get(column.score)


@dataclass(frozen=True)
class Replicates:
    """The replicates of a board, read once: `tables` holds (systems, draws) by column title, NaN where a system has none."""

    board: Board

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """The tables of all columns, those that the rule ranks by among them."""
        columns = dict.fromkeys((*self.board.columns, *self.board.rank.columns))
        rows = len(self.board.systems)
        tables = {column: np.full((rows, _usual_draws(self.board, column)), np.nan, np.float32) for column in columns}
        for row, system in enumerate(self.board.systems):
            for task, submission in system.submissions.items():
                found = submission.replicates() if (submission.folder / REPLICATES).is_file() else {}
                for column, table in tables.items():
                    drawn = found.get(column.score) if column.task == task else None
                    if drawn is not None and drawn.shape == table.shape[1:]:
                        table[row] = drawn
        return {column.title: table for column, table in tables.items()}


def _scores(board: Board, column: Column) -> list[Score]:
    return [score for system in board.systems if (score := score_of(system, column)) and score.value is not None]


def _usual_draws(board: Board, column: Column) -> int:
    counts = Counter(score.replicates for score in _scores(board, column))
    return max(counts, key=lambda draws: (counts[draws], draws), default=0)


def usual_score(board: Board, column: Column) -> Score | None:
    """Return a score that can be compared with more of the others in a column than any other can.

    Of equally many, one that covers more samples: so the order of the systems decides nothing.
    """
    kinds = {_kind(score): score for score in _scores(board, column)}
    counts = Counter(map(_kind, _scores(board, column)))

    def rank(kind: Kind) -> tuple[int, float, Kind]:
        alike = sum(count for other, count in counts.items() if _alike(kinds[kind], kinds[other]))
        return alike, coverage(kinds[kind]), kind

    return kinds[max(kinds, key=rank)] if kinds else None


def _kind(score: Score) -> Kind:
    return score.generator, score.clustered, score.replicates, score.samples, score.fingerprint


def _alike(one: Score, other: Score) -> bool:
    return _paired(one, other) and one.same_samples(other)


def _paired(one: Score, other: Score) -> bool:
    return one.aligned(other) and one.replicates == other.replicates


def why_apart(system: System, column: Column, usual: Score | None, drawn: Table) -> str | None:
    """Return why a system cannot be compared with the others in a column, or None where it can."""
    submission = system.submissions.get(column.task)
    if submission is None:
        return f"no record on {column.task}"
    if submission.problems:
        return submission.problems[0]
    score = submission.record.scores.get(column.score)
    if score is None or score.value is None:
        return f"no value of {column.title}" + (f": {score.reason}" if score and score.reason else "")
    if usual is None or not _paired(score, usual):
        return f"its replicates of {column.title} are not aligned with those of the others"
    if not score.same_samples(usual):
        return f"{column.title} is over other samples than that of the others"
    return why_undefined(drawn, column.title)


def why_undefined(drawn: NDArray[np.floating], what: str) -> str | None:
    """Return why these replicates are too few to compare by, or None."""
    lost = int((~np.isfinite(drawn)).sum())
    if not len(drawn) or lost == len(drawn):
        return f"no replicates of {what}"
    return f"{lost} of {len(drawn)} replicates of {what} are undefined" if 100 * lost > UNDEFINED_PERCENT * len(drawn) else None


@dataclass(frozen=True)
class Spreads(Mapping[str, NDArray[np.float64]]):
    """By column title, the standard deviations (k, k) of the paired differences of all systems; NaN where none is known.

    Those of two systems depend on their own records alone. Each table is computed when it is asked for.
    """

    board: Board
    replicates: Replicates

    def __iter__(self) -> Iterator[str]:
        return iter([column.title for column in self.board.columns])

    def __len__(self) -> int:
        return len(self.board.columns)

    def __getitem__(self, title: str) -> NDArray[np.float64]:
        column = {column.title: column for column in self.board.columns}[title]
        scores = [score_of(system, column) for system in self.board.systems]
        generators = np.array([score.generator if score else "" for score in scores])
        found = pairwise_spreads(self.replicates.tables[title])
        found[generators[:, None] != generators] = np.nan
        return found


def pairwise_spreads(table: Table) -> NDArray[np.float64]:
    """Return the standard deviations (k, k) of paired differences; draws that one of two lacks are left out for these two."""
    found = np.full((len(table), len(table)), np.nan)
    undefined = ~np.isfinite(table)
    whole = np.flatnonzero(~undefined.any(1))
    found[np.ix_(whole, whole)] = spreads(table[whole])
    usable = 100 * undefined.sum(1) <= UNDEFINED_PERCENT * table.shape[1]
    for row in np.flatnonzero(usable & undefined.any(1)).tolist():
        gaps = table[usable].astype(np.float64) - table[row]
        found[row, usable] = found[usable, row] = np.nanstd(gaps, axis=1, ddof=1)
    return found
