"""Wins by sample: against counting them one by one, under every weighting, with gaps, repeats and lower-is-better scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evalharness.leaderboard.board import read_board
from evalharness.leaderboard.columns import Column
from evalharness.leaderboard.wins import Games, _aligned, games, win_rates
from evalharness.results.values import Values
from evalharness.scoring import hash_keys, seed_of
from evalharness.scoring.generator import BUCKETS, weights

GROUPS, MEMBERS = 12, 4


def made_up(systems: int, *, gaps: float = 0.0, seed: int = 0) -> Games:
    """Return values of a few kinds, so that there are ties, some of them missing."""
    generator = np.random.default_rng(seed)
    table = generator.integers(0, 4, (systems, GROUPS * MEMBERS)) / 3
    table[generator.random(table.shape) < gaps] = np.nan
    drawn = generator.poisson(1, (GROUPS, 25)).astype(np.uint8)
    drawn[:, 0] = 1
    return Games(table, np.arange(0, GROUPS * MEMBERS, MEMBERS), drawn, {})


def counted(game: Games, draw: int) -> list[float]:
    """Return mean win rates under one weighting, counted sample by sample."""
    weight = np.repeat(game.drawn[:, draw].astype(float), MEMBERS)
    rates = []
    for i, own in enumerate(game.values):
        against = []
        for j, other in enumerate(game.values):
            won = had = 0.0
            for mine, theirs, times in zip(own, other, weight, strict=True):
                if i != j and not np.isnan(mine) and not np.isnan(theirs):
                    had += times
                    won += times * (1.0 if mine > theirs else 0.5 if mine == theirs else 0.0)
            against += [won / had] if had else []
        rates.append(float(np.mean(against)))
    return rates


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_win_rates_are_those_counted_one_by_one(gaps: float) -> None:
    game = made_up(5, gaps=gaps)
    found = win_rates([game])
    for draw in (0, 3, 24):
        assert found[:, draw] == pytest.approx(counted(game, draw), abs=1e-12)


def test_several_columns_are_averaged() -> None:
    one, other = made_up(4, seed=1), made_up(4, seed=2)
    assert win_rates([one, other]) == pytest.approx((win_rates([one]) + win_rates([other])) / 2)


def test_one_against_another_does_not_depend_on_others() -> None:
    game = made_up(6, gaps=0.2)
    pair = win_rates([game.only([1, 4])])
    wins, both = game.against(1, np.array([4]))
    assert pair[0] == pytest.approx((game.weighted(wins) / game.weighted(both))[0])
    assert pair[0] + pair[1] == pytest.approx(np.ones(25))


def test_a_system_that_shares_no_sample_has_no_rate() -> None:
    game = made_up(3)
    game.values[2] = np.nan
    found = win_rates([game])
    assert np.isnan(found[2]).all()
    assert found[0] + found[1] == pytest.approx(np.ones(25))


def test_lower_is_better_where_the_column_says_so_and_samples_are_weighted_by_their_group() -> None:
    column = Column(task="t", score="wer", title="wer", better="lower")
    one = Values(np.array(["a", "b", "c"]), np.array(["g1", "g2", "g1"]), {"wer": np.array([0.1, 0.5, 0.2])})
    other = Values(np.array(["b", "a"]), np.array(["g2", "g1"]), {"wer": np.array([0.5, 0.3])})
    seed = seed_of("t", "1", "topic")
    game = _aligned([one, None, other], column, seed, {1: "no record"})
    assert game.groups == 2
    rates = win_rates([game.only([0, 2])])
    assert rates[0, 0] == 0.75
    drawn = weights(seed, hash_keys(["g1", "g2"]) % np.uint64(BUCKETS)).astype(float)
    with np.errstate(invalid="ignore"):
        assert rates[0, 1:] == pytest.approx((drawn[0] + 0.5 * drawn[1]) / drawn.sum(0), nan_ok=True)


def test_games_of_a_real_board_give_the_mean_of_the_scores_as_wins_over_nothing(filled: Path) -> None:
    board = read_board(filled)
    column = next(column for column in board.columns if column.score == "exact_match")
    game = games(board, column)
    assert game.groups == 30
    assert not game.apart
    recorded = [system.submissions["sums"].record.scores["exact_match"].value for system in board.systems]
    assert game.values.mean(1).tolist() == pytest.approx(recorded)
    # Two systems that are right or wrong: the win rate is half of 1 + the difference of their scores.
    names = [system.name for system in board.systems]
    pair = [names.index("strong"), names.index("lame")]
    rates = win_rates([game.only(pair)])
    replicates = [board.systems[place].submissions["sums"].replicates()["exact_match"] for place in pair]
    assert rates[0, 0] == pytest.approx((1 + recorded[pair[0]] - recorded[pair[1]]) / 2)
    assert rates[0, 1:] == pytest.approx((1 + replicates[0].astype(float) - replicates[1]) / 2, abs=1e-6)
