"""Bradley-Terry strengths: the log-odds that explain who wins over whom, fitted under every weighting of the groups.

Source: Bradley and Terry, Rank Analysis of Incomplete Block Designs (1952); ties count half a win for each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from evalharness.leaderboard.wins import Games

Matrix = NDArray[np.float64]

# Each pair is given one drawn game beside those played, so that a system that wins everything stays finite.
PRIOR = 0.5
_LARGEST_STEP = 2.0
_STEPS = 100
_MOST_LOST = 0.999
_CLOSE = 1e-6  # the step after one so small would be of its square
_NUMBERS_A_CHUNK = 2**23


def strengths(played: Sequence[Games]) -> Matrix:
    """Return log-strengths (systems, 1 + replicates), their mean 0; the first are those of the plain weights.

    Every sample of every column is a game between two systems that both have it; NaN for a system without a game.
    """
    count, draws = len(played[0].values), played[0].drawn.shape[1]
    pairs = [_pair_sums(game) for game in played]
    found = np.empty((count, draws))
    size = max(1, _NUMBERS_A_CHUNK // max(count * count, 1))
    plain = fit(_wins(played, pairs, count, slice(0, 1)))
    for start in range(0, draws, size):
        part = slice(start, min(start + size, draws))
        found[:, part] = fit(_wins(played, pairs, count, part), plain).T
    idle = ~np.any([_has_games(game) for game in played], axis=0)
    found[idle] = np.nan
    return found


def strength_bounds(played: Sequence[Games], lost: Matrix) -> Matrix:
    """Return log-strengths (systems, 2) if a system's lost samples had all been losses, and if all had been wins.

    `lost` (columns, systems) are the shares of the samples that each system lost; each opponent is given as many more games.
    """
    count, one = len(played[0].values), slice(0, 1)
    prior = PRIOR * ~np.eye(count, dtype=bool)
    tables = [_wins([game], [_pair_sums(game)], count, one)[0] - prior for game in played]
    wins = np.sum(tables, axis=0) + prior
    plain = fit(wins[None])
    found = np.repeat(plain.T, 2, axis=1)
    more = [table + table.T for table in tables]
    for place in np.flatnonzero(lost.any(0)).tolist():
        shares = np.minimum(lost[:, place], _MOST_LOST)
        games = np.sum([share / (1 - share) * table[place] for share, table in zip(shares, more, strict=True)], axis=0)
        worst, best = wins.copy(), wins.copy()
        worst[:, place] += games
        best[place] += games
        found[place] = fit(np.stack([worst, best]), plain)[:, place]
    return found


def _has_games(game: Games) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (game.measured & (game.measured.sum(0) > 1)).any(1)
    return found


def _pair_sums(game: Games) -> tuple[Matrix, Matrix]:
    """Return by group the wins of i over j and their games, for all pairs i < j, each (pairs, groups)."""
    every = np.arange(len(game.values))
    found = [game.against(place, every[place + 1 :]) for place in every[:-1].tolist()] or [game.against(0, every[:0])]
    wins, both = zip(*found, strict=True)
    return np.concatenate(wins), np.concatenate(both)


def _wins(played: Sequence[Games], pairs: Sequence[tuple[Matrix, Matrix]], count: int, part: slice) -> Matrix:
    """Return the wins of each system over each (draws, systems, systems) under some of the weightings, with the prior.

    Games are rescaled by groups / sum of weights, so that the prior weighs the same in each replicate.
    """
    firsts, seconds = np.triu_indices(count, 1)
    table = np.zeros((part.stop - part.start, count, count))
    for game, (wins, both) in zip(played, pairs, strict=True):
        drawn = game.drawn[:, part].astype(np.float64)
        drawn *= game.groups / np.maximum(drawn.sum(0), 1)
        won, had = (wins @ drawn).T, (both @ drawn).T
        table[:, firsts, seconds] += won
        table[:, seconds, firsts] += had - won
    return table + PRIOR * ~np.eye(count, dtype=bool)


def fit(wins: Matrix, near: Matrix | None = None) -> Matrix:
    """Return the likeliest log-strengths (tables, systems), their mean 0, of tables of wins (tables, systems, systems).

    Newton's method over all tables at once, from strengths that are `near`, or from 0; steps are cut at 2, beyond which the
    likelihood is no parabola.

    >>> fit(np.array([[[0.0, 3.0], [1.0, 0.0]]])).round(4)
    array([[ 0.5493, -0.5493]])
    """
    theta = np.zeros(wins.shape[:2]) + (0.0 if near is None else near)
    games = wins + wins.transpose(0, 2, 1)
    for _ in range(_STEPS):
        step = np.clip(_newton_step(theta, wins, games), -_LARGEST_STEP, _LARGEST_STEP)
        theta += step
        if np.abs(step).max(initial=0) < _CLOSE:
            break
    centred: Matrix = theta - theta.mean(1, keepdims=True)
    return centred


def _newton_step(theta: Matrix, wins: Matrix, games: Matrix) -> Matrix:
    """Return the step to the top of the parabola that touches the log-likelihood here."""
    chance = expit(theta[:, :, None] - theta[:, None, :])
    gradient = (wins - games * chance).sum(2)
    information = games * chance * (1 - chance)
    # Strengths are known up to a constant: adding a constant to the matrix pins their sum without changing the rest.
    curvature = 1.0 / theta.shape[1] - information
    places = np.arange(theta.shape[1])
    curvature[:, places, places] += information.sum(2)
    step: Matrix = np.linalg.solve(curvature, gradient[..., None])[..., 0]
    return step
