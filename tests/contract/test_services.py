"""Models behind a network: the answers of a service as a generator, its thread, its deadlines, and what ends it."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest

import evalharness as eh

Script = Callable[[eh.Generate], Awaitable[eh.Response]]
POOL: ContextVar[list[str]] = ContextVar("pool")


class Scripted(eh.Service):
    """A service that does what a function says."""

    name = "scripted"
    supports = (eh.Generate,)
    script: Script

    def identity(self) -> str:
        return "scripted"

    async def ask_one(self, request: eh.Request) -> eh.Response:
        assert isinstance(request, eh.Generate)
        return await self.script(request)


def at_once(response: eh.Response | Exception) -> Script:
    async def script(request: eh.Generate) -> eh.Response:
        if isinstance(response, Exception):
            raise response
        return response

    return script


async def echo(request: eh.Generate) -> eh.Response:
    await asyncio.sleep(0.001)
    return eh.Response(text=str(request.prompt))


async def never(request: eh.Generate) -> eh.Response:
    await asyncio.Event().wait()
    raise AssertionError


def requests(count: int) -> list[eh.Generate]:
    return [eh.Generate(prompt=str(number)) for number in range(count)]


def answers(service: eh.Service, count: int) -> list[eh.Response]:
    """Return the responses in the order of the requests, each of which must have one."""
    asked = requests(count)
    found = {id(request): response for request, response in service.answer(asked)}
    return [found.pop(id(request)) for request in asked]


def error_of(response: eh.Response) -> eh.Failure:
    assert response.error is not None
    return response.error


def refused(**how: Any) -> eh.Unanswered:
    return eh.Unanswered(eh.Failure("connection", "connection refused"), again=True, **how)


@pytest.fixture(autouse=True)
def _nothing_is_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No thread stays, and no task or exception was forgotten, which asyncio logs."""
    before = threading.active_count()
    yield
    assert threading.active_count() == before
    assert not caplog.records


def test_every_request_is_answered_once() -> None:
    asked = requests(300)
    found = list(Scripted(script=echo).answer(asked))
    assert sorted(id(request) for request, _ in found) == sorted(map(id, asked))
    assert all(request.prompt == response.text for request, response in found)  # type: ignore[attr-defined]


def test_nothing_asked_is_nothing_answered() -> None:
    assert list(Scripted(script=echo).answer([])) == []


def test_equal_requests_have_an_answer_each() -> None:
    asked = [eh.Generate(prompt="same") for _ in range(5)]
    assert {id(request) for request, _ in Scripted(script=echo).answer(asked)} == set(map(id, asked))


def test_requests_are_taken_when_they_can_be_sent() -> None:
    taken = 0

    def one_by_one() -> Iterator[eh.Generate]:
        nonlocal taken
        for request in requests(100):
            taken += 1
            yield request

    for given, _ in enumerate(Scripted(script=echo, concurrency=3).answer(one_by_one()), start=1):
        assert taken <= given + 3
    assert taken == given == 100


def test_requests_are_taken_in_the_thread_of_the_caller() -> None:
    threads = set()

    def one_by_one() -> Iterator[eh.Generate]:
        for request in requests(20):
            threads.add(threading.get_ident())
            yield request

    assert len(list(Scripted(script=echo).answer(one_by_one()))) == 20
    assert threads == {threading.get_ident()}


def test_no_more_are_open_than_allowed() -> None:
    under_way, most = 0, 0

    async def script(request: eh.Generate) -> eh.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.002)
        under_way -= 1
        return eh.Response(text="a")

    assert len(answers(Scripted(script=script, concurrency=12), 200)) == 200
    assert most == 12


def test_latency_is_that_of_the_attempt_that_succeeded() -> None:
    tries = 0

    async def script(request: eh.Generate) -> eh.Response:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise eh.Unanswered(eh.Failure("server", "500"), again=True)
        await asyncio.sleep(0.01)
        return eh.Response(text="a", latency=7.0 if request.prompt == "told" else None, retries=1)

    started = time.monotonic()
    (response,) = answers(Scripted(script=script), 1)
    assert response.latency is not None
    assert 0.01 <= response.latency < (time.monotonic() - started) / 2
    assert response.retries == 3, "two of ours and one that the service tells of"
    ((_, response),) = Scripted(script=script).answer([eh.Generate(prompt="told")])
    assert response.latency == 7.0


def test_a_failure_that_stands_tells_how_often_it_was_asked_again() -> None:
    (response,) = answers(Scripted(script=at_once(eh.Unanswered(eh.Failure("server", "500"), again=True)), retries=2), 1)
    assert response == eh.Response(error=eh.Failure("server", "500"), retries=2)
    (response,) = answers(Scripted(script=at_once(eh.Unanswered(eh.Failure("rejected", "400")))), 1)
    assert response == eh.Response(error=eh.Failure("rejected", "400"))


