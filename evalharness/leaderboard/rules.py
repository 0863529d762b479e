"""The ranking rules: the value of each system under a rule, with the replicates that its rank set is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from evalharness.leaderboard.aligned import (
    Replicates,
    fullest_score,
    least_and_most,
    other_samples,
    score_of,
    why_apart,
    why_undefined,
)
from evalharness.leaderboard.board import Board
from evalharness.leaderboard.bradley_terry import strength_bounds, strengths
from evalharness.leaderboard.cells import lost
from evalharness.leaderboard.wins import Games, games, win_bounds, win_rates

LEVEL = 0.95
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Ruled:
    """What a rule gives: for each system (k, 3) its value and the ends of its interval, NaN where there is none.

    `bounds` (k, 2) are the least and the most that the value could be, whatever the lost samples had given. `replicates`
    (k, draws) are aligned, `groups` is how many groups they rest on. `apart` says by its place why a system cannot be
    compared with the others, `marks` what must be said of one that can.
    """

    ends: Matrix
    bounds: Matrix
    replicates: Matrix
    groups: int
    apart: dict[int, str]
    marks: dict[int, tuple[str, ...]]


def rule(board: Board, replicates: Replicates) -> Ruled:
    """Return the values of a board's systems under its rule."""
    if board.rank.kind == "by":
        return _by_mean(board, replicates)
    played = [games(board, column) for column in board.rank.columns]
    return _by_games(board, played)


def _by_mean(board: Board, replicates: Replicates) -> Ruled:
    """Return the mean of the columns; of one column, the score itself with its own interval."""
    columns = board.rank.columns
    tables = [replicates.tables[column.title] for column in columns]
    apart, marks = _told(board, tables)
    draws = min(table.shape[1] for table in tables)
    mean = np.mean([table[:, :draws].astype(np.float64) for table in tables], axis=0)
    scores = [[score_of(system, column) for column in columns] for system in board.systems]
    groups = min((score.groups for place, row in enumerate(scores) if place not in apart for score in row if score), default=0)
    bounds = np.mean([[least_and_most(score) for score in row] for row in scores] or np.empty((0, 1, 2)), axis=1)
    if len(columns) == 1:
        own = [(score.value, score.low, score.high) if score else (None,) * 3 for (score,) in scores]
        ends = np.array(own, np.float64).reshape(-1, 3)
    else:
        values = [np.mean([np.nan if score is None or score.value is None else score.value for score in row]) for row in scores]
        ends = _with_ends(np.array(values), mean, groups)
    return Ruled(ends, bounds, mean, groups, apart, marks)


def _told(board: Board, tables: Sequence[NDArray[np.float32]]) -> tuple[dict[int, str], dict[int, tuple[str, ...]]]:
    """Return by its place why a system is apart, the first column first, and which columns are over other samples."""
    apart: dict[int, str] = {}
    marks: dict[int, tuple[str, ...]] = {}
    for column, table in zip(board.rank.columns, tables, strict=True):
        fullest = fullest_score(board, column)
        for place, system in enumerate(board.systems):
            reason, score = why_apart(system, column, fullest, table[place]), score_of(system, column)
            if reason is not None:
                apart.setdefault(place, reason)
            elif score and fullest and (mark := other_samples(score, fullest, column.title)):
                marks[place] = (*marks.get(place, ()), mark)
    return apart, marks


def _by_games(board: Board, played: Sequence[Games]) -> Ruled:
    """Return mean win rates or Bradley-Terry strengths, whose first replicate has all weights 1 and is the value."""
    missing = {place: reason for game in reversed(played) for place, reason in game.apart.items()}
    inside = [place for place in range(len(board.systems)) if place not in missing]
    groups = min(game.groups for game in played)
    rates = board.rank.kind == "mean_win_rate"
    found = np.full((len(board.systems), played[0].drawn.shape[1]), np.nan)
    bounds = np.full((len(board.systems), 2), np.nan)
    if inside:
        chosen = [game.only(inside) for game in played]
        found[inside] = (win_rates if rates else strengths)(chosen)
        bounds[inside] = found[inside, :1]
        shares = _lost(board, inside)
        if shares.any():
            bounds[inside] = (win_bounds if rates else strength_bounds)(chosen, shares)
    undefined = {place: _why_unplayed(found[place]) for place in inside}
    apart = missing | {place: reason for place, reason in undefined.items() if reason is not None}
    ends = _with_ends(found[:, 0], found[:, 1:], groups)
    return Ruled(np.clip(ends, 0, 1) if rates else ends, bounds, found[:, 1:], groups, apart, {})


def _lost(board: Board, places: Sequence[int]) -> Matrix:
    """Return the share of samples that some systems lost, (columns, systems)."""
    scores = [[score_of(board.systems[place], column) for place in places] for column in board.rank.columns]
    return np.array([[lost(score) if score else 0.0 for score in row] for row in scores])


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
