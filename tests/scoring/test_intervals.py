"""Closed-form intervals: the rule, textbook values, edges, and coverage in a short simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

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


def test_another_bounded_score_has_the_degrees_of_freedom_of_its_influences():
    left_out = np.random.default_rng(9).normal(0.6, 0.01, 30) + np.where(np.arange(30) == 4, 0.1, 0)
    influence = Influence.of(left_out.mean() - left_out)
    found = closed_form(0.6, left_out, Shape((0, 1), False, 30, 30))
    assert found.df == influence.df < 10
    c, v = stdtrit(influence.df, 0.975), influence.se**2 * 29 / 30 / 0.24
    middle = (0.6 + c * c * v / 2) / (1 + c * c * v)
    half = c * math.sqrt(middle * (1 - middle) * v / (1 + c * c * v))
    assert (found.low, found.high) == pytest.approx((max(middle - half, 0), min(middle + half, 1)))


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


@pytest.mark.parametrize("bounds", [(0, 1), (0, None)])
def test_a_value_outside_its_range_has_no_interval_by_either_rule(bounds):
    shape = Shape(bounds, True, 30, 30)
    reason = f"the value lies outside the range that the metric states, {bounds}"
    assert closed_form(-0.01, np.linspace(-0.02, 0, 30), shape).reason == reason
    assert from_spread(-0.01, np.linspace(-0.02, 0, 200), shape).reason == reason
    assert closed_form(-1e-14, np.linspace(-0.02, 0, 30), shape).reason != reason


def test_a_score_that_no_group_may_leave_has_no_interval():
    found = closed_form(0.5, np.full(20, np.nan), Shape((0, 1), False, 20, 20))
    assert (found.low, found.reason) == (None, "undefined without any one of its groups")


def test_a_group_that_holds_all_errors_still_counts():
    # Without that group the score is 0, which has no logarithm; its slope stands in, as if the logarithm were there.
    left_out = np.full(20, 0.1)
    left_out[7] = 0.0
    found = closed_form(0.095, left_out, Shape((0, None), False, 20, 20))
    assert found.high > 0.3
    assert 0 <= found.low < 0.02


@pytest.mark.parametrize("bounds", [None, (0, None)])
def test_numbers_that_overflow_have_no_ends(bounds):
    left_out = np.array([1e308, 1.7e308] * 10)
    found = closed_form(1.4e308, left_out, Shape(bounds, False, 20, 20))
    assert (found.low, found.high, found.reason) == (None, None, "its ends are beyond all numbers")
    assert found.se is None or math.isfinite(found.se)


def test_large_numbers_are_only_a_scale():
    left_out = mean_left_out(np.random.default_rng(6).lognormal(size=40))
    shape = Shape((0, None), False, 40, 40)
    plain, large = closed_form(1.5, left_out, shape), closed_form(1.5e200, left_out * 1e200, shape)
    assert (large.low, large.high) == pytest.approx((plain.low * 1e200, plain.high * 1e200))


def test_few_replicates_give_none():
    replicates = np.random.default_rng(5).normal(0.8, 0.05, 49)
    assert from_spread(0.8, replicates, Shape((0, 1), False, 30, 30)).reason == "fewer than 50 replicates"


def test_replicates_that_do_not_vary_follow_the_rule_of_no_variation():
    assert from_spread(2.0, np.full(100, 2.0), Shape(None, False, 30, 30)).reason == "no variation"
    found = from_spread(1.0, np.full(100, 1.0), Shape((0, 1), False, 30, 30))
    assert (found.low < 0.95, found.high) == (True, 1.0)


def test_replicates_that_are_often_undefined_give_none():
    replicates = np.where(np.arange(200) < 3, np.nan, 0.5)
    assert from_spread(0.5, replicates, Shape((0, 1), False, 30, 30)).reason == "3 of 200 replicates are undefined"


Rows = Callable[[np.random.Generator], np.ndarray]
Score = Callable[[np.ndarray], np.ndarray]


def coverage(draw: Rows, score: Score, truth: float, bounds, *, is_mean: bool, size: int = 1) -> float:
    """Share of 1,000 intervals that hold the truth; standard error .007. `size`: samples a cluster."""
    random = np.random.default_rng(20)
    inside = 0
    for _ in range(1000):
        rows = draw(random)
        total = rows.sum(0)
        shape = Shape(bounds, is_mean, len(rows) * size, len(rows), size > 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = closed_form(float(score(total)), score(total - rows), shape)
        inside += found.low is not None and found.low <= truth <= found.high
    return inside / 1000


def mean(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]


def counted(values: np.ndarray) -> np.ndarray:
    return np.stack([values, np.ones(len(values))], 1)


def right(share: float, count: int) -> Rows:
    return lambda random: counted((random.random(count) < share).astype(float))


def lognormal(count: int) -> Rows:
    return lambda random: counted(random.lognormal(0, 1, count))


def f1(random: np.random.Generator) -> np.ndarray:
    """A fifth zeros, three tenths ones, Beta(2, 2) between."""
    kind = random.random(20)
    return counted(np.where(kind < 0.2, 0.0, np.where(kind < 0.5, 1.0, random.beta(2, 2, 20))))


def clusters(share: float) -> Rows:
    """Six right-or-wrong samples in each of 20 clusters, correlation .3."""

    def draw(random: np.random.Generator) -> np.ndarray:
        return np.stack([random.binomial(6, random.beta(share * 7 / 3, (1 - share) * 7 / 3, 20)), np.full(20, 6.0)], 1)

    return draw


def word_errors(random: np.random.Generator) -> np.ndarray:
    words = 1 + random.poisson(14, 50)
    return np.stack([random.binomial(words, random.beta(1, 9, 50)), words], 1)


def token_losses(random: np.random.Generator) -> np.ndarray:
    """Summed losses and lengths of 100 texts, which go together."""
    z = random.normal(size=100)
    length = np.exp(3 + 0.8 * z)
    return np.stack([(2 + 0.3 * z + random.gamma(2, 0.3, 100)) * length, length], 1)


CLASSES = np.array([0.5, 0.3, 0.15, 0.05])


def classified(random: np.random.Generator) -> np.ndarray:
    """True positives, members and predictions of each class; 87 % are read off, the others guessed."""
    truth = random.choice(4, 100, p=CLASSES)
    guess = np.where(random.random(100) < 0.87, truth, random.choice(4, 100, p=CLASSES))
    table = np.eye(4)
    return np.concatenate([table[truth] * table[guess], table[truth], table[guess]], 1)


def macro_f1(sums: np.ndarray) -> np.ndarray:
    return (2 * sums[..., :4] / (sums[..., 4:8] + sums[..., 8:])).mean(-1)


def binary(random: np.random.Generator) -> np.ndarray:
    """The four cells of 300 decisions, a fifth of them positive."""
    truth = random.random(300) < 0.2
    guess = np.where(random.random(300) < 0.85, truth, ~truth)
    return np.stack([truth & guess, ~truth & ~guess, ~truth & guess, truth & ~guess], 1).astype(float)


def mcc(sums: np.ndarray) -> np.ndarray:
    a, b, c, d = np.moveaxis(sums, -1, 0)
    return (a * b - c * d) / np.sqrt((a + c) * (a + d) * (b + c) * (b + d))


# E[loss * length] / E[length]: weighting by exp(.8 z) shifts the mean of z by .8.
PERPLEXITY = math.exp(2 + 0.3 * 0.8 + 0.6)
HITS = CLASSES * (0.87 + 0.13 * CLASSES)


@pytest.mark.parametrize(
    ("draw", "score", "truth", "bounds", "is_mean", "size", "expected"),
    [
        pytest.param(right(0.5, 20), mean, 0.5, (0, 1), True, 1, 0.963, id="proportion .5 of 20"),
        pytest.param(right(0.8, 100), mean, 0.8, (0, 1), True, 1, 0.957, id="proportion .8 of 100"),
        pytest.param(right(0.95, 50), mean, 0.95, (0, 1), True, 1, 0.961, id="proportion .95 of 50"),
        pytest.param(right(0.99, 100), mean, 0.99, (0, 1), True, 1, 0.981, id="proportion .99 of 100"),
        pytest.param(f1, mean, 0.55, (0, 1), True, 1, 0.957, id="F1 of 20"),
        pytest.param(clusters(0.8), mean, 0.8, (0, 1), True, 6, 0.959, id="20 clusters, .8"),
        pytest.param(clusters(0.95), mean, 0.95, (0, 1), True, 6, 0.983, id="20 clusters, .95"),
        pytest.param(lognormal(20), mean, math.exp(0.5), (0, None), True, 1, 0.936, id="lognormal, 20"),
        pytest.param(lognormal(100), mean, math.exp(0.5), (0, None), True, 1, 0.948, id="lognormal, 100"),
        pytest.param(word_errors, mean, 0.1, (0, None), False, 1, 0.957, id="word error rate of 50"),
        pytest.param(token_losses, lambda x: np.exp(mean(x)), PERPLEXITY, (0, None), False, 1, 0.952, id="perplexity of 100"),
        pytest.param(
            classified, macro_f1, (2 * HITS / (2 * CLASSES)).mean(), (0, 1), False, 1, 0.944, id="macro-F1 of 100"
        ),
        pytest.param(binary, mcc, mcc(np.array([0.17, 0.68, 0.12, 0.03])), (-1, 1), False, 1, 0.972, id="MCC of 300"),
    ],
)  # fmt: skip
def test_coverage_is_what_the_rule_was_chosen_for(draw, score, truth, bounds, is_mean, size, expected):
    assert coverage(draw, score, truth, bounds, is_mean=is_mean, size=size) == pytest.approx(expected, abs=0.025)
