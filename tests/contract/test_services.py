"""Models behind a network: what the base does with answers, refusals, failures and silence."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

import evalharness as eh

Script = Callable[[eh.Request], Awaitable[eh.Response]]


class Scripted(eh.Service):
    """A service that does what a function says."""

    name = "scripted"
    supports = (eh.Generate,)
    script: Script

    def identity(self) -> str:
        return "scripted"

    async def ask_one(self, request: eh.Request) -> eh.Response:
        return await self.script(request)


async def echo(request: eh.Request) -> eh.Response:
    assert isinstance(request, eh.Generate)
    await asyncio.sleep(0.001)
    return eh.Response(text=str(request.prompt))


def requests(count: int) -> list[eh.Generate]:
    return [eh.Generate(prompt=str(number)) for number in range(count)]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def test_every_request_is_answered_once() -> None:
    asked = requests(300)
    answers = list(Scripted(script=echo).answer(asked))
    assert sorted(id(request) for request, _ in answers) == sorted(map(id, asked))
    assert all(request.prompt == response.text for request, response in answers)  # type: ignore[attr-defined]
    assert all(response.latency is not None and response.latency > 0 for _, response in answers)
