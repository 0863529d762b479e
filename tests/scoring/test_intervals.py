"""Closed-form intervals: the rule, textbook values, edges, and coverage in a short simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import stdtrit

from evalharness.scoring.intervals import Influence, Shape, closed_form, from_spread


def mean_left_out(values: np.ndarray) -> np.ndarray:
    return (values.sum() - values) / (len(values) - 1)


def of_mean(values, range, *, clustered=False, samples=None, level=0.95, is_mean=True):
    values = np.asarray(values, float)
    shape = Shape(range, is_mean, samples or len(values), len(values), clustered, level)
    return closed_form(values.mean(), mean_left_out(values), shape)


@pytest.mark.parametrize(("right", "count"), [(0, 20), (1, 20), (10, 20), (47, 50), (100, 100), (299, 300)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_a_proportion_has_the_textbook_agresti_coull_interval_with_t_for_z(right, count, level):
    c = stdtrit(count - 1, (1 + level) / 2)
    middle = (right + c * c / 2) / (count + c * c)
    half = c * math.sqrt(middle * (1 - middle) / (count + c * c))
    found = of_mean([1.0] * right + [0.0] * (count - right), (0, 1), level=level)
    assert (found.low, found.high) == pytest.approx((max(middle - half, 0), min(middle + half, 1)), abs=1e-12)
    assert found.rule == "bounded mean"
    assert found.df == count - 1


def test_a_range_is_only_a_scale():
    values = np.random.default_rng(1).random(40)
    plain, wide = of_mean(values, (0, 1)), of_mean(1 + 4 * values, (1, 5))
    assert (wide.low, wide.high, wide.se) == pytest.approx((1 + 4 * plain.low, 1 + 4 * plain.high, 4 * plain.se))


def test_a_clustered_mean_with_few_failures_is_pulled_towards_one_sample_a_cluster():
    values = np.array([1.0] * 17 + [5 / 6] * 3)
    p, count, samples = values.mean(), 20, 120
    v = values.var() / (count - 1) * (count - 1) / count / (p * (1 - p))
    rare = samples * (1 - p)
    v = (rare * v + 0.5 / count) / (rare + 0.5)
    c = stdtrit(19, 0.975)
    middle = (p + c * c * v / 2) / (1 + c * c * v)
    half = c * math.sqrt(middle * (1 - middle) * v / (1 + c * c * v))
    found = of_mean(values, (0, 1), clustered=True, samples=samples)
    assert (found.low, found.high) == pytest.approx((middle - half, min(middle + half, 1)))


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_values_that_are_all_alike_have_a_width_where_the_range_is_known(value):
    found = of_mean([value] * 25, (0, 1))
    assert found.low <= value <= found.high
    assert found.high - found.low > 0.1


@pytest.mark.parametrize(("range", "value"), [((0, None), 2.0), (None, -0.7)])
def test_no_variation_and_no_range_have_no_interval(range, value):
    found = of_mean([value] * 25, range)
    assert (found.low, found.high, found.reason) == (None, None, "no variation")


def test_no_variation_of_a_signed_score_within_bounds():
    found = of_mean([0.5] * 20, (-1, 1), is_mean=False)
    c = stdtrit(19, 0.975)
    assert found.rule == "signed"
    assert (found.low, found.high) == pytest.approx((0.5 - c * c / (20 + c * c), 0.5 + c * c / (20 + c * c)))


def test_a_positive_score_of_0_has_no_interval():
    shape = Shape((0, None), False, 20, 20)
    left_out = np.where(np.arange(20) < 2, 0.1, 0.0)
    assert closed_form(0.0, left_out, shape).reason == "a score of exactly 0 has no logarithm"


@pytest.mark.parametrize("count", [2, 3, 4])
def test_fewer_than_five_groups_have_no_interval(count):
    found = of_mean(np.arange(count) / 10, (0, 1))
    assert (found.low, found.high, found.reason) == (None, None, "fewer than 5 groups")


def test_five_groups_have_one():
    assert of_mean([0.0, 0.2, 0.4, 0.6, 1.0], (0, 1)).low is not None


@pytest.mark.parametrize(
    ("range", "is_mean", "rule"),
    [
        ((0, 1), True, "bounded mean"),
        ((-1, 1), True, "bounded mean"),
        ((0, 1), False, "other bounded"),
        ((-1, 1), False, "signed"),
        ((0, None), True, "positive"),
        ((0, None), False, "positive"),
        ((1, None), False, "positive"),
        ((None, 0), True, "signed"),
        (None, True, "signed"),
    ],
)
def test_the_rule_follows_from_range_and_mean(range, is_mean, rule):
    assert Shape(range, is_mean, 10, 10).rule == rule


def test_the_ends_stay_within_the_range():
    values = np.array([1.0] * 30 + [40.0])
    assert of_mean(values, (1, None), is_mean=False).low >= 1
    assert of_mean([0.9] * 9 + [-0.99], (-1, 1), is_mean=False).high <= 1


def test_moments_are_those_of_the_definition():
    differences = np.random.default_rng(2).gamma(1.0, size=50) - 1
    found = Influence.of(differences)
    assert found.se == pytest.approx(math.sqrt(49 / 50 * (differences**2).sum()))
    assert found.skewness == pytest.approx((differences**3).mean() / (differences**2).mean() ** 1.5)
    assert found.df == pytest.approx(3 * (differences**2).sum() ** 2 / (differences**4).sum() - 1)
    g, x = found.skewness, 2.01
    hall = 3 * math.sqrt(50) / g * (np.cbrt(1 + g * (x / math.sqrt(50) - g / 300)) - 1)
    assert found.hall(x) == pytest.approx(hall)


def test_one_group_with_all_the_variation_leaves_few_degrees_of_freedom():
    found = of_mean([0.0] * 30 + [1.0], (0, None), is_mean=False)
    assert found.df == 2
    assert found.low < 1 / 31 / 10
    assert found.high > 10 / 31


def test_a_positive_score_is_the_hull_of_log_and_hall():
    values = np.random.default_rng(3).lognormal(size=60)
    found = of_mean(values, (0, None), is_mean=False)
    left_out = mean_left_out(values)
    plain, log = (Influence.of(x.mean() - x) for x in (left_out, np.log(left_out)))
    t = stdtrit(log.df, 0.975) * log.se
    c = stdtrit(59, 0.975)
    low = min(values.mean() * math.exp(-t), values.mean() - plain.se * plain.hall(c))
    high = max(values.mean() * math.exp(t), values.mean() - plain.se * plain.hall(-c))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_a_group_without_which_the_score_is_undefined_counts_as_no_influence():
    left_out = np.array([0.5, 0.52, np.nan, 0.48, 0.5, 0.55])
    rest = np.where(np.isfinite(left_out), left_out, np.nanmean(left_out))
    shape = Shape((0, 1), False, 6, 6)
    found, filled = closed_form(0.5, left_out, shape), closed_form(0.5, rest, shape)
    assert (found.low, found.high) == pytest.approx((filled.low, filled.high))


def test_tiny_numbers_keep_their_moments():
    values = np.random.default_rng(4).random(30)
    found, tiny = of_mean(values, None), of_mean(values * 1e-120, None)
    assert tiny.df == pytest.approx(found.df)
    assert (tiny.low, tiny.high) == pytest.approx((found.low * 1e-120, found.high * 1e-120), rel=1e-6)


def test_the_spread_of_replicates_gives_an_interval_that_says_how_many():
    replicates = np.random.default_rng(5).normal(0.8, 0.05, 200)
    found = from_spread(0.8, replicates, Shape((0, 1), False, 30, 30))
    half = stdtrit(29, 0.975) * replicates.std(ddof=1)
    assert (found.low, found.high) == pytest.approx((0.8 - half, 0.8 + half))
    assert found.rule == "spread of 200 replicates"


def test_replicates_that_are_often_undefined_give_none():
    replicates = np.where(np.arange(200) < 3, np.nan, 0.5)
    assert from_spread(0.5, replicates, Shape((0, 1), False, 30, 30)).reason == "3 of 200 replicates are undefined"


def coverage(draw, truth: float, bounds, *, runs: int, seed: int, is_mean: bool = True, clustered: int = 1) -> float:
    random = np.random.default_rng(seed)
    inside = 0
    for _ in range(runs):
        values = draw(random)
        found = of_mean(values, bounds, is_mean=is_mean, clustered=clustered > 1, samples=len(values) * clustered)
        inside += found.low is not None and found.low <= truth <= found.high
    return inside / runs


def middling(random: np.random.Generator) -> np.ndarray:
    """F1-like: a fifth zeros, three tenths ones, Beta(2, 2) between."""
    kind = random.random(20)
    return np.where(kind < 0.2, 0.0, np.where(kind < 0.5, 1.0, random.beta(2, 2, 20)))


def clusters(random: np.random.Generator) -> np.ndarray:
    """Mean of six right-or-wrong samples a cluster, 20 clusters, correlation 0.3, share right 0.8."""
    share = random.beta(0.8 * 7 / 3, 0.2 * 7 / 3, 20)
    return random.binomial(6, share) / 6


@pytest.mark.parametrize(
    ("draw", "truth", "bounds", "clustered", "expected"),
    [
        (lambda random: (random.random(50) < 0.95).astype(float), 0.95, (0, 1), 1, 0.961),
        (lambda random: (random.random(100) < 0.8).astype(float), 0.8, (0, 1), 1, 0.957),
        (middling, 0.55, (0, 1), 1, 0.957),
        (lambda random: random.lognormal(0, 1, 50), math.exp(0.5), (0, None), 1, 0.943),
        (clusters, 0.8, (0, 1), 6, 0.959),
    ],
    ids=["proportion .95", "proportion .8", "F1", "lognormal", "clusters"],
)
def test_coverage_is_what_the_rule_was_chosen_for(draw, truth, bounds, clustered, expected):
    # 1,000 runs have a standard error of 0.007.
    assert coverage(draw, truth, bounds, runs=1000, seed=20, clustered=clustered) == pytest.approx(expected, abs=0.025)
