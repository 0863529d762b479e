"""A service in virtual time: what a schedule sends is answered or refused by a function, and the clock jumps."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from evalharness import Failure, Generate, Unanswered
from evalharness.contract.asking.schedule import GivenUp, Open, Schedule

BUSY = Unanswered(Failure("server", "429 Too Many Requests"), again=True, busy=True)
BROKEN = Unanswered(Failure("server", "500 Internal Server Error"), again=True)
REFUSED = Unanswered(Failure("connection", "connection refused"), again=True)
WRONG = Unanswered(Failure("rejected", "400 Bad Request"))
SLOW = Unanswered(Failure("timeout", "no answer within 120 s"), again=True)

Outcome = tuple[float, Unanswered | None]
Server = Callable[[int, float, int], Outcome]


@dataclass
class Run:
    """What came of asking: when each request was answered and what failed, all attempts, and why it was given up."""

    answered: dict[int, float] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    sent: list[tuple[float, int]] = field(default_factory=list)
    refused: int = 0
    most_open: int = 0
    seconds: float = 0.0
    given_up: GivenUp | None = None


class Virtual:
    """Drives a schedule over `count` requests; `server` gives (seconds, fault) for a request's number, now and what is open.

    What is open there is what will be answered: a refused request takes no place in the service.
    """

    def __init__(self, server: Server, count: int, *, concurrency: int = 64, retries: int = 8, patience: float = 120.0) -> None:
        self.schedule, self._server, self._count = Schedule(concurrency, retries, patience), server, count
        self._under_way: list[tuple[float, int, Open, Unanswered | None]] = []
        self._taken = self._inside = 0
        self.now, self.run = 0.0, Run()

    def until_done(self, seconds: float = float("inf")) -> Run:
        """Ask until all is answered, it is given up, or so much time is over."""
        try:
            while self.now < seconds and (self._taken < self._count or len(self.schedule)):
                self._send()
                self._step()
        except GivenUp as error:
            self.run.given_up = error
        self.run.seconds = self.now
        return self.run

    def _send(self) -> None:
        while True:
            for _ in range(min(self.schedule.wanted(self.now), self._count - self._taken)):
                self.schedule.add(Generate(prompt=str(self._taken)))
                self._taken += 1
            asked = self.schedule.next(self.now)
            if asked is None:
                return
            number = int(str(asked.request.prompt))  # type: ignore[attr-defined]
            seconds, fault = self._server(number, self.now, self._inside)
            self._inside += fault is None
            self.run.sent.append((self.now, number))
            heapq.heappush(self._under_way, (self.now + seconds, len(self.run.sent), asked, fault))
            self.run.most_open = max(self.run.most_open, len(self._under_way))

    def _step(self) -> None:
        """Go on to whatever comes next: something comes back, or something is due."""
        due = self.schedule.wakes_at(self.now)
        if not self._under_way or due < self._under_way[0][0]:
            assert self.now < due < float("inf"), "nothing is under way and nothing is due: it would hang"
            self.now = due
            return
        self.now, _, asked, fault = heapq.heappop(self._under_way)
        number = int(str(asked.request.prompt))  # type: ignore[attr-defined]
        assert number not in self.run.answered
        assert number not in self.run.failures
        if fault is None:
            self._inside -= 1
            self.schedule.answered(asked, self.now)
            self.run.answered[number] = self.now
        else:
            self.run.refused += fault.busy
            if not self.schedule.failed(asked, fault, self.now):
                self.run.failures[number] = fault.failure.kind
