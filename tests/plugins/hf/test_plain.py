"""Plain padded batches: how rows are put together."""

from __future__ import annotations

from evalharness_hf.plain import Scored, _batches


def test_batches_stay_under_the_budget_and_under_the_memory_for_logits() -> None:
    rows = [Scored(list(range(length)), start) for length, start in [(3, 2), (5, 1), (9, 8), (40, 1), (4, 1)]]
    for budget, most in [(1000, 1000), (20, 1000), (1000, 9), (1, 1)]:
        batches = list(_batches(rows, budget, most))
        assert [row for batch in batches for row in batch] == rows
        for batch in batches:
            places = set().union(*(row.places for row in batch))
            assert len(batch) == 1 or len(batch) * max(len(row.ids) for row in batch) <= budget
            assert len(batch) == 1 or len(batch) * len(places) <= most
    assert len(list(_batches(rows, 1000, 1000))) == 1
