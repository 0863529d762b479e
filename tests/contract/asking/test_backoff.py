"""How long a request waits before it is asked again."""

from __future__ import annotations

from statistics import mean

import pytest

from evalharness import Generate
from evalharness.contract.asking.backoff import FIRST_SECONDS, MOST_SECONDS, backoff


@pytest.mark.parametrize(
    ("failures", "limit"), [(1, FIRST_SECONDS), (2, 1.0), (4, 4.0), (9, MOST_SECONDS), (1_000_000, MOST_SECONDS)]
)
def test_it_is_drawn_evenly_below_a_limit_that_doubles(failures: int, limit: float) -> None:
    waits = [backoff(Generate(prompt=str(number)), failures) for number in range(400)]
    assert 0 <= min(waits) < 0.02 * limit
    assert 0.98 * limit < max(waits) <= limit
    assert mean(waits) == pytest.approx(limit / 2, rel=0.1)


def test_it_depends_on_the_request_alone() -> None:
    assert backoff(Generate(prompt="a", sample="1"), 3) == backoff(Generate(prompt="a", sample="2"), 3)
    assert len({backoff(Generate(prompt="a"), 3), backoff(Generate(prompt="b"), 3), backoff(Generate(prompt="a"), 4)}) == 3


def test_there_may_be_another_limit() -> None:
    assert max(backoff(Generate(prompt=str(number)), 20, most=2.0) for number in range(100)) <= 2.0
