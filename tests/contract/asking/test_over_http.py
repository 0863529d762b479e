"""A service over real sockets: a server that fails, that takes so many and no more, that dies and comes back."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import evalharness as eh

SESSION: ContextVar[Any] = ContextVar("session")
Status = Callable[[int], int]


class Server:
    """Answers a number with itself after a while; `status` gives the HTTP status from how many are open, this one included."""

    def __init__(self, status: Status, seconds: float = 0.02) -> None:
        self.status, self.seconds = status, seconds
        self.answered: Counter[str] = Counter()
        self.failed: Counter[int] = Counter()
        self.open = self.port = 0

    async def _answer(self, request: web.Request) -> web.Response:
        number = await request.text()
        self.open += 1
        try:
            status = self.status(self.open)
            if status != 429:
                await asyncio.sleep(self.seconds)
        finally:
            self.open -= 1
        if status == 200:
            self.answered[number] += 1
        else:
            self.failed[status] += 1
        return web.Response(status=status, text=number)

    async def _serve(self) -> None:
        app = web.Application()
        app.add_routes([web.post("/", self._answer)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = runner.addresses[0][1]
        self._stop = asyncio.Event()
        self._started.set()
        await self._stop.wait()
        await runner.cleanup()

    def start(self) -> None:
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._started.wait(5)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


class Numbers(eh.Service):
    """The client of that server."""

    name = "numbers"
    supports = (eh.Generate,)
    port: int

    def identity(self) -> str:
        return "numbers"

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{self.port}") as session:
            SESSION.set(session)
            yield

    async def ask_one(self, request: eh.Request) -> eh.Response:
        try:
            async with SESSION.get().post("/", data=str(request.prompt)) as answer:  # type: ignore[attr-defined]
                text = await answer.text()
        except (aiohttp.ClientError, OSError) as error:
            raise eh.Unanswered(eh.Failure("connection", str(error)), again=True) from None
        if answer.status != 200:
            raise eh.Unanswered(eh.Failure("server", f"HTTP {answer.status}"), again=True, busy=answer.status == 429)
        return eh.Response(text=text)


@pytest.fixture
def served() -> Iterator[Callable[..., Server]]:
    """Start servers, and stop them at the end."""
    servers = list[Server]()

    def start(status: Status, **options: Any) -> Server:
        servers.append(Server(status, **options))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def ask(server: Server, count: int, **options: Any) -> list[eh.Response]:
    """Ask so many numbers; each must come back once and rightly."""
    asked = [eh.Generate(prompt=str(number)) for number in range(count)]
    found = list(Numbers(port=server.port, **options).answer(iter(asked)))
    assert sorted(id(request) for request, _ in found) == sorted(map(id, asked))
    assert all(response.text == request.prompt for request, response in found)  # type: ignore[attr-defined]
    assert server.answered == Counter(str(number) for number in range(count))
    return [response for _, response in found]


def test_with_a_tenth_of_all_answers_faults_nothing_is_lost_or_asked_twice(served: Callable[..., Server]) -> None:
    draw = random.Random(3)
    server = served(lambda inside: draw.choice((429, 500)) if draw.random() < 0.1 else 200)
    responses = ask(server, 600)
    assert sum(response.retries for response in responses) == server.failed.total() > 30


def test_a_server_with_room_for_eight_is_kept_busy_and_spared(served: Callable[..., Server]) -> None:
    server = served(lambda inside: 429 if inside > 8 else 200, seconds=0.05)
    start = time.monotonic()
    ask(server, 400)
    ideal = 400 * 0.05 / 8
    assert time.monotonic() - start < 3 * ideal + 1
    assert server.failed[429] < 100


def test_a_server_that_dies_and_comes_back_loses_nothing(served: Callable[..., Server]) -> None:
    server = served(lambda inside: 200)

    def die_and_come_back() -> None:
        while server.answered.total() < 100:
            time.sleep(0.01)
        server.stop()
        time.sleep(0.5)
        server.start()

    thread = threading.Thread(target=die_and_come_back)
    thread.start()
    asked = [eh.Generate(prompt=str(number)) for number in range(500)]
    found = list(Numbers(port=server.port, concurrency=16).answer(iter(asked)))
    thread.join()
    assert sorted(int(str(response.text)) for _, response in found) == list(range(500))
    assert sum(response.retries for _, response in found) > 0


def test_where_nothing_listens_it_is_said_soon_and_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("evalharness.contract.asking.attempts.SECONDS_TILL_TOLD", 0.2)
    monkeypatch.setattr("evalharness.contract.asking.schedule.SECONDS_TO_BE_THERE", 0.6)
    errors = [response.error for _, response in Numbers(port=9).answer([eh.Generate(prompt=str(n)) for n in range(5)])]
    assert len(errors) == 5
    assert all(error is not None and "model 'numbers' could not be reached in" in error.message for error in errors)
    (told,) = caplog.messages
    assert told.startswith("model 'numbers' has answered nothing for 0 s (last: Cannot connect to host 127.0.0.1:9")
    assert told.endswith("it is asked again for up to 0.6 s")