def test_a_request_without_an_answer_in_time_is_a_time_out() -> None:
    async def script(request: eh.Generate) -> eh.Response:
        return await (never if request.prompt == "1" else echo)(request)

    first, second, third = answers(Scripted(script=script, timeout=0.05, retries=1), 3)
    assert second == eh.Response(
        error=eh.Failure("timeout", "no answer within 0.05 s. Raise `timeout`, or lower `concurrency`"), retries=1
    )
    assert (first.text, third.text) == ("0", "2")


def test_any_other_exception_is_a_failure_of_its_request_alone() -> None:
    async def script(request: eh.Generate) -> eh.Response:
        if request.prompt == "1":
            raise KeyError("choices \ud800")
        if request.prompt == "2":
            raise asyncio.CancelledError
        if request.prompt == "3":
            raise TimeoutError("the pool has no connection")
        return await echo(request)

    found = answers(Scripted(script=script, retries=0), 100)
    assert error_of(found[1]) == eh.Failure("plugin", "model 'scripted' failed: KeyError: 'choices \\ud800'")
    assert error_of(found[2]).kind == "plugin"
    assert error_of(found[3]) == eh.Failure("timeout", "the pool has no connection")
    assert [response.text for response in found[4:]] == [str(number) for number in range(4, 100)]


def test_what_is_no_response_is_handed_on_to_be_refused_by_the_engine() -> None:
    assert answers(Scripted(script=at_once(None)), 3) == [None] * 3  # type: ignore[arg-type]


def test_an_error_that_ends_the_run_comes_after_the_answers_that_arrived() -> None:
    async def script(request: eh.Generate) -> eh.Response:
        if request.prompt == "20":
            await asyncio.sleep(0.1)
            raise eh.ServiceError("the key was refused")
        return await (echo if int(str(request.prompt)) < 20 else never)(request)

    texts = list[str | None]()
    with pytest.raises(eh.ServiceError, match="the key was refused"):
        texts.extend(response.text for _, response in Scripted(script=script).answer(iter(requests(1000))))
    assert sorted(map(str, texts)) == sorted(map(str, range(20)))


def test_an_error_before_anything_is_asked_ends_the_run() -> None:
    class Unreachable(Scripted):
        """A service that cannot be connected to."""

        @asynccontextmanager
        async def connected(self) -> AsyncIterator[None]:
            raise eh.ServiceError("no such host")
            yield

    with pytest.raises(eh.ServiceError, match="no such host"):
        list(Unreachable(script=echo).answer(requests(3)))


def test_what_is_connected_is_shared_by_all_requests_and_closed_at_the_end() -> None:
    pool = list[str]()

    class Pooled(Scripted):
        """A service with a pool."""

        @asynccontextmanager
        async def connected(self) -> AsyncIterator[None]:
            POOL.set(pool)
            try:
                yield
            finally:
                await asyncio.sleep(0)
                pool.append("closed")

    async def script(request: eh.Generate) -> eh.Response:
        POOL.get().append(str(request.prompt))
        POOL.set([])  # is not seen by other requests
        return await echo(request)

    answers(Pooled(script=script), 100)
    assert pool[-1] == "closed"
    assert sorted(map(int, pool[:-1])) == list(range(100))
    stream = Pooled(script=script).answer(iter(requests(100)))
    next(stream)
    stream.close()
    assert pool[-1] == "closed"


def test_closing_early_cancels_what_is_open_at_once() -> None:
    ended = list[str]()

    async def script(request: eh.Generate) -> eh.Response:
        if request.prompt == "0":
            return eh.Response(text="a")
        try:
            return await never(request)
        finally:
            ended.append(str(request.prompt))

    stream = Scripted(script=script, concurrency=3).answer(iter(requests(100)))
    next(stream)
    started = time.monotonic()
    stream.close()
    assert time.monotonic() - started < 2
    assert sorted(ended) in (["1", "2"], ["1", "2", "3"])


def test_an_interrupt_comes_after_the_answers_that_arrived() -> None:
    main = threading.main_thread().ident
    assert main is not None

    async def script(request: eh.Generate) -> eh.Response:
        if request.prompt == "50":
            await asyncio.sleep(0.1)
            signal.pthread_kill(main, signal.SIGINT)
        return await (echo if int(str(request.prompt)) < 50 else never)(request)

    texts = list[str | None]()
    with pytest.raises(KeyboardInterrupt):
        texts.extend(response.text for _, response in Scripted(script=script).answer(iter(requests(1000))))
    assert sorted(map(str, texts)) == sorted(map(str, range(50)))


