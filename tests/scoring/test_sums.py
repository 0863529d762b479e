"""Exact sums by group: any order, any shards, folded or not."""

from __future__ import annotations

from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.scoring import sums
from evalharness.scoring.generator import weights
from evalharness.scoring.sums import GroupSums, beyond, bucket_count, joined, limbs

numbers = st.floats(-1e6, 1e6, allow_nan=False)
rows = st.lists(st.tuples(st.integers(0, 40), numbers, numbers), min_size=1, max_size=80)


def made(part: list[tuple[int, float, float]], batch: int = 7) -> GroupSums:
    total = GroupSums(2)
    for start in range(0, len(part), batch):
        table = part[start : start + batch]
        total.add(np.array([row[0] for row in table], np.uint64), np.array([row[1:] for row in table]))
    return total


def content(total: GroupSums) -> tuple[bytes, ...]:
    groups = total.groups()
    return groups.buckets.tobytes(), groups.rows.tobytes(), groups.multiplicity.tobytes(), bytes(groups.count)


@settings(max_examples=60, deadline=None)
@given(rows, st.integers(1, 5), st.randoms(use_true_random=False), st.sampled_from([8, 65_536]), st.sampled_from([4, 2**20]))
def test_any_shards_in_any_order_give_the_same_bytes(table, shards, random, buckets, pending):
    with mock.patch.object(sums, "BUCKETS", buckets), mock.patch.object(sums, "NUMBERS_PENDING", pending):
        whole = content(made(table))
        shuffled = random.sample(table, len(table))
        parts = [made(shuffled[index::shards], batch=3) for index in range(shards)]
        random.shuffle(parts)
        merged = parts[0]
        for part in parts[1:]:
            merged.merge(part)
        assert content(merged) == whole


def test_large_and_tiny_numbers_together_are_order_free():
    random = np.random.default_rng(3)
    values = random.standard_normal((4000, 1)) * 10.0 ** random.integers(-14, 6, (4000, 1))
    keys = np.zeros(4000, np.uint64)
    found = set()
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(4000)
        total = GroupSums(1)
        for rows in np.array_split(order, seed + 1):
            total.add(keys[rows], values[rows])
        found.add(total.groups().rows.tobytes())
    assert len(found) == 1


@given(st.lists(numbers, min_size=1, max_size=50))
def test_a_total_is_the_exact_sum_of_the_numbers_on_the_grid(values):
    total = joined(limbs(np.array(values)[:, None]).sum(0))[0]
    exact = sum((Fraction(round(Fraction(value) * 2**50), 2**50) for value in values), Fraction(0))
    assert abs(Fraction(float(total)) - exact) <= abs(exact) * Fraction(1, 2**52) + len(values) * Fraction(1, 2**50)


def test_whole_numbers_are_summed_without_any_error():
    keys = np.arange(1000, dtype=np.uint64) % np.uint64(3)
    total = GroupSums(1)
    total.add(keys, np.full((1000, 1), 1_000_003.0))
    assert joined(total.groups().rows)[:, 0].tolist() == [334 * 1_000_003, 333 * 1_000_003, 333 * 1_000_003]


def test_folding_changes_neither_totals_nor_weighted_sums():
    random = np.random.default_rng(5)
    keys = random.integers(0, 2**63, 3000, dtype=np.uint64)
    values = random.random((3000, 1))
    with mock.patch.object(sums, "BUCKETS", 64):
        folded = GroupSums(1)
        folded.add(keys, values)
        groups = folded.groups()
    assert (len(groups.rows), groups.count, groups.multiplicity.sum()) == (64, 3000, 3000)
    drawn = weights(2, keys % np.uint64(64)).T.astype(float)
    assert np.array_equal(weights(2, groups.buckets).T.astype(float) @ groups.rows, drawn @ limbs(values))


def test_more_than_65536_groups_are_folded_and_still_counted():
    total = GroupSums(1)
    keys = np.arange(70_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for start in range(0, 70_000, 1000):
        total.add(keys[start : start + 1000], np.ones((1000, 1)))
        total.add(keys[start : start + 1000], np.ones((1000, 1)))
    groups = total.groups()
    assert groups.count == 70_000
    assert len(groups.rows) <= 65_536
    assert joined(groups.rows).sum() == 140_000


@pytest.mark.parametrize(("width", "buckets"), [(1, 65_536), (128, 65_536), (129, 32_768), (4096, 2048)])
def test_wide_statistics_get_fewer_buckets(width, buckets):
    assert bucket_count(width) == buckets


@pytest.mark.parametrize("value", [2.0**33, -1e300, 1e308])
def test_numbers_beyond_the_exact_range_are_told(value):
    total = GroupSums(1)
    total.add(np.array([1, 2], np.uint64), np.array([[value], [1.0]]))
    assert beyond(total.groups().magnitude)


def test_numbers_within_the_exact_range_are_not():
    total = GroupSums(1)
    total.add(np.array([1, 2], np.uint64), np.array([[2.0**32], [-(2.0**31)]]))
    assert not beyond(total.groups().magnitude)
