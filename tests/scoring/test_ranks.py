"""Rank sets against the method's pseudo-code written out, and letters by their definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from evalharness.scoring.ranks import Ranking, rank, tie_groups


def drawn(values: np.ndarray, seed: int, draws: int = 1000, spread: float = 0.02) -> np.ndarray:
    """Return replicates that share most of their noise."""
    generator = np.random.default_rng(seed)
    own, shared = generator.normal(0, spread, (len(values), draws)), generator.normal(0, 2 * spread, draws)
    return (values[:, None] + own + shared).astype(np.float32)


def step_down(values: np.ndarray, replicates: np.ndarray, df: float) -> set[tuple[int, int]]:
    """Return the pairs (better, worse), by the pseudo-code of the method."""
    pairs = list(itertools.combinations(range(len(values)), 2))
    gaps = np.array([replicates[i].astype(float) - replicates[j] for i, j in pairs])
    observed = np.array([values[i] - values[j] for i, j in pairs])
    sd = gaps.std(1, ddof=1)
    spread = np.abs(gaps - gaps.mean(1, keepdims=True)) / sd[:, None]
    rejected = np.zeros(len(pairs), bool)
    while not rejected.all():
        critical = np.quantile(spread[~rejected].max(0), 0.95) * stats.t.ppf(0.975, df) / stats.norm.ppf(0.975)
        new = ~rejected & (np.abs(observed) / sd > critical)
        if not new.any():
            break
        rejected |= new
    return {(i, j) if gap > 0 else (j, i) for (i, j), gap, out in zip(pairs, observed, rejected, strict=True) if out}


@pytest.mark.parametrize("seed", range(6))
def test_pairs_are_told_apart_as_the_method_says(seed: int) -> None:
    values = np.sort(np.random.default_rng(seed).normal(0.6, 0.06, 9))
    replicates = drawn(values, seed)
    found = rank(values, replicates, better="higher", df=60)
    assert set(zip(*map(np.ndarray.tolist, np.nonzero(found.better)), strict=True)) == step_down(values, replicates, 60)
    better = found.better
    assert found.low == tuple(1 + better.sum(0))
    assert found.high == tuple(len(values) - better.sum(1))


def test_lower_is_better_turns_the_ranking_round() -> None:
    values = np.array([0.1, 0.5, 0.9])
    replicates = drawn(values, 1)
    assert rank(values, replicates, better="lower", df=60).low == (1, 2, 3)
    assert rank(values, replicates, better="higher", df=60).low == (3, 2, 1)


def test_equal_systems_share_all_ranks() -> None:
    values = np.full(6, 0.5)
    found = rank(values, drawn(values, 2), better="higher", df=99)
    assert (set(found.low), set(found.high)) == ({1}, {6})


def test_a_pair_without_variation_is_never_called_different() -> None:
    replicates = np.stack([drawn(np.array([0.5]), 3)[0]] * 2)
    replicates[1] += np.float32(0.25)
    found = rank(np.array([0.5, 0.75]), replicates, better="higher", df=50)
    assert not found.better.any()


def test_undefined_draws_are_left_out_of_their_pairs_only() -> None:
    values = np.array([0.2, 0.5, 0.52, 0.9])
    replicates = drawn(values, 4)
    replicates[1, :5] = np.nan
    found = rank(values, replicates, better="higher", df=60)
    assert found.low == rank(values, replicates[:, 5:], better="higher", df=60).low


def test_many_systems_with_a_few_undefined_draws_each_keep_nearly_all_draws() -> None:
    values = np.linspace(0.2, 0.9, 120)
    replicates = drawn(values, 4)
    generator = np.random.default_rng(1)
    for row in replicates:
        row[generator.choice(1000, 9, replace=False)] = np.nan
    found, whole = (rank(values, table, better="higher", df=60) for table in (replicates, drawn(values, 4)))
    assert np.mean(found.better == whole.better) > 0.99


def test_a_system_that_lost_samples_cannot_win_by_it() -> None:
    values, replicates = np.array([0.9, 1.0, 0.5]), drawn(np.array([0.9, 1.0, 0.5]), 6, spread=0.01)
    assert rank(values, replicates, better="higher", df=99).low == (2, 1, 3)
    bounds = (np.array([0.9, 0.8, 0.5]), np.array([0.9, 1.0, 0.5]))
    found = rank(values, replicates, better="higher", df=99, bounds=bounds)
    assert list(zip(found.low, found.high, strict=True)) == [(1, 2), (1, 2), (3, 3)]
    turned = rank(-values, replicates, better="lower", df=99, bounds=(-bounds[1], -bounds[0]))
    assert (turned.low, turned.high) == (found.low, found.high)


def test_one_system_is_the_first() -> None:
    found = rank(np.array([0.4]), drawn(np.array([0.4]), 5), better="higher", df=10)
    assert (found.low, found.high) == ((1,), (1,))
    assert tie_groups([0.4], found, "higher") == ["a"]


@pytest.mark.parametrize("seed", range(5))
def test_systems_share_a_letter_exactly_where_they_cannot_be_told_apart(seed: int) -> None:
    values = np.sort(np.random.default_rng(seed).normal(0.6, 0.06, 8))[::-1]
    found = rank(values, drawn(values, seed), better="higher", df=60)
    letters = tie_groups(values.tolist(), found, "higher")
    for i, j in itertools.combinations(range(8), 2):
        shared = set(letters[i]) & set(letters[j])
        told_apart = found.better[i, j] or found.better[j, i]
        if told_apart:
            assert not shared
        elif not any(found.better[a, b] for a in range(i, j + 1) for b in range(i, j + 1)):
            assert shared


def test_letters_follow_the_order_of_the_values_and_go_on_beyond_z() -> None:
    count = 30
    better = np.triu(np.ones((count, count), bool), 1)
    ranks = tuple(range(1, count + 1))
    letters = tie_groups([1.0 - place / 100 for place in range(count)], Ranking(ranks, ranks, better), "higher")
    assert letters[:2] == ["a", "b"]
    assert letters[26:28] == ["a2", "b2"]
