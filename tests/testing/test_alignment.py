"""The same samples in any order, number of shards and batch size: scores and replicates are the same bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from evalharness import Batch, Metric, registry
from evalharness.scoring import Chain, Entry, Finished, Tally, finish, hash_keys, measure
from evalharness.testing.every import made
from evalharness.testing.samples import columns_for

ENTRIES = [entry for entry in registry.installed().classes("metric") if entry.source.distribution == "evalharness"]


def exact() -> list[Metric]:
    """Return the metrics that sums alone decide: none that asks, builds on others, or runs an encoder."""
    metrics = [made("metric", entry.cls) for entry in ENTRIES]
    return [metric for metric in metrics if not (metric.asks or metric.uses or metric.tolerance)]


def finished(entry: Entry, columns: dict[str, list[Any]], shards: Sequence[Sequence[Sequence[int]]]) -> Finished:
    """Measure batches of rows, each shard in a tally of its own, and return what all of them come to."""
    whole = Tally(entry)
    for shard in shards:
        tally = Tally(entry)
        for rows in shard:
            names = [f"s{row}" for row in rows]
            batch = Batch({name: [column[row] for row in rows] for name, column in columns.items()}, names)
            found = measure(entry, batch, failures=[None] * len(rows), policy="exclude", measured={})
            ids = hash_keys(names)
            tally.add(found, hash_keys([f"g{row % 9}" for row in rows]), ids)
        whole.merge(tally)
    return finish(entry, whole, seed=7, clustered=True)


@pytest.mark.parametrize("metric", exact(), ids=lambda metric: metric.name)
def test_neither_order_nor_shards_nor_batches_change_a_byte(metric: Metric) -> None:
    (entry,) = Chain.build([(None, metric)]).entries
    columns = {name: values * 2 for name, values in columns_for(entry.metric.reads, None).items()}
    count = len(next(iter(columns.values())))
    mixed = np.random.default_rng(0).permutation(count).tolist()
    one = finished(entry, columns, [[list(range(count))]])
    many = finished(entry, columns, [[mixed[:5], mixed[5:7]], [mixed[7:8]], [mixed[8:20], mixed[20:]]])
    assert {name: dataclasses.asdict(score) for name, score in one.scores.items()} == {
        name: dataclasses.asdict(score) for name, score in many.scores.items()
    }
    assert {name: values.tobytes() for name, values in one.replicates.items()} == {
        name: values.tobytes() for name, values in many.replicates.items()
    }
