"""The ranking rules: the value of each system under a rule, with the replicates that its rank set is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from evalharness.leaderboard.aligned import Replicates, score_of, usual_score, why_apart, why_undefined
from evalharness.leaderboard.board import Board
from evalharness.leaderboard.bradley_terry import strengths
from evalharness.leaderboard.wins import Games, games, win_rates

LEVEL = 0.95
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Ruled:
    """What a rule gives: for each system (k, 3) its value and the ends of its interval, NaN where there is none.

    `replicates` (k, draws) are aligned, `groups` is how many groups they rest on. `apart` says by its place why a system
    cannot be compared with the others.
    """

    ends: Matrix
    replicates: Matrix
    groups: int
    apart: dict[int, str]


def rule(board: Board, replicates: Replicates) -> Ruled:
    """Return the values of a board's systems under its rule."""
    if board.rank.kind == "by":
        return _by_mean(board, replicates)
    played = [games(board, column) for column in board.rank.columns]
    return _by_games(board, played)


def _by_mean(board: Board, replicates: Replicates) -> Ruled:
    """Return the mean of the columns; of one column, the score itself with its own interval."""
    columns, systems = board.rank.columns, board.systems
    tables = [replicates.tables[column.title] for column in columns]
    apart: dict[int, str] = {}
    for column, table in reversed(list(zip(columns, tables, strict=True))):
        usual = usual_score(board, column)
        reasons = [why_apart(system, column, usual, drawn) for system, drawn in zip(systems, table, strict=True)]
        apart |= {place: reason for place, reason in enumerate(reasons) if reason is not None}
    draws = min(table.shape[1] for table in tables)
    mean = np.mean([table[:, :draws].astype(np.float64) for table in tables], axis=0)
    scores = [[score_of(system, column) for column in columns] for system in systems]
    groups = min((score.groups for place, row in enumerate(scores) if place not in apart for score in row if score), default=0)
    if len(columns) == 1:
        ends = [(score.value, score.low, score.high) if score else (None,) * 3 for (score,) in scores]
        return Ruled(np.array(ends, np.float64).reshape(-1, 3), mean, groups, apart)
    values = [np.mean([np.nan if score is None or score.value is None else score.value for score in row]) for row in scores]
    return Ruled(_with_ends(np.array(values), mean, groups), mean, groups, apart)


def _by_games(board: Board, played: Sequence[Games]) -> Ruled:
    """Return mean win rates or Bradley-Terry strengths, whose first replicate has all weights 1 and is the value."""
    missing = {place: reason for game in reversed(played) for place, reason in game.apart.items()}
    inside = [place for place in range(len(board.systems)) if place not in missing]
    groups = min(game.groups for game in played)
    compute = win_rates if board.rank.kind == "mean_win_rate" else strengths
    found = np.full((len(board.systems), played[0].drawn.shape[1]), np.nan)
    if inside:
        found[inside] = compute([game.only(inside) for game in played])
    undefined = {place: _why_unplayed(found[place]) for place in inside}
    apart = missing | {place: reason for place, reason in undefined.items() if reason is not None}
    ends = _with_ends(found[:, 0], found[:, 1:], groups)
    if board.rank.kind == "mean_win_rate":
        ends = np.clip(ends, 0, 1)
    return Ruled(ends, found[:, 1:], groups, apart)


def _why_unplayed(found: Matrix) -> str | None:
    if np.isnan(found[0]):
        return "it has no sample in common with another system"
    return why_undefined(found, "its wins")


def _with_ends(values: Matrix, replicates: Matrix, groups: int) -> Matrix:
    """Return value, low and high of each system: `value +- t * sd(replicates)`."""
    defined = np.isfinite(replicates)
    counts = defined.sum(1)
    centred = np.where(defined, replicates - values[:, None], 0.0)
    mean = centred.sum(1) / np.maximum(counts, 1)
    squares = np.where(defined, (centred - mean[:, None]) ** 2, 0.0).sum(1)
    half = np.full(len(values), np.nan)
    if groups > 1:
        half[counts > 1] = float(stdtrit(groups - 1, (1 + LEVEL) / 2)) * np.sqrt(squares / np.maximum(counts - 1, 1))[counts > 1]
    return np.stack([values, values - half, values + half], axis=1)
