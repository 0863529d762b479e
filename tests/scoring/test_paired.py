"""Paired differences from replicates, and the label-swap test, against scipy and by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evalharness.scoring import Score
from evalharness.scoring.generator import weights
from evalharness.scoring.paired import difference, label_swap, spreads

GROUPS = 80


def replicates(rows: np.ndarray, seed: int = 7) -> np.ndarray:
    """Return the replicates of a plain mean, as a record stores them."""
    drawn = weights(seed, np.arange(len(rows), dtype=np.uint64)).astype(np.float64)
    return ((drawn.T @ rows) / drawn.sum(0)).astype(np.float32)


def scored(rows: np.ndarray) -> Score:
    return Score(value=float(rows.mean()), groups=len(rows), samples=len(rows), range=[0, 1])


def rows(seed: int, groups: int = GROUPS) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    shared = generator.random(groups)
    return ((shared + generator.random(groups)) / 2 > 0.5).astype(float), ((shared + generator.random(groups)) / 2 > 0.4).astype(
        float
    )


@pytest.mark.parametrize("seed", range(5))
def test_it_is_a_paired_t_test_but_for_the_noise_of_a_thousand_draws(seed: int) -> None:
    a, b = rows(seed)
    found = difference(scored(a), scored(b), (replicates(a), replicates(b)))
    test = stats.ttest_rel(b, a)
    assert found.value == pytest.approx((b - a).mean())
    assert found.se == pytest.approx((b - a).std(ddof=1) / np.sqrt(GROUPS), rel=0.08)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.value) / found.se, GROUPS - 1), rel=1e-9)
    assert found.p == pytest.approx(test.pvalue, abs=0.02)
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, GROUPS - 1) * found.se, rel=1e-9)


def test_golden_difference_of_the_frozen_generator() -> None:
    a, b = np.tile([1.0, 0.0, 1.0, 0.0], 10), np.tile([1.0, 1.0, 0.0, 0.0, 1.0], 8)
    found = difference(scored(a), scored(b), (replicates(a), replicates(b)))
    assert (found.value, found.groups, found.df) == (pytest.approx(0.1), 40, 39.0)
    assert found.se == pytest.approx(GOLDEN_SE, rel=1e-6)
    assert found.p == pytest.approx(GOLDEN_P, rel=1e-5)


# Written down from this code on numpy 2.4.6; a change of the weights, the seed's mixing or the formula shows here.
GOLDEN_SE, GOLDEN_P = 0.11291557837612737, 0.3812518982902306


def test_undefined_draws_are_dropped_in_pairs_and_too_many_cost_the_interval() -> None:
    a, b = rows(1)
    first, second = replicates(a), replicates(b)
    first[:10], second[5:10] = np.nan, np.nan
    whole = difference(scored(a), scored(b), (first[10:], second[10:]))
    assert difference(scored(a), scored(b), (first, second)) == whole
    first[:11] = np.nan
    lost = difference(scored(a), scored(b), (first, second))
    assert (lost.p, lost.reason) == (None, "11 of 1000 replicates are undefined")


@pytest.mark.parametrize(("groups", "reason"), [(4, "fewer than 5 groups"), (5, None)])
def test_a_handful_of_groups_is_too_few(groups: int, reason: str | None) -> None:
    a, b = rows(3, 40)
    score = Score(value=0.5, groups=groups, range=[0, 1])
    assert difference(score, score, (replicates(a), replicates(b))).reason == reason


def test_no_replicates_leave_the_value() -> None:
    none = np.empty(0, np.float32)
    found = difference(Score(value=0.5, groups=9), Score(value=0.7, groups=9), (none, none))
    assert (found.value, found.reason) == (pytest.approx(0.2), "no replicates to pair")


def test_a_missing_value_names_its_side() -> None:
    none = np.empty(0, np.float32)
    found = difference(Score(value=0.5), Score(value=None, reason="nothing was measured"), (none, none))
    assert (found.value, found.reason) == (None, "the second system has no value: nothing was measured")


@given(st.integers(5, 200), st.sampled_from([0.0, 0.3, -0.5]))
def test_no_variation_still_has_a_width_where_the_range_is_known(groups: int, gap: float) -> None:
    flat = np.full(1000, 0.5, np.float32)
    found = difference(
        Score(value=0.5, groups=groups, range=[0, 1]),
        Score(value=0.5 + gap, groups=groups, range=[0, 1]),
        (flat, flat + np.float32(gap)),
    )
    assert -1 <= found.low < found.value < found.high <= 1
    assert found.p == (1.0 if gap == 0 else 2.0 ** (1 - groups))


def test_an_interval_stays_within_what_the_range_allows() -> None:
    draws = np.random.default_rng(0).normal(0, 2, (2, 1000)).astype(np.float32)
    found = difference(Score(value=0.5, groups=9, range=[0, 1]), Score(value=0.7, groups=9, range=[0, 1]), (draws[0], draws[1]))
    assert (found.low, found.high) == (-1.0, 1.0)


def test_no_variation_without_a_range_has_no_interval() -> None:
    flat = np.full(1000, 2.0, np.float32)
    found = difference(Score(value=2.0, groups=9, range=[0, None]), Score(value=2.0, groups=9, range=[0, None]), (flat, flat))
    assert (found.low, found.reason, found.p) == (None, "no variation", 1.0)


def test_spreads_are_those_of_all_pairs() -> None:
    table = np.stack([replicates(side) for seed in range(3) for side in rows(seed)])
    found = spreads(table)
    for i, j in itertools.combinations(range(len(table)), 2):
        expected = (table[i].astype(float) - table[j]).std(ddof=1)
        assert found[i, j] == found[j, i] == pytest.approx(expected, rel=1e-6)
    assert not found.diagonal().any()


def test_spreads_leave_out_a_system_that_is_mostly_undefined_and_nobody_else() -> None:
    table = np.stack([replicates(side) for seed in range(2) for side in rows(seed)])
    table[1, :500] = np.nan
    table[2, 7] = np.nan
    found = spreads(table)
    assert np.isnan(found[1]).all()
    kept = np.delete(np.arange(1000), 7)
    assert found[0, 2] == pytest.approx((table[0, kept].astype(float) - table[2, kept]).std(ddof=1), rel=1e-6)
    assert found[0, 3] == pytest.approx((table[0].astype(float) - table[3]).std(ddof=1), rel=1e-6)


def test_equal_rows_differ_by_exactly_nothing() -> None:
    row = replicates(rows(1)[0])
    assert spreads(np.stack([row, row]))[0, 1] == 0.0


def flips(totals: np.ndarray) -> float:
    return label_swap(lambda kept: np.where(kept, totals, -totals).sum(1), len(totals))


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=10))
def test_the_label_swap_test_counts_every_exchange(totals: list[int]) -> None:
    sums = [
        abs(sum(sign * total for sign, total in zip(signs, totals, strict=True)))
        for signs in itertools.product([1, -1], repeat=len(totals))
    ]
    assert flips(np.array(totals, float)) == np.mean([total >= abs(sum(totals)) for total in sums])


def test_many_groups_are_drawn_and_agree_with_scipy() -> None:
    totals = np.random.default_rng(3).normal(0.25, 1, 40)
    reference = stats.permutation_test(
        (totals,), lambda values, axis: values.sum(axis), permutation_type="samples", n_resamples=20_000, vectorized=True,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    assert flips(totals) == pytest.approx(reference.pvalue, abs=0.015)


def test_drawn_exchanges_are_the_same_each_time() -> None:
    totals = np.random.default_rng(4).normal(0.2, 1, 30)
    assert flips(totals) == flips(totals)
