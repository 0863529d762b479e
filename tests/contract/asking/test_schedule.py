"""What is sent when, in virtual time: retries, pauses, silence, and that each request ends exactly once."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness import Failure, Unanswered
from tests.contract.asking.virtual import BROKEN, BUSY, REFUSED, SLOW, WRONG, Outcome, Run, Server, Virtual


def wait(seconds: float) -> Unanswered:
    return Unanswered(Failure("server", "429 Too Many Requests"), again=True, after=seconds, busy=True)


def dead_between(start: float, end: float, fault: Unanswered = REFUSED, seconds: float = 0.001) -> Server:
    return lambda number, now, inside: (seconds, fault) if start <= now < end else (0.2, None)


def times_of(run: Run, number: int) -> list[float]:
    return [now for now, other in run.sent if other == number]


def test_a_request_that_fails_is_asked_again_with_growing_waits_until_its_retries_are_over() -> None:
    run = Virtual(lambda number, now, inside: (0.2, BROKEN if number == 3 else None), 200, retries=4).until_done()
    assert run.failures == {3: "server"}
    assert len(run.answered) == 199
    gaps = [after - before - 0.2 for before, after in pairwise(times_of(run, 3))]
    assert len(gaps) == 4
    assert all(0 <= gap <= limit + 1e-9 for gap, limit in zip(gaps, (0.5, 1, 2, 4), strict=True))


def test_what_can_have_no_answer_is_not_asked_again() -> None:
    run = Virtual(lambda number, now, inside: (0.01, WRONG if number % 2 else None), 100).until_done()
    assert Counter(number for _, number in run.sent) == Counter(range(100))
    assert run.failures == dict.fromkeys(range(1, 100, 2), "rejected")


@pytest.mark.parametrize("fault", [WRONG, Unanswered(Failure("server", "no model takes this"))])
def test_a_service_that_refuses_every_request_for_what_it_is_is_there(fault: Unanswered) -> None:
    run = Virtual(lambda number, now, inside: (200.0, fault), 100, patience=10).until_done()
    assert run.given_up is None
    assert run.seconds == 100 / 4 * 200, "four at a time, as it began"
    assert len(run.failures) == 100


def test_all_failed_requests_of_a_service_without_an_answer_are_final_and_nothing_hangs() -> None:
    run = Virtual(lambda number, now, inside: (0.01, BROKEN), 3, retries=2).until_done()
    assert run.failures == dict.fromkeys(range(3), "server")
    assert run.given_up is None


@pytest.mark.parametrize("fault", [REFUSED, BROKEN, BUSY])
@pytest.mark.parametrize("concurrency", [1, 4, 64])
def test_a_service_that_dies_and_comes_back_loses_nothing(fault: Unanswered, concurrency: int) -> None:
    run = Virtual(dead_between(2.0, 100.0, fault), 1000, concurrency=concurrency, retries=3).until_done()
    assert run.given_up is None
    assert not run.failures
    assert len(run.answered) == 1000
    probes = [now for now, _ in run.sent if 20 <= now < 100]
    assert 15 < len(probes) < 150, "one at a time, every few seconds, and found soon when it is back"
    back = min(at for at in run.answered.values() if at > 100)
    assert back < 106
    assert sum(back <= now < back + 0.19 for now, _ in run.sent) <= 4, "it starts from a few again"
    failed = {number for now, number in run.sent if 2 <= now < 100}
    assert max(run.answered[number] for number in failed) < back + 0.3 * len(failed) / concurrency + 2


def test_the_last_requests_are_not_lost_either() -> None:
    """Too few to tell a silent service from bad requests, but nobody was there to take them."""
    run = Virtual(dead_between(1.9, 60.0), 480, retries=2).until_done()
    assert len({number for now, number in run.sent if now > 1.9}) < 60
    assert not run.failures
    assert len(run.answered) == 480


def test_a_request_at_which_the_service_breaks_is_given_up_for_itself() -> None:
    run = Virtual(
        lambda number, now, inside: (0.01, REFUSED if number == 3 else None), 5000, concurrency=4, retries=3
    ).until_done()
    assert run.failures == {3: "connection"}
    assert len(times_of(run, 3)) in (4, 5)


def test_what_is_refused_for_load_while_others_are_answered_is_asked_again_without_end() -> None:
    server: Server = lambda number, now, inside: (0.3, BUSY) if number == 3 and now < 100 else (0.2, None)  # noqa: E731
    run = Virtual(server, 3000, concurrency=4, retries=0).until_done()
    assert not run.failures
    assert len(times_of(run, 3)) > 5
    alone = Virtual(lambda number, now, inside: (0.3, BUSY), 1, retries=2).until_done()
    assert alone.failures == {0: "server"}


@pytest.mark.parametrize("concurrency", [1, 8])
def test_nothing_hangs_where_all_retries_of_all_requests_are_over_at_once(concurrency: int) -> None:
    run = Virtual(lambda number, now, inside: (0.01, BROKEN), 100, concurrency=concurrency, retries=0, patience=20).until_done()
    assert len(run.failures) >= 8
    assert run.given_up is not None


def test_a_service_that_hangs_for_a_while_loses_nothing() -> None:
    run = Virtual(dead_between(2.0, 60.0, SLOW, seconds=30.0), 1000).until_done()
    assert run.given_up is None
    assert not run.failures


def test_requests_that_hang_while_a_service_comes_back_do_not_end_the_run() -> None:
    """Those that were open when its host lost them time out long after it is back, and with them the patience."""
    run = Virtual(dead_between(2.0, 10.0, SLOW, seconds=120.0), 1000, patience=120, retries=1).until_done()
    assert run.given_up is None
    assert not run.failures


def test_a_wait_of_no_time_is_no_reason_to_ask_without_a_pause() -> None:
    server: Server = lambda number, now, inside: (0.001, wait(0.0)) if number == 3 and now < 20 else (0.2, None)  # noqa: E731
    run = Virtual(server, 500, concurrency=4, retries=2).until_done()
    assert not run.failures
    assert len(times_of(run, 3)) < 15


@pytest.mark.parametrize("fault", [REFUSED, BROKEN, BUSY])
def test_a_service_that_stays_silent_is_given_up(fault: Unanswered) -> None:
    run = Virtual(dead_between(2.0, 1e9, fault), 1000, patience=60).until_done()
    assert run.given_up is not None
    assert run.given_up.kind == "connection"
    assert fault.failure.message in run.given_up.did
    assert 60 <= run.seconds - max(run.answered.values()) < 70
    assert not run.failures


@pytest.mark.parametrize("count", [1, 3, 1000])
def test_a_service_that_was_never_there_is_given_up_much_sooner(count: int) -> None:
    run = Virtual(dead_between(0.0, 1e9), count, retries=2).until_done()
    assert run.given_up is not None
    assert re.fullmatch(r"could not be reached in \d\d s \(last: connection refused\)", run.given_up.did)
    assert 15 <= run.seconds < 21
    assert not run.failures, "all are left, so that one message is told of them"
    assert Virtual(dead_between(0.0, 1e9), count, patience=2).until_done().seconds < 8


@pytest.mark.parametrize("fault", [BUSY, BROKEN, SLOW])
def test_a_service_that_is_starting_up_is_waited_for(fault: Unanswered) -> None:
    """Nothing listens at first; then it does, and says for a while that it is not ready."""

    def server(number: int, now: float, inside: int) -> Outcome:
        return (0.001, REFUSED if now < 10 else fault) if now < 90 else (0.2, None)

    run = Virtual(server, 100).until_done()
    assert run.given_up is None
    assert len(run.answered) == 100


def test_requests_that_take_longer_than_the_patience_are_waited_for() -> None:
    run = Virtual(lambda number, now, inside: (100.0, None), 200, patience=10).until_done()
    assert run.given_up is None
    assert len(run.answered) == 200


def test_one_request_that_always_times_out_does_not_end_a_run_that_goes_on() -> None:
    server: Server = lambda number, now, inside: (30.0, SLOW) if number == 5 else (0.2, None)  # noqa: E731
    run = Virtual(server, 4000, concurrency=8, retries=2, patience=10).until_done()
    assert run.given_up is None
    assert run.failures == {5: "timeout"}


def test_nothing_is_sent_during_the_wait_that_a_service_asks_for() -> None:
    def server(number: int, now: float, inside: int) -> Outcome:
        return (0.01, wait(20.0)) if 5 <= now < 5.5 else (0.2, None)

    run = Virtual(server, 2000).until_done()
    assert not run.failures
    first = next(now for now, _ in run.sent if now >= 5)
    assert not [now for now, _ in run.sent if first + 0.2 < now < first + 20]
    assert any(now == pytest.approx(first + 20, abs=0.5) for now, _ in run.sent)


def test_waits_that_a_service_asks_for_are_no_silence() -> None:
    """It allows ten requests a minute."""
    allowed: Counter[int] = Counter()

    def server(number: int, now: float, inside: int) -> Outcome:
        minute = int(now // 60)
        allowed[minute] += 1
        return (0.2, None) if allowed[minute] <= 10 else (0.01, wait(60.0 - now % 60))

    run = Virtual(server, 100, patience=61).until_done()
    assert run.given_up is None
    assert not run.failures
    assert run.seconds < 11 * 60


def test_a_request_is_asked_again_when_the_wait_is_over_however_often_it_was() -> None:
    run = Virtual(lambda number, now, inside: (0.01, wait(2.0) if now < 11 else None), 1).until_done()
    assert run.seconds == pytest.approx(12.07, abs=0.01)


def test_the_last_request_is_not_lost_to_short_waits_that_a_service_asks_for_again_and_again() -> None:
    """It says one second and means the rest of the minute; others are answered no more, since there are none."""
    run = Virtual(lambda number, now, inside: (0.01, wait(1.0) if 5 < now < 60 else None), 1000, retries=2).until_done()
    assert not run.failures
    assert len(run.answered) == 1000
    forever = Virtual(lambda number, now, inside: (0.01, wait(1.0)), 3, patience=30, retries=2).until_done()
    assert forever.failures == dict.fromkeys(range(3), "server")
    assert 30 < forever.seconds < 45


def test_time_outs_during_a_wait_are_no_silence() -> None:
    def server(number: int, now: float, inside: int) -> Outcome:
        if now == 0 and number < 4:
            return (0.1, wait(50.0)) if number == 0 else (20.0, SLOW)
        return 0.01, REFUSED

    run = Virtual(server, 100, patience=60).until_done()
    assert run.given_up is not None
    assert 110 <= run.seconds < 116


def test_a_wait_longer_than_the_patience_gives_the_service_up() -> None:
    run = Virtual(lambda number, now, inside: (0.01, wait(3600.0)), 100, patience=120).until_done()
    assert run.given_up is not None
    assert run.given_up.did == "takes no requests for 3,600 s (429 Too Many Requests), longer than `patience: 120` allows"


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_wait_that_is_none_holds_nothing_up(seconds: float) -> None:
    run = Virtual(lambda number, now, inside: (0.01, wait(seconds) if now < 0.05 else None), 20).until_done(60)
    assert len(run.answered) == 20
    assert run.seconds < 10


def test_a_service_that_refuses_what_is_too_much_loses_nothing() -> None:
    run = Virtual(lambda number, now, inside: (0.002, BUSY) if inside >= 5 else (0.2, None), 2000, retries=1).until_done()
    assert not run.failures
    assert len(run.answered) == 2000


def test_what_failed_is_asked_before_what_is_new() -> None:
    server: Server = lambda number, now, inside: (0.2, BROKEN if now < 3 and number % 2 else None)  # noqa: E731
    run = Virtual(server, 3000, concurrency=8).until_done()
    assert len(run.answered) == 3000
    assert run.seconds > 75
    assert max(run.answered[number] for number in range(60)) < 15


FAULTS = st.sampled_from([None, None, None, BUSY, BROKEN, REFUSED, WRONG, SLOW, wait(3.0)])


@given(
    faults=st.lists(st.tuples(st.floats(0.001, 5), FAULTS), min_size=1, max_size=40),
    concurrency=st.integers(1, 12),
    retries=st.integers(0, 3),
    count=st.integers(0, 40),
)
def test_every_request_ends_once_whatever_happens(faults: list[Outcome], concurrency: int, retries: int, count: int) -> None:
    """The driver fails where something would hang, or where a request ends twice."""
    events = iter(faults * 1000)
    virtual = Virtual(lambda *_: next(events), count, concurrency=concurrency, retries=retries, patience=30)
    run = virtual.until_done()
    left = {int(str(asked.request.prompt)) for asked in virtual.schedule.left()}  # type: ignore[attr-defined]
    assert not left or run.given_up is not None
    assert not (set(run.answered) | set(run.failures)) & left
    assert len(run.answered) + len(run.failures) + len(left) == virtual._taken
    assert run.given_up is not None or virtual._taken == count
    assert run.most_open <= concurrency
