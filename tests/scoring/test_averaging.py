"""The scores of an arm are means over its seeds, also where rows of several seeds together would say something else."""

from __future__ import annotations

import numpy as np
import pytest

import evalharness as eh
from evalharness.scoring import Chain, Entry, Finished, Tally, finish, hash_keys, mean_over_seeds, measure

SAMPLES = 40
IDS = [f"s{n}" for n in range(SAMPLES)]
TARGETS = [n % 2 for n in range(SAMPLES)]


def finished(entry: Entry, seeds: list[list[int]]) -> Finished:
    """Return the scores of the predictions of some seeds together."""
    tally, hashes = Tally(entry), hash_keys(IDS)
    for repeat, predictions in enumerate(seeds):
        columns = {"prediction": predictions, "probabilities": predictions, "target": TARGETS}
        found = measure(entry, eh.Batch(columns, IDS), failures=[None] * SAMPLES, policy="worst", measured={})
        tally.add(found, hashes, hash_keys([(name, repeat) for name in IDS]), hashes)
    return finish(entry, tally, seed=7, clustered=False)


def entry(name: str) -> Entry:
    return Chain.build([(name, eh.load_metric(name))]).entries[0]


def wrong_on(*places: int) -> list[int]:
    return [1 - target if place in places else target for place, target in enumerate(TARGETS)]


def test_a_score_that_is_no_mean_is_that_of_no_system_when_rows_are_pooled() -> None:
    mcc, seeds = entry("mcc"), [wrong_on(*range(0, 40, 2)), wrong_on(1), wrong_on(*range(12))]
    parts = [finished(mcc, [one]) for one in seeds]
    pooled = finished(mcc, seeds)
    found = mean_over_seeds(mcc, pooled, parts)
    values = [part.scores["mcc"].value for part in parts]
    assert found.scores["mcc"].value == pytest.approx(np.mean(values))
    assert pooled.scores["mcc"].value != pytest.approx(np.mean(values), abs=0.01)
    assert found.replicates["mcc"] == pytest.approx(np.mean([part.replicates["mcc"] for part in parts], axis=0), abs=1e-6)
    assert found.scores["mcc"].low < found.scores["mcc"].value < found.scores["mcc"].high
    assert found.scores["mcc"].aligned(parts[0].scores["mcc"])


def test_a_plain_mean_and_a_single_seed_stay_as_they_are() -> None:
    for name, seeds in (("accuracy", [wrong_on(1), wrong_on(2, 3)]), ("mcc", [wrong_on(1, 2)])):
        pooled = finished(entry(name), seeds)
        assert mean_over_seeds(entry(name), pooled, [finished(entry(name), [one]) for one in seeds]) is pooled


def test_a_seed_without_a_value_is_told_and_not_left_out() -> None:
    rmse = eh.load_metric("rmse")
    one = Chain.build([("rmse", rmse)]).entries[0]
    parts = [finished(one, [wrong_on(1)]), finished(one, [[None] * SAMPLES])]  # type: ignore[list-item]
    found = mean_over_seeds(one, finished(one, [wrong_on(1)]), parts).scores["rmse"]
    assert (found.value, found.reason) == (None, "1 of 2 seeds have no value")
