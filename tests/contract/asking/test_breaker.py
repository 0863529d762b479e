"""When a service counts as silent, and for how long it has been so."""

from __future__ import annotations

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
    assert failing(breaker, [1], now=20.0) == [1.0]


def test_silence_is_measured_from_what_was_heard_or_from_when_it_was_asked() -> None:
    breaker = Breaker()
    assert breaker.failed(1, started=5.0, now=6.0, at_once=4) == 1.0
    assert breaker.failed(2, started=8.0, now=9.0, at_once=4) == 4.0
    breaker.heard(100.0)
    assert breaker.failed(3, started=50.0, now=170.0, at_once=4) == 70.0, "it was asked before, and heard since"
    breaker.heard(200.0)
    assert breaker.failed(4, started=900.0, now=901.0, at_once=4) == 1.0, "nothing was asked for a long time"
