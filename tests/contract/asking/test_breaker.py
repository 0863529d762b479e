"""When a service counts as silent, and for how long it has been so."""

from __future__ import annotations

import pytest

from evalharness.contract.asking.breaker import SILENT_REQUESTS, Breaker


def failing(breaker: Breaker, requests: list[int], now: float = 10.0, at_once: int = 1) -> list[float]:
    return [breaker.failed(number, started=now - 1, now=now, at_once=at_once) for number in requests]


def test_it_is_silent_when_different_requests_have_failed_in_a_row() -> None:
    breaker = Breaker()
    failing(breaker, [1] * 100)
    assert not breaker.silent, "one bad request tells nothing"
    failing(breaker, [*range(SILENT_REQUESTS)])
    assert breaker.silent


def test_it_takes_as_many_as_may_be_open_at_once() -> None:
    breaker = Breaker()
    failing(breaker, [*range(63)], at_once=64)
    assert not breaker.silent
    failing(breaker, [63], at_once=64)
    assert breaker.silent


def test_whatever_is_heard_ends_the_silence() -> None:
    breaker = Breaker()
    failing(breaker, [*range(SILENT_REQUESTS)])
    breaker.heard(11.0)
    assert not breaker.silent
    assert failing(breaker, [1, 1], now=20.0) == [0.0, 0.0]
    assert failing(breaker, [1], now=30.0) == [11.0]


@pytest.mark.parametrize(
    ("heard", "started", "silence"),
    [
        pytest.param(None, 500.0, 500.0, id="never heard: from when it was asked"),
        pytest.param(600.0, 500.0, 400.0, id="heard since it was asked"),
        pytest.param(100.0, 500.0, 500.0, id="nothing was asked for a long time"),
    ],
)
def test_silence_is_measured_from_what_was_heard_or_from_when_it_was_asked(
    heard: float | None, started: float, silence: float
) -> None:
    breaker = Breaker()
    if heard is not None:
        breaker.heard(heard)
    breaker.failed(1, started=started, now=700.0, at_once=4)
    assert breaker.failed(2, started=999.0, now=1000.0, at_once=4) == silence


def test_what_was_sent_before_a_first_failure_may_have_hung_while_it_came_back() -> None:
    breaker = Breaker()
    waits = [breaker.failed(number, started=number, now=number + 100.0, at_once=64) for number in range(64)]
    assert waits == [0.0] * 64
    assert breaker.failed(1, started=170.0, now=171.0, at_once=64) == 171.0
