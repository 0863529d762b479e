"""Which systems can be compared in a column: measured alike, with aligned replicates; and how far chance parts them."""

from __future__ import annotations

import math
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
from evalharness.scoring.intervals import FEWEST_GROUPS
from evalharness.scoring.paired import UNDEFINED_PERCENT, spreads

Table = NDArray[np.float32]
Kind = tuple[str, bool, str]  # what decides whether two scores can be compared


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
        rows: dict[Column, dict[int, Table]] = {column: {} for column in columns}
        for row, system in enumerate(self.board.systems):
            for task, submission in system.submissions.items():
                found = submission.replicates() if (submission.folder / REPLICATES).is_file() else {}
                for column in columns:
                    if column.task == task and column.score in found:
                        rows[column][row] = found[column.score]
        return {column.title: _stacked(rows.pop(column), len(self.board.systems)) for column in columns}


def _stacked(rows: dict[int, Table], count: int) -> Table:
    """Return rows as one table, as wide as most of them; what is of another width is left out."""
    widths = Counter(len(row) for row in rows.values() if row.ndim == 1)
    table = np.full((count, max(widths, key=lambda width: (widths[width], width), default=0)), np.nan, np.float32)
    for place, row in rows.items():
        if row.shape == table.shape[1:]:
            table[place] = row
    return table


def fullest_score(board: Board, column: Column) -> Score | None:
    """Return the score that the others of a column stand beside: of those measured alike, the one over most samples.

    Measured alike are most of them. Whatever other systems lost, the fullest one stays: over which samples most scores are
    decides nothing.
    """
    scores = [score for system in board.systems if (score := score_of(system, column)) and score.value is not None]
    counts = Counter(map(_kind, scores))
    usual = max(counts, key=lambda kind: (counts[kind], kind), default=None)
    alike = [score for score in scores if _kind(score) == usual]
    return max(alike, key=lambda score: (coverage(score), score.fingerprint), default=None)


def _kind(score: Score) -> Kind:
    return score.generator, score.clustered, score.signature


def why_apart(system: System, column: Column, fullest: Score | None, drawn: Table) -> str | None:
    """Return why a system cannot be compared with the others in a column, or None where it can."""
    submission = system.submissions.get(column.task)
    if submission is None:
        return f"no record on {column.task}"
    if submission.problems:
        return submission.problems[0]
    score = submission.record.scores.get(column.score)
    if score is None or score.value is None:
        return f"no value of {column.title}" + (f": {score.reason}" if score and score.reason else "")
    if fullest is None or not score.aligned(fullest):
        return f"its replicates of {column.title} are not aligned with those of the others"
    if score.signature != fullest.signature:
        return f"{column.title} was measured differently: {score.signature}, that of the others {fullest.signature}"
    if score.groups < FEWEST_GROUPS:
        return f"{column.title} is over fewer than {FEWEST_GROUPS} groups"
    return why_undefined(drawn, column.title)


def other_samples(score: Score, fullest: Score, title: str) -> str | None:
    """Return in words that a score is over other samples than the fullest one of its column, or None."""
    if score.same_samples(fullest):
        return None
    own, most = (f"{one.samples:,} of {one.samples + one.missing:,}" for one in (score, fullest))
    return f"over other samples: {title} on {own}, the fullest system on {most}"


def least_and_most(score: Score | None) -> tuple[float, float]:
    """Return what a value could be, whatever the samples had given that were lost to errors; NaN without a value."""
    if score is None or score.value is None:
        return math.nan, math.nan
    low, high = score.bounds or (score.value, score.value)
    return low, high


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
        table, codes = self.replicates.tables[title], self._generators(column)
        found = np.full((len(table), len(table)), np.nan)
        for code in range(codes.max(initial=-1) + 1):
            alike = np.ix_(rows := np.flatnonzero((codes == code) & np.isfinite(table).any(1)), rows)
            found[alike] = spreads(table[rows])
        return found

    def _generators(self, column: Column) -> NDArray[np.intp]:
        """Return numbers that are equal where generators are, -1 where a system has none."""
        scores = [score_of(system, column) for system in self.board.systems]
        numbers: dict[str, int] = {}
        return np.array(
            [numbers.setdefault(score.generator, len(numbers)) if score and score.generator else -1 for score in scores], np.intp
        )
