"""Wins by sample: which of two systems is better on a sample, summed by group, and mean win rates from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalharness.leaderboard.board import Board, Submission
from evalharness.leaderboard.columns import Column
from evalharness.results.values import Values, read_values
from evalharness.scoring import hash_keys, seed_of
from evalharness.scoring.generator import BUCKETS, weights

Matrix = NDArray[np.float64]
REPLICATES = 1000
_GROUPS_A_CHUNK = 4096


@dataclass(frozen=True)
class Games:
    """Values per sample of one column, (systems, samples): NaN where unmeasured, the higher the better.

    Samples stand in the order of their groups: `starts` is where each group starts, `drawn` (groups, 1 + replicates) its
    weights, of which the first is 1 for all. `apart` says by its place why a system has no values.
    """

    values: Matrix
    starts: NDArray[np.intp]
    drawn: NDArray[np.uint8]
    apart: dict[int, str]

    @property
    def groups(self) -> int:
        """The number of groups."""
        return len(self.starts)

    @cached_property
    def measured(self) -> NDArray[np.bool_]:
        """Which samples each system has a value for."""
        return ~np.isnan(self.values)

    def only(self, places: Sequence[int]) -> Games:
        """Return the games of some systems among themselves."""
        return replace(self, values=self.values[list(places)], apart={})

    def against(self, place: int, others: NDArray[np.intp]) -> tuple[Matrix, Matrix]:
        """Return the wins of a system over others, ties half, and the samples that both have, each (others, groups)."""
        own, theirs = self.values[place], self.values[others]
        both = self.measured[others] & self.measured[place]
        outcome = np.where(both, (own > theirs) + 0.5 * (own == theirs), 0.0)
        return self._by_group(outcome), self._by_group(both)

    def _by_group(self, numbers: NDArray[Any]) -> Matrix:
        return np.add.reduceat(numbers, self.starts, axis=-1, dtype=np.float64)

    def weighted(self, sums: Matrix) -> Matrix:
        """Return the weighted totals of sums by group, (rows, groups) to (rows, 1 + replicates); counts stay exact."""
        totals = np.zeros((len(sums), self.drawn.shape[1]))
        for start in range(0, self.groups, _GROUPS_A_CHUNK):
            part = slice(start, start + _GROUPS_A_CHUNK)
            totals += sums[:, part] @ self.drawn[part].astype(np.float64)
        return totals


def games(board: Board, column: Column) -> Games:
    """Return the values per sample of all systems of a board in a column, read from their samples."""
    submissions = [system.submissions.get(column.task) for system in board.systems]
    reasons = [_why_without(submission, column) for submission in submissions]
    found = [
        read_values(submission.samples, [column.score]) if submission and submission.samples and reason is None else None
        for submission, reason in zip(submissions, reasons, strict=True)
    ]
    apart = {place: reason for place, reason in enumerate(reasons) if reason is not None}
    (task,) = [task for task in board.tasks if task.name == column.task]
    return _aligned(found, column, seed_of(task.name, task.version, task.group), apart)


def _why_without(submission: Submission | None, column: Column) -> str | None:
    if submission is None:
        return f"no record on {column.task}"
    if submission.problems:
        return submission.problems[0]
    if column.score not in submission.record.scores:
        return f"no value of {column.title}"
    return "its samples are missing" if submission.samples is None else None


def _aligned(found: Sequence[Values | None], column: Column, seed: int, apart: dict[int, str]) -> Games:
    """Return the table of all systems' values, its samples in the order of (group, id)."""
    groups = {name: group for values in found if values for name, group in zip(values.ids, values.groups, strict=True)}
    ids = sorted(groups)
    hashes = hash_keys([groups[name] for name in ids])
    order = np.argsort(hashes, kind="stable")
    ids, hashes = [ids[row] for row in order.tolist()], hashes[order]
    table = np.full((len(found), len(ids)), np.nan)
    places = {name: row for row, name in enumerate(ids)}
    sign = 1.0 if column.better == "higher" else -1.0
    for system, values in enumerate(found):
        if values is not None:
            table[system, [places[name] for name in values.ids]] = sign * values.by_score[column.score]
    distinct, starts = np.unique(hashes, return_index=True)
    drawn = weights(seed, distinct % np.uint64(BUCKETS), REPLICATES)
    return Games(table, starts, np.concatenate([np.ones((len(distinct), 1), np.uint8), drawn], axis=1), apart)


def win_rates(played: Sequence[Games]) -> Matrix:
    """Return mean win rates (systems, 1 + replicates): over opponents, then over the columns; the first is the value.

    Two systems are compared on the samples that both have; NaN for a system that shares none with any other.
    """
    found: Matrix = np.mean([_win_rate(game) for game in played], axis=0)
    return found


def win_bounds(played: Sequence[Games], lost: Matrix) -> Matrix:
    """Return mean win rates (systems, 2) if all lost samples had been losses, and if all had been wins.

    `lost` (columns, systems) are the shares of the samples that each system lost.
    """
    plain = [_win_rate(replace(game, drawn=game.drawn[:, :1])) for game in played]
    ends = [(1 - share[:, None]) * rate + np.outer(share, (0, 1)) for rate, share in zip(plain, lost, strict=True)]
    found: Matrix = np.mean(ends, axis=0)
    return found


def _win_rate(game: Games) -> Matrix:
    count = len(game.values)
    total, opponents = np.zeros((count, game.drawn.shape[1])), np.zeros((count, 1))
    for members in _alike(game.measured):
        wins, both, found = zip(*(_sums(game, place, members) for place in range(count)), strict=True)
        shared = np.array(both).any(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = game.weighted(np.array(wins)) / game.weighted(np.array(both))
        total[shared] += rates[shared]
        opponents[shared] += np.array(found)[shared, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return total / opponents


def _alike(measured: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """Yield the systems that are measured on the same samples, together: their wins add up before they are weighted."""
    _, kinds = np.unique(measured, axis=0, return_inverse=True)
    for kind in range(kinds.max(initial=-1) + 1):
        yield np.flatnonzero(kinds.ravel() == kind)


def _sums(game: Games, place: int, members: NDArray[np.intp]) -> tuple[Matrix, Matrix, int]:
    """Return by group a system's wins over the members, the samples that it shares with each, and how many they are."""
    others = members[members != place]
    wins, both = game.against(place, others)
    return wins.sum(0), both[0] if len(others) else np.zeros(game.groups), len(others)
