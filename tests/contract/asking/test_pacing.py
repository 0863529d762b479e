"""How many requests are open at once: slow start, trials of fewer, growth, and the limit that a service has."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.contract.asking.pacing import FIRST, Pace
from tests.contract.asking.virtual import BUSY, SLOW, Outcome, Run, Server, Virtual

SECONDS = 0.2


def full_rounds(pace: Pace, rounds: int) -> list[int]:
    """Answer as many as may be open, again and again; return the limit before each round."""
    limits = []
    for _ in range(rounds):
        limits.append(pace.limit)
        for epoch in [pace.sent() for _ in range(pace.limit)]:
            pace.ended(epoch, answered=True, refused=False)
    return limits


def by_chance(share: float, seconds: float) -> Server:
    """A server that refuses some, however few are open."""
    draw = random.Random(7)
    return lambda number, now, inside: (seconds, BUSY) if draw.random() < share else (SECONDS, None)


def with_room_for(room: int, seconds: float = 0.002) -> Server:
    """A server that refuses what comes when so many are open."""
    draw = random.Random(7)

    def server(number: int, now: float, inside: int) -> Outcome:
        return (seconds, BUSY) if inside >= room else (SECONDS * draw.uniform(0.8, 1.2), None)

    return server


def run(server: Server, seconds: float) -> Run:
    return Virtual(server, 10**6).until_done(seconds)


def test_it_doubles_with_each_round_trip_up_to_what_is_allowed() -> None:
    assert full_rounds(Pace(64), 6) == [FIRST, 8, 16, 32, 64, 64]
    assert full_rounds(Pace(3), 2) == [3, 3]


def test_it_does_not_grow_beyond_what_is_used() -> None:
    pace = Pace(64)
    for _ in range(100):
        pace.ended(pace.sent(), answered=True, refused=False)
    assert pace.limit == FIRST


@given(st.integers(1, 100), st.lists(st.sampled_from(["send", "answered", "refused", "neither", "restart"]), max_size=300))
def test_the_limit_is_always_between_one_and_what_is_allowed(most: int, events: list[str]) -> None:
    pace, under_way = Pace(most), list[int]()
    for event in events:
        if event == "send":
            under_way.append(pace.sent())
        elif event == "restart":
            pace.restart()
        elif under_way:
            pace.ended(under_way.pop(0), answered=event == "answered", refused=event == "refused")
        assert 1 <= pace.limit <= most


def test_many_refusals_of_one_round_trip_count_once() -> None:
    pace = Pace(64)
    full_rounds(pace, 6)
    under_way = [pace.sent() for _ in range(64)]
    for epoch in under_way:
        pace.ended(epoch, answered=False, refused=True)
    assert 32 <= pace.limit < 64


@pytest.mark.parametrize("seconds", [0.002, SECONDS])
@pytest.mark.parametrize("share", [0.01, 0.03, 0.1])
def test_refusals_by_chance_do_not_bring_the_rate_down(share: float, seconds: float) -> None:
    """Every place that is open gives an answer in 0.2 s, or a refusal; 0.8 of what is possible is left of it at least."""
    possible = 64 / ((1 - share) * SECONDS + share * seconds) * (1 - share)
    assert len(run(by_chance(share, seconds), 35).answered) > 0.8 * 35 * possible


@pytest.mark.parametrize("room", [1, 2, 4, 8, 20, 50])
def test_a_service_with_a_limit_is_asked_for_nearly_what_it_can_do(room: int) -> None:
    found = run(with_room_for(room), 60)
    assert len(found.answered) > 0.8 * room / SECONDS * 60
    assert found.refused < 0.25 * len(found.sent)


def test_slow_refusals_tell_the_limit_as_well() -> None:
    found = run(with_room_for(20, SECONDS), 60)
    assert len(found.answered) > 0.85 * 20 / SECONDS * 60
    assert found.refused < 0.2 * len(found.sent)


def test_a_limit_that_changes_is_followed() -> None:
    def server(number: int, now: float, inside: int) -> Outcome:
        return with_room_for(50 if now < 30 else 10 if now < 60 else 40)(number, now, inside)

    times = sorted(run(server, 100).answered.values())
    rates = [sum(start < at <= start + 20 for at in times) / 20 for start in (10, 40, 80)]
    assert [round(rate * SECONDS) for rate in rates] == pytest.approx([50, 10, 40], rel=0.2)


def test_a_service_that_refuses_everything_is_asked_one_request_at_a_time() -> None:
    sent = [now for now, _ in run(lambda number, now, inside: (0.002, BUSY), 60).sent]
    assert sum(now > 2 for now in sent) < 60


def test_time_outs_bring_the_number_down_like_refusals() -> None:
    """A server that answers in time what is among ten, and never the rest."""
    found = run(lambda number, now, inside: (SECONDS, None) if inside < 10 else (5.0, SLOW), 120)
    assert len(found.answered) > 0.7 * 10 / SECONDS * 120
