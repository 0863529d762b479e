"""Calls a function many times, some calls at once, and waits for what is asynchronous in one event loop."""

from __future__ import annotations

import atexit
import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
_ONE_AT_A_TIME = threading.Lock()


def call_all(call: Callable[[T], R], given: Iterable[T], concurrency: int) -> Iterator[R]:
    """Yield what each call returns, as it comes; one at a time in this thread, more in threads of their own.

    >>> list(call_all(len, ["a", "bb"], 1))
    [1, 2]
    """
    if concurrency == 1:
        yield from map(call, given)
        return
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="evalharness-call")
    try:
        yield from _in_threads(pool, call, given, concurrency)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _in_threads(pool: ThreadPoolExecutor, call: Callable[[T], R], given: Iterable[T], concurrency: int) -> Iterator[R]:
    running: set[Future[R]] = set()
    for item in given:
        running.add(pool.submit(call, item))
        if len(running) >= concurrency:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)


def settled(value: Any) -> Any:
    """Return a value; of a coroutine or another awaitable, what it comes to."""
    if not inspect.isawaitable(value):
        return value
    import asyncio

    async def awaited() -> Any:
        return await value

    with _ONE_AT_A_TIME:
        loop = _loop()
    future = asyncio.run_coroutine_threadsafe(awaited(), loop)
    try:
        return future.result()
    finally:
        future.cancel()


@functools.cache
def _loop() -> Any:
    """Return the event loop of all functions, which lives as long as the process: what they keep open belongs to one loop."""
    import asyncio

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="evalharness-loop", daemon=True)
    thread.start()

    def close() -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=1)
        if not loop.is_running():
            loop.close()

    atexit.register(close)
    return loop
