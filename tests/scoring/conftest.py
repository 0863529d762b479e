"""A short way from columns to scores, through measure, tally and finish."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from evalharness import Batch, Metric
from evalharness.scoring import Chain, Finished, Tally, finish, hash_keys, measure


@pytest.fixture(scope="session")
def scored() -> Callable[..., Finished]:
    """Give a function that scores columns with a metric: shards are lists of row numbers, each a tally of its own."""

    def score(
        metric: Metric,
        *,
        group: Sequence[Any] | None = None,
        shards: Sequence[Sequence[int]] | None = None,
        seed: int = 1,
        **columns: Sequence[Any],
    ) -> Finished:
        (entry,) = Chain.build([(None, metric)]).entries
        count = len(next(iter(columns.values())))
        whole = Tally(entry)
        for rows in shards if shards is not None else [range(count)]:
            batch = Batch({name: [column[row] for row in rows] for name, column in columns.items()}, [f"q{row}" for row in rows])
            found = measure(entry, batch, failures=[None] * len(batch), policy="worst", measured={})
            part = Tally(entry)
            part.add(found, hash_keys([group[row] for row in rows] if group else batch.ids), hash_keys(batch.ids))
            whole.merge(part)
        return finish(entry, whole, seed=seed, clustered=group is not None)

    return score
