"""Families of tests: Holm by its definition, Benjamini and Hochberg against scipy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evalharness.scoring.families import benjamini_hochberg, holm

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(VALUES)
def test_holm_rejects_as_its_step_down_does(values: list[float]) -> None:
    alpha = 0.05
    rejected, left = set(), sorted(range(len(values)), key=lambda place: values[place])
    while left and values[left[0]] * len(left) <= alpha:
        rejected.add(left.pop(0))
    assert {place for place, p in enumerate(holm(values)) if p is not None and p <= alpha} == rejected


@given(VALUES)
def test_benjamini_hochberg_is_that_of_scipy(values: list[float]) -> None:
    assert benjamini_hochberg(values) == pytest.approx(stats.false_discovery_control(values).tolist(), abs=1e-12)


@given(VALUES)
def test_adjusted_values_keep_order_and_never_shrink(values: list[float]) -> None:
    for adjust in (holm, benjamini_hochberg):
        adjusted = [p or 0.0 for p in adjust(values)]
        order = sorted(range(len(values)), key=lambda place: values[place])
        assert all(new >= old - 1e-15 for new, old in zip(adjusted, values, strict=True))
        assert [adjusted[place] for place in order] == sorted(adjusted)


def test_what_is_no_test_does_not_count() -> None:
    assert holm([None, 0.02, None]) == [None, 0.02, None]
    assert benjamini_hochberg([]) == holm([]) == []
