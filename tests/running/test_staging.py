"""The order of groups and the stages: functions of the task and the keys, whole groups, nothing twice."""

from __future__ import annotations

import random
from itertools import compress, pairwise

import numpy
import pytest

from evalharness.contract import Sample
from evalharness.running.staging import Order, order_keys, stages
from evalharness.scoring import hash_keys, seed_of

SEED = seed_of("sums", "1", "topic")
SAMPLES = [Sample(f"q{number}", {}, f"t{number // 3}") for number in range(200)]


def ranks(samples: list[Sample], seed: int = SEED) -> dict[str, int]:
    order = Order.of(samples, seed)
    return dict(zip((sample.id for sample in samples), order.ranks.tolist(), strict=True))


def test_the_order_does_not_depend_on_that_of_the_file() -> None:
    shuffled = random.Random(1).sample(SAMPLES, len(SAMPLES))
    assert ranks(SAMPLES) == ranks(shuffled)
    assert ranks(SAMPLES) != ranks(SAMPLES, seed_of("sums", "2", "topic"))


def test_members_of_a_group_share_its_rank() -> None:
    order = Order.of(SAMPLES, SEED)
    assert order.groups == order.of_groups == 67
    assert sorted(order.sizes.tolist()) == [2] + 66 * [3]
    for number in range(0, 198, 3):
        assert len(set(order.ranks[number : number + 3].tolist())) == 1
    assert numpy.abs(numpy.corrcoef(order.ranks, numpy.arange(200))[0, 1]) < 0.2


def test_a_sample_without_a_group_is_its_own() -> None:
    assert Order.of([Sample(str(number), {}) for number in range(5)], SEED).sizes.tolist() == [1] * 5


def test_samples_that_are_not_wanted_have_no_rank() -> None:
    order = Order.of(SAMPLES, SEED, only=hash_keys(["q10", "q11", "q16", "q999"]))
    assert (order.groups, order.of_groups, order.samples, order.of_samples) == (2, 67, 3, 200)
    assert [sample.id for sample, rank in zip(SAMPLES, order.ranks, strict=True) if rank >= 0] == ["q10", "q11", "q16"]
    nothing = Order.of(SAMPLES, SEED, only=hash_keys([]))
    assert (nothing.groups, nothing.of_groups, nothing.samples) == (0, 67, 0)


def test_the_order_is_frozen() -> None:
    assert order_keys(SEED, ["t0", "t1"]).tolist() == [12231399438068327315, 7396598909311480314]


@pytest.mark.parametrize("groups", [1, 31, 32, 33, 160, 1_000, 100_000])
def test_stages_take_each_group_once(groups: int) -> None:
    found = list(stages(groups))
    assert (found[0].start, found[-1].stop) == (0, groups)
    assert all(before.stop == after.start for before, after in pairwise(found))
    assert all(len(stage) == max(32, stage.start // 4) for stage in found[:-1])


def test_the_masks_of_all_stages_are_all_samples() -> None:
    order = Order.of(SAMPLES, SEED)
    ids = [sample.id for stage in stages(order.groups) for sample in compress(SAMPLES, order.mask(stage))]
    assert sorted(ids) == sorted(sample.id for sample in SAMPLES)
