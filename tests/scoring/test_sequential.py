"""The confidence sequence: valid at every look, equal to the wealth evaluated in full, and indifferent to batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from evalharness.scoring.sequential import CELLS, Bets, BettingSequence

Vector = NDArray[numpy.float64]


def brute_force(sums: Vector, sizes: Vector, means: Vector, planned: float, largest: float, alpha: float = 0.05) -> Any:
    """Return which means are rejected at some step, by the formulas written out, one group after the other."""
    rejected = numpy.zeros(len(means), bool)
    up, down = numpy.zeros(len(means)), numpy.zeros(len(means))
    total = weight = squares = spread = 0.0
    for step, (added, size) in enumerate(zip(sums, sizes, strict=True)):
        prior = 0.25 * (spread / step if step else 1.0)
        variance = (prior + squares) / (step + 1)
        bet = math.sqrt(2 * math.log(2 / alpha) / (variance * planned))
        gain = (added - means * size) / largest
        up += numpy.log1p(numpy.minimum(bet, 0.5 / means) * gain)
        down += numpy.log1p(-numpy.minimum(bet, 0.5 / (1 - means)) * gain)
        rejected |= (numpy.exp(up) + numpy.exp(down)) / 2 >= 1 / alpha
        total, weight = total + added, weight + size
        squares += ((added - (total + 0.5) / (weight + 1) * size) / largest) ** 2
        spread += (size / largest) ** 2
    return rejected


def grouped(generator: numpy.random.Generator, groups: int, largest: int) -> tuple[Vector, Vector]:
    """Return sums and sizes of groups whose members are alike."""
    sizes = generator.integers(1, largest + 1, groups).astype(float)
    return generator.binomial(sizes.astype(int), generator.beta(2, 1, groups)).astype(float), sizes


@pytest.mark.parametrize("largest", [1, 6])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_interval_is_that_of_the_wealth_evaluated_in_full(seed: int, largest: int) -> None:
    sums, sizes = grouped(numpy.random.default_rng(seed), 250, largest)
    means = (numpy.arange(4_000) + 0.5) / 4_000
    kept = means[~brute_force(sums, sizes, means, planned=250, largest=largest)]
    sequence = BettingSequence(planned=250, largest=largest)
    sequence.add(sums, sizes)
    low, high = sequence.interval
    step = 1 / 4_000
    assert low <= kept[0] < low + 2 / CELLS + step
    assert high - 2 / CELLS - step < kept[-1] <= high
    assert sequence.mean == pytest.approx(sums.sum() / sizes.sum())
    assert (sequence.groups, sequence.values) == (250, sizes.sum())


def test_the_calls_that_values_are_split_into_change_no_bit() -> None:
    generator = numpy.random.default_rng(4)
    sums, sizes = grouped(generator, 500, 5)
    whole, split, single = (BettingSequence(planned=400, largest=5, within=0.02) for _ in range(3))
    whole.add(sums, sizes)
    cuts = numpy.sort(generator.integers(0, 500, 20))
    for part, size in zip(numpy.split(sums, cuts), numpy.split(sizes, cuts), strict=True):
        split.add(part, size)
    for part, size in zip(sums, sizes, strict=True):
        single.add([part], [size])
    assert whole.interval == split.interval == single.interval
    assert whole.mean == split.mean == single.mean


def test_the_bets_do_not_see_what_they_bet_on() -> None:
    values = numpy.random.default_rng(5).random(50)
    changed = numpy.append(values[:-1], 1 - values[-1])
    bets = [Bets(planned=50).next(each, numpy.ones(50)) for each in (values, changed)]
    assert bets[0].tolist() == bets[1].tolist()
    assert Bets(planned=50).next(values, numpy.ones(50))[0] == pytest.approx(math.sqrt(2 * math.log(40) / (0.25 * 50)))


def covered(draw: Any, truth: float, runs: int, **options: Any) -> float:
    """Return in which share of runs the sequence holds the true mean at every look to the end."""
    hits = 0
    for _ in range(runs):
        sequence = BettingSequence(**options)
        sequence.add(*draw())
        hits += not sequence.excludes(truth)
    return hits / runs


def test_the_true_mean_is_held_at_every_look() -> None:
    generator = numpy.random.default_rng(6)

    def binary() -> Sequence[Vector]:
        return [(generator.random(150) < 0.8).astype(float)]

    def clustered() -> Sequence[Vector]:
        sizes = generator.integers(1, 7, 150)  # the larger a group, the lower its values: its size tells of them
        return [generator.binomial(sizes, 0.9 - 0.1 * sizes).astype(float), sizes.astype(float)]

    ratio = sum(size * (0.9 - 0.1 * size) for size in range(1, 7)) / sum(range(1, 7))
    # The running intersection looks after each of the groups; 80 runs at 95 % have a standard error of 2.4 points.
    assert covered(binary, 0.8, 80, planned=150) >= 0.93
    assert covered(clustered, ratio, 80, planned=150, largest=6) >= 0.93
    assert covered(binary, 0.8, 40, planned=None) >= 0.9


def first_decided(differences: Vector, planned: float) -> float:
    sequence = BettingSequence.paired(0, 1, planned=planned)
    for start in range(0, len(differences), 25):
        sequence.add(differences[start : start + 25])
        if sequence.excludes(0.0):
            return start + 25
    return math.inf


def test_peeking_at_equal_systems_seldom_finds_a_difference_and_at_unequal_ones_soon() -> None:
    generator = numpy.random.default_rng(7)

    def differences(disagree: float, effect: float, count: int) -> Vector:
        drawn = generator.random(count)
        return numpy.select([drawn < (disagree + effect) / 2, drawn < disagree], [1.0, -1.0], 0.0)

    planned = 306  # enough for an effect of 0.05 at a disagreement of 0.1, were the number fixed beforehand
    alarms = [first_decided(differences(0.1, 0.0, 4 * planned), planned) for _ in range(100)]
    assert numpy.isfinite(alarms).mean() <= 0.05
    found = [first_decided(differences(0.1, 0.05, 3 * planned), planned) for _ in range(60)]
    assert 0.5 <= numpy.mean(numpy.array(found) <= planned) <= 0.8
    assert numpy.median([first_decided(differences(0.1, 0.1, planned), planned) for _ in range(60)]) < 0.45 * planned


def test_equal_values_narrow_the_interval_but_never_to_nothing() -> None:
    for value in (0.0, 0.3, 1.0):
        sequence = BettingSequence(planned=300)
        sequence.add(numpy.full(300, value))
        low, high = sequence.interval
        assert low <= value <= high
        assert 1 / CELLS <= high - low < 0.08


def test_nothing_added_is_the_whole_range() -> None:
    sequence = BettingSequence(-2, 6, planned=10)
    assert (sequence.interval, sequence.mean, sequence.groups) == ((-2.0, 6.0), None, 0)
    sequence.add([])
    assert sequence.interval == (-2.0, 6.0)
    assert not sequence.excludes(6.0)
    assert sequence.excludes(6.1)


def test_another_range_scales_the_interval() -> None:
    values = numpy.random.default_rng(8).random(200)
    unit, percent = BettingSequence(planned=200, within=0.03), BettingSequence(0, 100, planned=200, within=3.0)
    unit.add(values)
    percent.add(100 * values)
    assert percent.interval == pytest.approx([100 * end for end in unit.interval], abs=0.011)


def test_a_half_width_is_reached_with_few_more_values_than_a_fixed_number_would_take() -> None:
    generator = numpy.random.default_rng(9)
    for rate in (0.5, 0.95):
        sequence = BettingSequence(planned=10_000, within=0.04)
        while (ends := sequence.interval)[1] - ends[0] > 0.08:
            sequence.add((generator.random(20) < rate).astype(float))
        assert 1 < sequence.groups / (1.96**2 * rate * (1 - rate) / 0.04**2) < 2.5


def test_values_that_come_from_no_one_mean_leave_what_held_out_longest() -> None:
    values = numpy.concatenate([numpy.zeros(500), numpy.ones(2_500)])
    whole, split = BettingSequence(planned=500), BettingSequence(planned=500)
    whole.add(values)
    for start in range(0, 3_000, 7):
        split.add(values[start : start + 7])
    assert whole.interval == split.interval
    assert whole.interval[0] < whole.interval[1] < 0.2


@pytest.mark.parametrize(
    ("sums", "sizes", "message"),
    [
        ([0.5, 1.2], None, "a group of 1 values with the sum 1.2, outside 0 to 1 a value"),
        ([0.5, math.nan], None, "with the sum nan, outside 0 to 1"),
        ([-0.1, 1.0], [1, 2], "a group of 1 values with the sum -0.1"),
        ([1.0, 1.0], [1, 4], "a group of 4 values, where 3 was said to be the largest"),
    ],
)
def test_values_outside_what_was_said_beforehand_are_refused(sums: list[float], sizes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BettingSequence(planned=10, largest=3).add(sums, sizes)


def test_rounding_at_the_ends_of_the_range_is_none() -> None:
    sequence = BettingSequence(planned=10)
    sequence.add([1.0 + 1e-12, -1e-12])
    assert sequence.interval == (0.0, 1.0)