def test_an_error_of_the_requests_comes_after_the_answers_that_arrived() -> None:
    def failing() -> Iterator[eh.Generate]:
        yield from requests(20)
        time.sleep(0.05)
        raise eh.DataError("the data ends here")

    texts = list[str | None]()
    with pytest.raises(eh.DataError, match="the data ends here"):
        texts.extend(response.text for _, response in Scripted(script=echo).answer(failing()))
    assert len(texts) == 20


def test_an_exit_in_a_request_ends_the_run() -> None:
    async def script(request: eh.Generate) -> eh.Response:
        raise SystemExit(7)

    with pytest.raises(SystemExit):
        list(Scripted(script=script).answer(requests(3)))


def test_it_can_be_asked_inside_of_a_running_event_loop() -> None:
    """As in a notebook; in a thread of its own, since whatever ran tests before may have left a loop in this one."""

    async def main() -> int:
        return len(list(Scripted(script=echo).answer(requests(10))))

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: asyncio.run(main())).result() == 10


def test_services_can_be_asked_side_by_side() -> None:
    one, two = (Scripted(script=echo).answer(iter(requests(50))) for _ in range(2))
    assert [(a.text is not None, b.text is not None) for (_, a), (_, b) in zip(one, two, strict=True)] == [(True, True)] * 50


def test_nothing_is_sent_while_the_service_takes_no_more() -> None:
    times = list[float]()

    class Holding(Scripted):
        """A service whose answers say that no more requests are allowed for a while."""

        async def ask_one(self, request: eh.Request) -> eh.Response:
            times.append(time.monotonic())
            self.hold({1: 0.2, 3: 60.0}.get(len(times), 0.0))
            return eh.Response(text="a")

    started = time.monotonic()
    assert len(answers(Holding(script=echo, concurrency=1), 3)) == 3
    assert times[1] - times[0] >= 0.2
    assert time.monotonic() - started < 5, "there is nothing to wait for after the last answer"
    Holding(script=echo).hold(5.0)  # outside of `answer` nothing is held


def test_a_service_that_is_silent_for_too_long_fails_what_is_left_and_says_so() -> None:
    class Dying(Scripted):
        """A service that answers the first ten requests."""

        @property
        def where(self) -> str:
            return "http://127.0.0.1:8000/v1"

        async def ask_one(self, request: eh.Request) -> eh.Response:
            if int(str(request.prompt)) >= 10:  # type: ignore[attr-defined]
                raise refused()
            return await super().ask_one(request)

    found = answers(Dying(script=echo, patience=0.3), 1000)
    assert [response.text for response in found[:10]] == [str(number) for number in range(10)]
    (failure,) = {error_of(response) for response in found[10:]}
    assert failure.kind == "connection"
    assert re.fullmatch(
        r"http://127.0.0.1:8000/v1 has answered nothing for \d s \(last: connection refused\); 990 requests have no answer. "
        "See that it runs, then run the same command again",
        failure.message,
    )
    assert max(response.retries for response in found[10:]) > 0


def test_a_wait_that_is_too_long_fails_what_is_left_and_says_so() -> None:
    busy = eh.Unanswered(eh.Failure("server", "429 quota"), again=True, after=3600, busy=True)
    (response,) = answers(Scripted(script=at_once(busy)), 1)
    assert error_of(response) == eh.Failure(
        "server",
        "model 'scripted' takes no requests for 3,600 s (429 quota), longer than `patience: 120` allows; 1 request has no "
        "answer. Run the same command again by then, or with a higher `patience`",
    )


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [("concurrency", 0, "above 0"), ("timeout", 0.0, "above 0"), ("patience", -1.0, "above 0"), ("retries", -1, "at least 0")],
)
def test_options_that_make_no_sense_are_refused(option: str, value: float, allowed: str) -> None:
    with pytest.raises(ValueError, match=f"option '{option}' must be {allowed}, not {value}"):
        Scripted(script=echo, **{option: value})  # type: ignore[arg-type]


def test_memory_does_not_grow_with_the_number_of_requests() -> None:
    def kept(count: int) -> int:
        stream = Scripted(script=at_once(eh.Response(text="a"))).answer(eh.Generate(prompt=str(n)) for n in range(count))
        for _ in range(500):
            next(stream)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(count - 600):
            next(stream)
        after, _ = tracemalloc.get_traced_memory()
        stream.close()
        return after - before

    tracemalloc.start()
    try:
        assert kept(4000) < 100_000
    finally:
        tracemalloc.stop()


def test_importing_the_contract_imports_no_event_loop() -> None:
    code = "import sys, evalharness as eh; eh.Service, eh.Unanswered; print('asyncio' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
