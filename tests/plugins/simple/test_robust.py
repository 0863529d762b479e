"""`interquartile_mean`: scipy's trimmed mean, also of repeated samples, in the unit of the score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import evalharness as eh
from evalharness import Batch, Metric
from evalharness.errors import FaultsFound
from evalharness.scoring import Chain, Tally, finish, hash_keys, measure
from evalharness.testing import agree


class Cost(Metric):
    """What a sample costs, 0 or more."""

    name, better, unit, range = "cost", "lower", "crowns", (0, None)

    def measure(self, x: Any) -> Any:
        return {"x": [float("nan") if value is None else value for value in x]}


@settings(max_examples=40)
@given(rows=st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 3)), min_size=1, max_size=20))
def test_it_equals_the_trimmed_mean_of_repeated_samples(rows: list[tuple[int, int]]) -> None:
    values, weights = (np.array(column) for column in zip(*rows, strict=True))
    if not weights.any():
        return
    metric = eh.load_metric("interquartile_mean", of="cost")
    found = metric.score(weights=np.stack([weights, np.ones_like(weights)]), value=values.astype(float))
    agree("interquartile_mean", found, [stats.trim_mean(np.repeat(values, weights), 0.25), stats.trim_mean(values, 0.25)])


def test_it_is_in_the_unit_and_direction_of_the_score_and_leaves_out_what_has_none() -> None:
    chain = Chain.build([(None, Cost()), (None, eh.load_metric("interquartile_mean", of="cost"))])
    batch, measured = Batch({"x": [1.0, 2.0, None, 3.0, 4.0, 5.0, 6.0, 7.0, 1e6]}), {}
    keys = hash_keys([str(row) for row in range(9)])
    for entry in chain.entries:
        measured[entry.name] = measure(entry, batch, failures=[None] * 9, policy="worst", measured=measured)
    tally = Tally(chain.entries[-1])
    tally.add(measured["interquartile_mean"], keys, keys)
    score = finish(chain.entries[-1], tally, seed=1, clustered=False).scores["interquartile_mean"]
    assert (score.value, score.samples, score.unit, score.better) == (4.5, 8, "crowns", "lower")
    assert score.range == [0, None]
    assert "{cost=cost}" in score.signature


def test_a_score_of_all_samples_at_once_is_refused() -> None:
    with pytest.raises(FaultsFound, match="'pearson' has no value of each sample to take the middle half of"):
        Chain.build([(None, eh.load_metric("pearson")), (None, eh.load_metric("interquartile_mean", of="pearson"))])
