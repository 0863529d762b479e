"""Simulations in short: each would fail if the rule that it is about were broken, and shows that a cruder one does.

The long form, cell by cell beside the design reference, is `python -m benchmarks.statistics`. Tolerances are four standard
errors of simulation; random numbers are the same each time.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import stdtr, stdtrit

from benchmarks.statistics.coverage import covered
from benchmarks.statistics.families import FAMILIES, Draws, Family
from benchmarks.statistics.figures import Cell, Figure, beyond_chance, compare, read_figures
from benchmarks.statistics.paired import by_replicates, rejections
from benchmarks.statistics.pairs import KINDS, binary_difference
from benchmarks.statistics.ranking import simulated
from benchmarks.statistics.seeds import PARTS, RATIOS, SEEDS, calculated, name_of
from benchmarks.statistics.seeds import covered as covered_over_seeds
from benchmarks.statistics.shipped import Cost, MacroF1, Mcc, Share, entry, of_mean, scored
from benchmarks.statistics.stopping import gaps, length, peeked
from benchmarks.statistics.unscored import rejections as with_samples_lost
from evalharness.scoring.families import benjamini_hochberg, holm
from evalharness.scoring.paired import difference
from evalharness.scoring.power import binary_samples

RUNS = 400
FIGURES = read_figures()


def within(share: float, expected: float, runs: int) -> bool:
    return abs(share - expected) <= 4 * math.sqrt(expected * (1 - expected) / runs)


def t_covered(family: Family, sizes: tuple[int, ...], runs: int, *, groups: bool = True) -> float:
    """Share of runs in which value +- t * se holds the truth; without `groups`, as if samples had nothing in common."""
    made, inside = entry(family.metric, replicates=1), []
    columns = family.draw(Draws(np.random.default_rng(20), runs, sizes))
    for run in range(runs):
        rows = {name: column[run] for name, column in columns.items()}
        score = scored(made, rows, sizes if groups and max(sizes) > 1 else ()).scores[made.name]
        half = stdtrit(score.groups - 1, 0.975) * (score.se or 0.0)
        inside.append(abs(score.value - family.truth()) <= half)
    return float(np.mean(inside))


@pytest.mark.parametrize(
    ("name", "groups", "size"),
    [
        ("prop.95", 100, 1),
        ("prop.99", 300, 1),
        ("prop.8", 20, 6),
        ("f1_high", 10, 6),
        ("f1_mid", 20, 1),
        ("lognormal1.5", 50, 1),
        ("wer", 20, 1),
        ("ppl", 100, 1),
        ("macrof1", 50, 1),
    ],
)
def test_intervals_hold_the_truth_as_often_as_the_reference_says(name, groups, size):
    label = f"{name} n={groups * size}" + (f" ({groups} clusters)" if size > 1 else "")
    share = covered(FAMILIES[name], (size,) * groups, RUNS, np.random.default_rng(20)).mean()
    assert within(share, FIGURES["coverage", label].low, RUNS)


@pytest.mark.parametrize(
    ("name", "groups", "expected"), [("prop.95", 100, 0.872), ("lognormal1.5", 50, 0.812), ("macrof1", 50, 0.871)]
)
def test_a_plain_t_interval_would_not_pass(name, groups, expected):
    share = t_covered(FAMILIES[name], (1,) * groups, RUNS)
    assert within(share, expected, RUNS)
    assert not within(share, FIGURES["coverage", f"{name} n={groups}"].low, RUNS)


def test_intervals_that_ignore_groups_would_not_pass():
    assert t_covered(FAMILIES["prop.8"], (6,) * 20, RUNS, groups=False) < 0.85


def test_the_paired_test_has_the_size_and_power_of_the_reference():
    size = rejections("size: binary .2, n=50, replicates", RUNS).mean()
    power = rejections("power: binary .2, n=200, replicates", RUNS).mean()
    assert within(size, 0.046, RUNS)
    assert within(power, 0.818, RUNS)  # by enumeration of this recipe; the reference has .826


def test_a_test_that_is_not_paired_would_not_pass():
    random, kind = np.random.default_rng(3), KINDS["binary .2"]
    pairs = [kind.draw(random, 200, binary_difference(0.2, 200)) for _ in range(100)]
    found = np.mean([by_replicates(kind, pair, (), (1, 2)) <= 0.05 for pair in pairs])
    assert within(found, 0.497, 100)
    assert found < 0.818 - 4 * math.sqrt(0.818 * 0.182 / 100)


def test_groups_and_skewed_costs_keep_the_size():
    assert rejections("size: binary .2, 10 clusters, replicates", RUNS).mean() < 0.05 + 4 * 0.011
    assert rejections("size: lognormal, n=20, replicates", RUNS).mean() < 0.05 + 4 * 0.011


def test_label_swaps_are_the_conservative_check():
    shares = [rejections(f"size: binary .2, n=50, {test}", RUNS).mean() for test in ("sign flip", "replicates")]
    assert shares[0] < 0.07
    assert rejections("size: binary .2, 10 clusters, sign flip", RUNS).mean() < 0.07


def test_samples_lost_at_random_are_harmless_and_lost_wrong_answers_are_not():
    assert within(with_samples_lost("size: 30 % at random, n=200, replicates", 200).mean(), 0.05, 200)
    assert within(with_samples_lost("size: 15 % of the wrong, n=200, replicates", 200).mean(), 0.173, 200)


def test_adjusted_p_values_keep_their_promises():
    """180 tests, 30 % of them real and 3.47 standard errors away, as in the reference."""
    random, real = np.random.default_rng(6), np.arange(180) % 10 < 3
    p = 2 * stdtr(199, -np.abs(random.normal(3.47 * real, size=(RUNS, 180)) / np.sqrt(random.chisquare(199, (RUNS, 180)) / 199)))
    claims = {name: np.array([adjust(row.tolist()) for row in p]) <= 0.05 for name, adjust in ADJUSTMENTS.items()}
    false = {name: (claimed & ~real).sum(1) for name, claimed in claims.items()}
    true = {name: (claimed & real).sum(1) for name, claimed in claims.items()}
    assert (false["none"] > 0).mean() == 1.0
    assert within((false["holm"] > 0).mean(), 0.05, RUNS)
    assert (false["bh"] / np.maximum(false["bh"] + true["bh"], 1)).mean() == pytest.approx(0.035, abs=0.007)
    assert true["holm"].mean() / real.sum() == pytest.approx(0.41, abs=0.03)
    assert true["bh"].mean() / real.sum() == pytest.approx(0.82, abs=0.03)


ADJUSTMENTS = {"none": list, "holm": holm, "bh": benjamini_hochberg}


def test_rank_sets_hold_all_true_ranks_at_once_and_pairwise_ones_do_not():
    found = simulated("equal", 100, 100)
    assert within(found["max-t"][0].mean(), 0.93, 100)
    assert within(found["pairwise"][0].mean(), 0.34, 100)
    assert found["pairwise"][0].mean() < 0.6


def test_rank_sets_are_no_wider_than_they_need_be():
    covers, sizes = simulated("groups", 300, 60)["max-t"]
    assert covers.mean() > 0.85
    assert sizes.mean() == pytest.approx(4.9, abs=0.4)


def test_a_sequence_may_be_looked_at_all_the_time_and_a_plain_interval_may_not():
    count, random = binary_samples(0.3, 0.1), np.random.default_rng(8)
    alarms = np.mean([length(gaps(random, 0.3, 0.0, 4 * count), count, 20) < math.inf for _ in range(100)])
    assert alarms <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 100)
    peeking = np.mean([peeked(gaps(random, 0.3, 0.0, count)) for _ in range(100)])
    assert peeking > 0.05 + 4 * math.sqrt(0.05 * 0.95 / 100)


def test_a_sequence_decides_as_soon_as_the_reference_says():
    count, random = binary_samples(0.3, 0.1), np.random.default_rng(9)
    planned, twice = (np.array([length(gaps(random, 0.3, gap, 4 * count), count, 20) for _ in range(100)]) for gap in (0.1, 0.2))
    assert within((planned <= 1).mean(), 0.62, 100)
    assert np.minimum(twice, 4).mean() == pytest.approx(0.33, abs=0.06)


UNIT = st.lists(st.floats(0, 1), min_size=5, max_size=40)
LABELS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=5, max_size=30)


def has_a_width(score):
    assert score.low is not None
    assert score.high - score.low > 0
    assert score.low - 1e-9 <= score.value <= score.high + 1e-9


@given(UNIT, st.booleans())
@example([0.0] * 5, True)
@example([1.0] * 40, False)
def test_a_bounded_mean_always_has_a_width(values, grouped):
    sizes = (1, 1, 1, 1, len(values) - 4) if grouped else ()
    has_a_width(scored(entry(Share, 1), of_mean(np.array(values)), sizes).scores["share"])


@given(LABELS)
@example([(0, 0)] * 5)
@example([(0, 1)] * 9)
def test_another_bounded_score_always_has_a_width(labels):
    table, (truth, guess) = np.eye(3), np.array(labels).T
    rows = {"hits": table[truth] * table[guess], "members": table[truth], "predicted": table[guess]}
    has_a_width(scored(entry(MacroF1, 1), rows).scores["macrof1"])


@given(LABELS)
@example([(0, 0), (1, 1)] * 5)
def test_a_correlation_that_is_defined_has_a_width_or_says_why_not(labels):
    truth, guess = np.array(labels).T > 0
    cells = np.stack((truth & guess, ~truth & ~guess, ~truth & guess, truth & ~guess), 1).astype(float)
    score = scored(entry(Mcc, 1), {"table": cells}).scores["mcc"]
    if score.low is None:
        assert score.reason in ("undefined for these samples", "undefined without any one of its groups")
    else:
        has_a_width(score)


@settings(max_examples=15)
@given(UNIT, st.integers(0, 99))
@example([1.0] * 5, 0)
@example([0.5] * 40, 3)
def test_a_difference_always_has_a_width(values, seed):
    a = np.array(values)
    b = np.random.default_rng(seed).permutation(a)
    for other in (a, b, 1 - a):
        one, two = (scored(entry(Share), of_mean(column)) for column in (a, other))
        found = difference(one.scores["share"], two.scores["share"], (one.replicates["share"], two.replicates["share"]))
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.high
        assert found.low <= found.value <= found.high


def test_a_positive_mean_without_variation_says_so_rather_than_be_certain():
    score = scored(entry(Cost, 1), of_mean(np.full(20, 2.0))).scores["cost"]
    assert (score.low, score.high, score.reason) == (None, None, "no variation")


def test_golden_replicates_give_the_same_difference_for_ever():
    numbers = np.arange(60)
    a, b = (scored(entry(Share), of_mean(column.astype(float)), seed=7) for column in (numbers % 3 > 0, numbers % 5 > 0))
    found = difference(a.scores["share"], b.scores["share"], (a.replicates["share"], b.replicates["share"]))
    assert [float(value) for value in a.replicates["share"][:4]] == pytest.approx(GOLDEN_REPLICATES, abs=1e-7)
    assert (found.value, found.se, found.p, found.low, found.high) == pytest.approx(GOLDEN_DIFFERENCE, rel=1e-6)


GOLDEN_REPLICATES = [0.6785714030, 0.7377049327, 0.6470588446, 0.6779661179]
GOLDEN_DIFFERENCE = (0.13333333333, 0.0826975502, 0.11223344472, -0.0321440824, 0.29881074905)


def test_a_cell_beyond_chance_is_found_and_rounding_is_no_difference():
    figure = Figure(0.950, 0.950, 3, 4000)
    cells = [Cell.of("t", name, np.arange(4000) < share * 4000) for name, share in (("a", 0.9503), ("b", 0.955), ("c", 0.90))]
    compared = [compare(cell, figure) for cell in cells]
    assert [one.cell.name for one in beyond_chance(compared)] == ["c"]
    assert compared[0].z == pytest.approx(0, abs=1e-9)
    assert compared[1].z == pytest.approx(0.0045 / math.sqrt(2 * 0.9525 * 0.0475 / 4000), rel=0.01)


@pytest.mark.parametrize(("count", "ratio"), [(3, 16.0), (5, 0.0), (10, 1.0)])
def test_the_wider_interval_of_two_arms_holds_the_truth_as_often_as_a_normal_model_says(count: int, ratio: float) -> None:
    found = covered_over_seeds(count, ratio, RUNS).mean(0)
    for share, part in zip(found, PARTS, strict=True):
        assert within(share, calculated(part, count, ratio), RUNS), part
    assert found[2] >= max(found[:2])


def test_the_figures_of_the_seeds_are_those_that_are_calculated() -> None:
    for part, count, ratio in itertools.product(PARTS, SEEDS, RATIOS):
        figure = FIGURES["seeds", name_of(part, count, ratio)]
        assert (figure.low, figure.runs) == (round(calculated(part, count, ratio), 3), 0)
