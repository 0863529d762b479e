"""The weights of replicates: frozen, and as good as Poisson."""

from __future__ import annotations

import numpy as np
import pytest

from evalharness.scoring.generator import COUNTS, generator_name, seed_of, weights

MASK = 2**64 - 1
GOLDEN_ROWS = {
    0: "2311241122001010201111102013020221002122",
    65_535: "1114200212031110011002000022020201101200",
}


def splitmix(word: int) -> int:
    """Splitmix64's output function in whole numbers, from its published definition."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


def weight(seed: int, bucket: int, draw: int) -> int:
    start = (((bucket + 1) * 0xD1342543DE82EF95) & MASK) ^ splitmix(seed)
    word = splitmix((start + 0x9E3779B97F4A7C15 * (draw // 4 + 1)) & MASK)
    number = (word >> 16 * (draw % 4)) & 0xFFFF
    return int(np.searchsorted(np.cumsum(COUNTS), number, side="right"))


def test_the_table_has_mean_and_variance_one():
    values = np.arange(len(COUNTS))
    assert sum(COUNTS) == 65_536
    assert (values * COUNTS).sum() == 65_536
    assert ((values - 1) ** 2 * COUNTS).sum() == 65_536


def test_golden_rows_never_change():
    drawn = weights(7, np.array(sorted(GOLDEN_ROWS), np.uint64), 40)
    assert ["".join(map(str, row)) for row in drawn] == [GOLDEN_ROWS[bucket] for bucket in sorted(GOLDEN_ROWS)]


@pytest.mark.parametrize(("seed", "bucket"), [(0, 0), (7, 65_535), (2**64 - 1, 12_345)])
def test_weights_follow_the_definition(seed, bucket):
    drawn = weights(seed, np.array([bucket], np.uint64), 1000)[0]
    assert drawn.tolist() == [weight(seed, bucket, draw) for draw in range(1000)]


def test_a_row_depends_on_its_bucket_alone():
    many = weights(3, np.arange(5000, dtype=np.uint64))
    assert np.array_equal(weights(3, np.array([4999, 7], np.uint64)), many[[4999, 7]])
    assert np.array_equal(weights(3, np.array([7], np.uint64), 30)[0], many[7, :30])


def test_moments_and_correlations_are_those_of_independent_draws():
    drawn = weights(11, np.arange(2000, dtype=np.uint64)).astype(float)
    assert abs(drawn.mean() - 1) < 4 / np.sqrt(drawn.size)
    assert abs(drawn.var() - 1) < 4 * np.sqrt(3 / drawn.size)
    between_groups = np.corrcoef(drawn[:1000])[np.triu_indices(1000, 1)]
    assert between_groups.std() == pytest.approx(1 / np.sqrt(1000), rel=0.02)
    assert abs(between_groups).max() < 6 / np.sqrt(1000)


def test_the_seed_comes_from_task_version_and_group_field():
    seeds = {seed_of("a", "1", None), seed_of("a", "2", None), seed_of("b", "1", None), seed_of("a", "1", "topic")}
    assert len(seeds) == 4
    assert generator_name(255, 65_536) == "poisson-table/1|buckets:65536|seed:00000000000000ff"


def test_fewer_replicates_are_the_first_of_more():
    buckets = np.arange(5, dtype=np.uint64)
    assert (weights(3, buckets, 100) == weights(3, buckets, 1200)[:, :100]).all()
