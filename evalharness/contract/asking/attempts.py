"""Sends requests to one service from an event loop; all of it runs in the thread of that loop.

It delivers `WANTED` when one more request may be open, and each answer; `run` returns when all is answered.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from evalharness.contract.asking.backoff import backoff
from evalharness.contract.asking.breaker import Breaker
from evalharness.contract.asking.pacing import Pace
from evalharness.contract.sample import Failure, Request, Response
from evalharness.contract.services import ATTEMPTS, Unanswered
from evalharness.errors import EvalharnessError

if TYPE_CHECKING:
    from evalharness.contract.services import Service

PROBE_SECONDS = 5.0
SILENT_KINDS = ("connection", "timeout", "server")


class Wanted:
    """One more request may be open."""


WANTED: Final = Wanted()


class Gone(Exception):
    """The service is given up; `failure` is what its requests get, whose message says what it did."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(order=True)
class Open:
    """A request without an answer so far. Of the attempts, `faults` failed through no fault of the service as a whole."""

    due: float
    number: int
    request: Request = field(compare=False)
    attempts: int = field(default=0, compare=False)
    faults: int = field(default=0, compare=False)
    answers_seen: int = field(default=0, compare=False)

    @property
    def retries(self) -> int:
        return max(0, self.attempts - 1)


