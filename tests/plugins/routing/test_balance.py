"""Metrics of routing against scipy, pairs of experts and counts written out."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import evalharness as eh
from evalharness.testing import agree

NAMES = (
    "routing_load_variation", "routing_max_violation", "routing_entropy", "routing_gini", "routing_min_max_ratio",
    "routing_dead_share", "routing_dropped_share",
)  # fmt: skip
COUNTS = st.lists(st.integers(0, 50), min_size=2, max_size=9).filter(any)


def of_one_layer(name: str, counts: list[int], **options: Any) -> float:
    return float(eh.load_metric(name, **options).score(counts=[counts]))


@given(COUNTS)
def test_values_of_a_layer_are_those_of_their_definitions(counts: list[int]) -> None:
    mean, total = sum(counts) / len(counts), sum(counts)
    pairs = [abs(one - two) for one, two in itertools.product(counts, repeat=2)]
    expected = {
        "routing_load_variation": stats.variation(counts),
        "routing_max_violation": (max(counts) - mean) / mean,
        "routing_entropy": stats.entropy(counts) / np.log(len(counts)),
        "routing_gini": np.mean(pairs) / (2 * mean),
        "routing_min_max_ratio": min(counts) / max(counts),
        "routing_dead_share": counts.count(0) / len(counts),
        "routing_dropped_share": sum(max(n - 1.5 * mean, 0) for n in counts) / total,
    }
    for name, value in expected.items():
        options = {"capacity": 1.5} if name == "routing_dropped_share" else {}
        agree(name, of_one_layer(name, counts, **options), value)


@pytest.mark.parametrize("name", NAMES)
def test_even_use_is_the_good_end_of_the_range_and_one_expert_the_bad(name: str) -> None:
    metric = eh.load_metric(name)
    even, sure = of_one_layer(name, [3, 3, 3, 3]), of_one_layer(name, [12, 0, 0, 0])
    assert even == (1.0 if metric.better == "higher" else 0.0)
    assert sure < even if metric.better == "higher" else sure > even


@pytest.mark.parametrize("name", NAMES)
def test_counts_of_samples_add_up_before_anything_is_divided(name: str) -> None:
    samples = [[[4, 0], [1, 3]], [[0, 4], [2, 2]], [[1, 3], [4, 0]]]
    found = eh.load_metric(name).evaluate(router_counts=samples).scores[name].value
    assert found == pytest.approx(float(eh.load_metric(name).score(counts=np.sum(samples, axis=0))))


@pytest.mark.parametrize("name", NAMES)
def test_layers_are_averaged_or_the_worst_counts(name: str) -> None:
    layers = [[5, 1], [3, 3], [6, 0]]
    single = [of_one_layer(name, layer) for layer in layers]
    metric = eh.load_metric(name)
    assert float(metric.score(counts=layers)) == pytest.approx(np.mean(single))
    worst = min(single) if metric.better == "higher" else max(single)
    assert float(eh.load_metric(name, layers="worst").score(counts=layers)) == pytest.approx(worst)


def test_what_is_no_table_of_counts_is_unmeasured_with_its_reason() -> None:
    good = [[2, 1], [1, 2]]
    bad = [[1, 2], [[1, 2], [3]], "text", [[1, -1], [1, 1]], [[1, float("nan")], [1, 1]], [[]]]
    rows = [good, good, None, *bad, [[1, 2, 3]], [[0, 0], [0, 0]]]
    found = eh.load_metric("routing_gini").evaluate(router_counts=rows)
    assert found.statuses == [
        None, None, "no router_counts", *["no table of counts"] * len(bad), "router counts of another model", "no routed tokens",
    ]  # fmt: skip


def test_a_layer_without_tokens_has_no_value() -> None:
    assert all(np.isnan(of_one_layer(name, [0, 0])) for name in NAMES)


def test_one_expert_is_used_evenly() -> None:
    assert of_one_layer("routing_entropy", [7]) == 1.0


@pytest.mark.parametrize("capacity", [0.0, -1.0])
def test_a_capacity_of_nothing_is_refused(capacity: float) -> None:
    with pytest.raises((ValueError, eh.UsageError), match="capacity must be above 0"):
        eh.load_metric("routing_dropped_share", capacity=capacity)
