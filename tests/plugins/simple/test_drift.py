"""`drift`: what training changed, sample by sample."""

from __future__ import annotations

import pytest

import evalharness as eh
from evalharness import Batch, Metric, Rows
from evalharness.scoring import Chain, Tally, finish, hash_keys, measure
from evalharness.testing import check_metric


class Cost(Metric):
    """What a sample costs, 0 or more; unmeasured where it is text."""

    name, better, unit, range = "cost", "lower", "crowns", (0, None)

    def measure(self, x):
        missing = {row: value for row, value in enumerate(x) if isinstance(value, str)}
        return Rows({"x": [0.0 if row in missing else value for row, value in enumerate(x)]}, missing)


class Before(Cost):
    """What it cost before."""

    name = "cost_before"

    def measure(self, y):
        return {"y": y}


def test_it_keeps_its_contract():
    check_metric(eh.load_metric("drift", of="token_f1"))


def test_it_is_the_mean_difference_in_the_unit_and_direction_of_the_score():
    chain = Chain.build([(None, Cost()), ("cost.before", Before()), (None, eh.load_metric("drift", of="cost"))])
    batch, measured = Batch({"x": [3.0, "refusal", 2.0, 4.0], "y": [1.0, 1.0, 2.5, 1.0]}), {}
    keys = hash_keys(["a", "b", "c", "d"])
    for entry in chain.entries:
        measured[entry.name] = measure(entry, batch, failures=[None] * 4, policy="worst", measured=measured)
    tally = Tally(chain.entries[-1])
    tally.add(measured["drift"], keys, keys)
    score = finish(chain.entries[-1], tally, seed=1, clustered=False).scores["drift"]
    assert measured["drift"].values["drift"].tolist() == pytest.approx([2.0, float("nan"), -0.5, 3.0], nan_ok=True)
    assert (score.value, score.samples, score.unmeasured) == (1.5, 3, {"cost: refusal": 1})
    assert (score.unit, score.better, score.range) == ("crowns", "lower", None)
