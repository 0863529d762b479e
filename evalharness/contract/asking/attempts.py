"""Sends requests to one service from an event loop; all of it runs in the thread of that loop.

It delivers `WANTED` when one more request may be open, which is then put into `incoming`, and each answer; `run` returns when
all is answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from evalharness.contract.asking.schedule import NEVER, GivenUp, Open, Schedule
from evalharness.contract.sample import Failure, Request, Response
from evalharness.contract.services import ATTEMPTS, Unanswered
from evalharness.errors import EvalharnessError

if TYPE_CHECKING:
    from evalharness.contract.services import Service


class Wanted:
    """One more request may be open."""


WANTED: Final = Wanted()
SECONDS_TILL_TOLD = 5.0


class Attempts:
    """Keeps as many requests open as the service takes: a task for each that is open, none for what waits."""

    def __init__(self, service: Service, deliver: Callable[[Wanted | tuple[Request, Response]], None]) -> None:
        self.incoming: SimpleQueue[Request] = SimpleQueue()
        self._service, self._deliver = service, deliver
        self._schedule = Schedule(service.concurrency, service.retries, service.patience)
        self._tasks: set[asyncio.Task[None]] = set()
        self._wanted = 0
        self._exhausted = self._told = False
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Ask until everything is answered; raises GivenUp, or what else ends the asking."""
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        ATTEMPTS.set(self)
        async with self._service.connected():
            self._context = copy_context()
            self._send()
            try:
                await self._done
            finally:
                await self._cancel()

    async def _cancel(self) -> None:
        if not self._done.cancel() and not self._done.cancelled():
            self._done.exception()  # it was seen
        self._rest()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _stop(self, error: BaseException) -> None:
        if not self._done.done():
            self._done.set_exception(error)

    def take(self) -> None:
        """Take from `incoming` one request that was wanted."""
        self._wanted -= 1
        self._schedule.add(self.incoming.get_nowait())
        self._send()

    def exhausted(self) -> None:
        """Note that there are no more requests."""
        self._exhausted = True
        self._send()

    def left(self) -> list[tuple[Request, int]]:
        """Return what has no answer when it has ended, with how often it was asked again."""
        not_taken = [self.incoming.get_nowait() for _ in range(self.incoming.qsize())]
        return [*((asked.request, asked.retries) for asked in self._schedule.left()), *((request, 0) for request in not_taken)]

    def hold(self, seconds: float) -> None:
        """Send nothing for so long."""
        try:
            self._schedule.hold(self._loop.time(), seconds)
        except GivenUp as error:
            self._stop(error)

    def _send(self) -> None:
        """Send what may be sent now, want more where more may be sent, and come back when something is due."""
        if self._done.done():
            return
        now = self._loop.time()
        while (asked := self._schedule.next(now)) is not None:
            task = self._loop.create_task(self._attempt(asked), context=self._context.copy())
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        for _ in range(0 if self._exhausted else self._schedule.wanted(now) - self._wanted):
            self._wanted += 1
            self._deliver(WANTED)
        self._rest()
        due = self._schedule.wakes_at(now)
        if due < NEVER:
            self._timer = self._loop.call_at(due, self._send)
        if self._exhausted and not len(self._schedule):
            self._done.set_result(None)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._stop(error)
        self._send()

    async def _attempt(self, asked: Open) -> None:
        """Send one request once; raises what ends more than this request."""
        try:
            async with asyncio.timeout(self._service.timeout):
                response = await self._service.ask_one(asked.request)
            self._answered(asked, response)
        except Unanswered as fault:
            self._failed(asked, fault)
        except TimeoutError as error:
            message = str(error) or f"no answer within {self._service.timeout:g} s. Raise `timeout`, or lower `concurrency`"
            self._failed(asked, Unanswered(Failure("timeout", message), again=True))
        except EvalharnessError:
            raise
        except (Exception, asyncio.CancelledError) as error:  # a fault of one request is no fault of the others
            if self._done.done():
                raise
            told = f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace").decode()
            self._schedule.dropped(asked)
            self._give(asked, Response(error=Failure("plugin", f"model '{self._service.name}' failed: {told}")))

    def _answered(self, asked: Open, response: Response) -> None:
        now = self._loop.time()
        self._schedule.answered(asked, now)
        self._told = False
        if isinstance(response, Response) and response.latency is None:
            response = replace(response, latency=now - asked.started)
        self._give(asked, response)

    def _failed(self, asked: Open, fault: Unanswered) -> None:
        if not self._schedule.failed(asked, fault, self._loop.time()):
            self._give(asked, Response(error=fault.failure))
        if self._schedule.silence >= SECONDS_TILL_TOLD and not self._told:
            self._told = True
            self._tell(fault.failure)

    def _tell(self, last: Failure) -> None:
        """Say once in a silence that nothing comes, since it may be long until that is an error."""
        schedule, where = self._schedule, self._service.where
        waited = f"{where} has answered nothing for {schedule.silence:.0f} s (last: {last.message})"
        logging.getLogger("evalharness").warning("%s; it is asked again for up to %g s", waited, schedule.patience)

    def _give(self, asked: Open, response: Response) -> None:
        if asked.retries and isinstance(response, Response):
            response = replace(response, retries=response.retries + asked.retries)
        self._deliver((asked.request, response))
