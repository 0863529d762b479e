"""Bradley-Terry strengths against scipy's optimisation of the likelihood and against choix."""

from __future__ import annotations

import choix
import numpy as np
import pytest
from scipy.optimize import minimize

from evalharness.leaderboard.bradley_terry import PRIOR, fit, strengths
from evalharness.leaderboard.wins import Games


def wins(count: int, seed: int, games: int = 40) -> np.ndarray:
    """Return a table of wins among systems of different strength, with the prior."""
    generator = np.random.default_rng(seed)
    true = generator.normal(0, 1.5, count)
    table = np.zeros((count, count))
    for i in range(count):
        for j in range(i):
            won = generator.binomial(games, 1 / (1 + np.exp(true[j] - true[i]))) + 0.5 * generator.integers(0, 2)
            table[i, j], table[j, i] = won, games - won
    return table + PRIOR * ~np.eye(count, dtype=bool)


@pytest.mark.parametrize(("count", "seed"), [(2, 0), (5, 1), (12, 2)])
def test_strengths_are_the_likeliest_by_an_optimiser(count: int, seed: int) -> None:
    table = wins(count, seed)

    def unlikely(theta: np.ndarray) -> float:
        return float((table * np.logaddexp(0, theta[None, :] - theta[:, None])).sum())

    best = minimize(unlikely, np.zeros(count), method="BFGS", options={"gtol": 1e-9}).x
    assert fit(table[None])[0] == pytest.approx(best - best.mean(), abs=1e-5)


@pytest.mark.parametrize(("count", "seed"), [(5, 3), (12, 4)])
def test_strengths_are_those_of_choix(count: int, seed: int) -> None:
    table = wins(count, seed)
    reference = choix.ilsr_pairwise_dense(table, max_iter=1000, tol=1e-12)
    assert fit(table[None])[0] == pytest.approx(reference - reference.mean(), abs=1e-8)


def test_tables_are_fitted_as_if_alone() -> None:
    tables = np.stack([wins(6, seed) for seed in range(20)])
    together = fit(tables)
    assert together == pytest.approx(np.concatenate([fit(table[None]) for table in tables]), abs=1e-12)


def test_who_wins_everything_stays_finite() -> None:
    table = np.zeros((3, 3))
    table[0, 1:] = 10_000.0
    table[1, 2] = table[2, 1] = 5_000.0
    found = fit((table + PRIOR * ~np.eye(3, dtype=bool))[None])[0]
    assert np.isfinite(found).all()
    assert found[1] == pytest.approx(found[2])
    assert found[0] - found[1] == pytest.approx(np.log(10_000.5 / 0.5))


def game(values: list[list[float]], groups: int) -> Games:
    table = np.array(values, np.float64)
    starts = np.arange(0, table.shape[1], table.shape[1] // groups)
    drawn = np.random.default_rng(5).poisson(1, (groups, 30)).astype(np.uint8)
    drawn[:, 0] = 1
    return Games(table, starts, drawn, {})


def test_replicates_are_fits_of_reweighted_games() -> None:
    played = game([[1, 0, 1, 1, 0.5, 1], [0, 0, 1, 0, 1, 1], [0.5, 1, 0, 0, np.nan, 0]], 3)
    found = strengths([played])
    for draw in (0, 7, 19):
        weights = played.drawn[:, draw] * played.groups / played.drawn[:, draw].sum()
        table = np.zeros((3, 3))
        for i in range(3):
            for j in range(3):
                if i != j:
                    own, other = played.values[[i, j]]
                    outcome = np.where(np.isnan(own) | np.isnan(other), 0, (own > other) + 0.5 * (own == other))
                    table[i, j] = PRIOR + (outcome.reshape(3, 2).sum(1) * weights).sum()
        assert found[:, draw] == pytest.approx(fit(table[None])[0], abs=1e-9)


def test_several_columns_are_pooled_and_one_without_a_game_has_no_strength() -> None:
    one = game([[1, 0, 1, 1], [0, 1, 0, 0], [np.nan] * 4], 2)
    doubled = strengths([one, one])
    assert np.isnan(doubled[2]).all()
    table = np.array([[0, 6, 0], [2, 0, 0], [0, 0, 0]]) + PRIOR * ~np.eye(3, dtype=bool)
    assert doubled[:2, 0] == pytest.approx(fit(table[None])[0, :2])


def test_one_system_alone_has_no_strength() -> None:
    assert np.isnan(strengths([game([[1, 0]], 2)])).all()