class Attempts:
    """Keeps as many requests open as the service takes, and asks again for what failed."""

    def __init__(self, service: Service, deliver: Callable[[Wanted | tuple[Request, Response]], None]) -> None:
        self._service, self._deliver = service, deliver
        self._pace, self._breaker = Pace(service.concurrency), Breaker(service.patience)
        self._open: dict[int, Open] = {}
        self._ready: deque[Open] = deque()
        self._waiting: list[Open] = []
        self._running: set[asyncio.Task[None]] = set()
        self._probe: Open | None = None
        self._probes = self._wanted = self._given = 0
        self._exhausted = False
        self._held_until = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Ask until everything is answered; raises Gone where the service is given up, and what ends the asking."""
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        ATTEMPTS.set(self)
        async with self._service.connected():
            self._context: Context = copy_context()
            self._send()
            try:
                await self._done
            finally:
                await self._cancel()

    async def _cancel(self) -> None:
        self._done.cancel()
        self._rest()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop(self, error: BaseException) -> None:
        if not self._done.done():
            self._done.set_exception(error)

    def add(self, request: Request) -> None:
        """Take a request that was wanted."""
        self._wanted -= 1
        self._given += 1
        self._open[self._given] = asked = Open(0.0, self._given, request)
        self._ready.append(asked)
        self._send()

    def exhausted(self) -> None:
        """Note that there are no more requests."""
        self._exhausted = True
        self._send()

    def left(self) -> list[tuple[Request, int]]:
        """Return what has no answer, with how often it was asked again."""
        return [(asked.request, asked.retries) for asked in self._open.values()]

    def hold(self, seconds: float, why: str = "it allows no more requests until then") -> None:
        """Send nothing for so long; a service that asks for more than the patience with it is given up."""
        if seconds > self._service.patience:
            wait = f"asks to wait for {seconds:,.0f} s ({why}), longer than `patience: {self._service.patience:g}` allows"
            self._stop(Gone(Failure("server", wait)))
        self._held_until = max(self._held_until, self._loop.time() + seconds)

    def _send(self) -> None:
        """Send what may be sent now, ask for more where more may be open, and come back when something is due."""
        if self._done.done():
            return
        now = self._loop.time()
        if now >= self._held_until:
            while (asked := self._next(now)) is not None:
                self._start(asked)
            self._want()
        self._rest()
        due = max(self._held_until, self._waiting[0].due if self._waiting else now)
        if due > now:
            self._timer = self._loop.call_at(due, self._send)
        if self._exhausted and not self._open:
            self._done.set_result(None)

    def _next(self, now: float) -> Open | None:
        """Return the request to send next, if one may be sent: what failed before comes first."""
        due = bool(self._waiting) and self._waiting[0].due <= now
        if self._breaker.silent:
            if self._probe is None and due:
                self._probe = heapq.heappop(self._waiting)
                return self._probe
            return None
        if len(self._running) >= self._pace.limit:
            return None
        if due:
            return heapq.heappop(self._waiting)
        return self._ready.popleft() if self._ready else None

    def _want(self) -> None:
        if self._exhausted or self._breaker.silent or self._ready:
            return
        room = min(self._pace.limit - len(self._running), 2 * self._service.concurrency - len(self._open))
        while self._wanted < room:
            self._wanted += 1
            self._deliver(WANTED)

    def _start(self, asked: Open) -> None:
        asked.attempts += 1
        asked.answers_seen = self._breaker.answers
        task = self._loop.create_task(self._attempt(asked), context=self._context.copy())
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._stop(error)
        self._send()

    async def _attempt(self, asked: Open) -> None:
        started, epoch = self._loop.time(), self._pace.sent()
        answered = refused = False
        try:
            async with asyncio.timeout(self._service.timeout):
                response = await self._service.ask_one(asked.request)
            answered = True
            self._answered(asked, response, started)
        except Unanswered as fault:
            refused = fault.busy
            self._failed(asked, fault, started)
        except TimeoutError as error:
            refused = True
            failure = Failure("timeout", str(error) or f"no answer within {self._service.timeout:g} s")
            self._failed(asked, Unanswered(failure, again=True, busy=True), started)
        except EvalharnessError:
            raise
        except Exception as error:  # a fault of one request is no fault of the others
            told = f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace").decode()
            self._give(asked, Response(error=Failure("plugin", f"model '{self._service.name}' failed: {told}")))
        finally:
            self._probe = None if self._probe is asked else self._probe
            self._pace.ended(epoch, answered=answered, refused=refused)

    def _answered(self, asked: Open, response: Response, started: float) -> None:
        now = self._loop.time()
        if self._breaker.silent:
            self._come_back(now)
        self._breaker.answered(now)
        if isinstance(response, Response) and response.latency is None:
            response = replace(response, latency=now - started)
        self._give(asked, response)

    def _give(self, asked: Open, response: Response) -> None:
        del self._open[asked.number]
        if isinstance(response, Response) and asked.retries:
            response = replace(response, retries=response.retries + asked.retries)
        self._deliver((asked.request, response))

    def _come_back(self, now: float) -> None:
        """Ask everything again that failed while the service was silent."""
        self._probes = 0
        self._pace.restart()
        for asked in self._waiting:
            asked.due = now
        heapq.heapify(self._waiting)

    def _failed(self, asked: Open, fault: Unanswered, started: float) -> None:
        now = self._loop.time()
        asked.faults += self._is_own(asked, fault)
        self._note(asked, fault, started, now)
        if not fault.again or asked.faults > self._service.retries:
            self._give(asked, Response(error=fault.failure))
            return
        asked.due = now + self._wait(asked, fault)
        heapq.heappush(self._waiting, asked)
        if self._breaker.gone:
            silence = f"has answered nothing for {self._breaker.silence(now):,.0f} s (last: {fault.failure.message})"
            self._stop(Gone(Failure("connection", silence)))

    def _is_own(self, asked: Open, fault: Unanswered) -> bool:
        """Return whether a failure counts against the request: not where the service as a whole is busy or silent."""
        others_answered = self._breaker.answers > asked.answers_seen
        if fault.busy:
            return not others_answered and (fault.after is not None or not self._breaker.silent)
        if fault.failure.kind == "connection":
            return others_answered
        return not self._breaker.silent

    def _note(self, asked: Open, fault: Unanswered, started: float, now: float) -> None:
        if fault.after is not None:
            self._breaker.heard(now + fault.after)
            self.hold(fault.after, fault.failure.message)
        elif fault.failure.kind in SILENT_KINDS:
            self._breaker.failed(asked.number, started, now)
        else:
            self._breaker.heard(now)

    def _wait(self, asked: Open, fault: Unanswered) -> float:
        if fault.after is not None:
            return fault.after
        if not self._breaker.silent:
            return backoff(asked.request, asked.attempts)
        self._probes += asked is self._probe
        return backoff(asked.request, max(1, self._probes), most=PROBE_SECONDS)
