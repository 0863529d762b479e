"""What is sent next and when: requests that are new, that failed and are due again, pauses, and the end of patience."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

from evalharness.contract.asking.backoff import FIRST_SECONDS, MOST_SECONDS, backoff
from evalharness.contract.asking.breaker import SILENT_REQUESTS, Breaker
from evalharness.contract.asking.pacing import Pace
from evalharness.contract.sample import Failure, Request
from evalharness.contract.services import Unanswered

PROBE_SECONDS = 5.0
SECONDS_TO_BE_THERE = 15.0  # patience with a service that has never been there: a wrong address looks like that
OF_A_SILENT_SERVICE = ("connection", "timeout", "server")
NEVER = float("inf")


class GivenUp(Exception):
    """The service is not asked any more: what it did, as the rest of a sentence, and what to do about it."""

    def __init__(self, kind: str, did: str, todo: str) -> None:
        super().__init__(did)
        self.kind, self.did, self.todo = kind, did, todo


@dataclass(order=True)
class Open:
    """A request without an answer so far; `faults` are those of its failed attempts that count against it.

    `epoch` and `started` are those of the attempt that is under way, `answers` how many the service had given before.
    """

    due: float
    number: int
    request: Request = field(compare=False)
    attempts: int = field(default=0, compare=False)
    faults: int = field(default=0, compare=False)
    answers: int = field(default=0, compare=False)
    started: float = field(default=0.0, compare=False)
    epoch: int = field(default=0, compare=False)

    @property
    def retries(self) -> int:
        """How often it was asked again."""
        return max(0, self.attempts - 1)


class Schedule:
    """Decides for one service what is sent and when. Times are seconds of any one clock.

    A failed attempt counts against its request only where it may be the request's own fault: not while nobody is there to
    answer anything, nor where the service refuses it for load and answers others. So a service that dies and comes back, or
    that takes fewer requests than it is sent, loses none.

    `silence` is for how many seconds nothing was heard, `patience` how long that may be at present.
    """

    def __init__(self, concurrency: int, retries: int, patience: float) -> None:
        self._most, self._retries, self._patience = concurrency, retries, patience
        self._was_there, self.silence = False, 0.0
        self._pace, self._breaker = Pace(concurrency), Breaker()
        self._open: dict[int, Open] = {}
        self._new: deque[Open] = deque()
        self._failed: list[Open] = []
        self._running = self._given = self._answers = self._probes = 0
        self._probe: Open | None = None
        self._probe_at = self._held_until = -NEVER
        self._answered_at = NEVER  # when anything was answered, or else when it was first asked

    def add(self, request: Request) -> None:
        """Take one more request."""
        self._given += 1
        asked = self._open[self._given] = Open(0.0, self._given, request)
        self._new.append(asked)

    def __len__(self) -> int:
        """How many requests have no answer."""
        return len(self._open)

    @property
    def patience(self) -> float:
        """For how long the service may be silent: not for long as long as nothing was there to be connected with."""
        return self._patience if self._was_there else min(self._patience, SECONDS_TO_BE_THERE)

    def left(self) -> list[Open]:
        """Return the requests that have no answer."""
        return list(self._open.values())

    def wanted(self, now: float) -> int:
        """Return how many more requests are wanted, to be sent at once.

        What waits to be asked again takes no place of those that may be open; so that it cannot become ever more, there is a
        limit for all together, which lets enough different requests be tried to tell a silent service from some bad requests.
        """
        if self._new:
            return 0
        if now < self._opens_at():
            return int(not self._open)  # to learn whether there is anything to wait for
        if self._breaker.silent:
            return int(not self._failed and self._probe is None)
        return max(0, min(self._pace.limit - self._running, 2 * self._most + SILENT_REQUESTS - len(self._open)))

    def next(self, now: float) -> Open | None:
        """Return the request to send now, None where there is nothing to send; what failed comes before what is new."""
        if now < self._opens_at() or (self._probe is not None if self._breaker.silent else self._running >= self._pace.limit):
            return None
        if self._failed and (self._failed[0].due <= now or self._breaker.silent):
            asked = heapq.heappop(self._failed)
        elif self._new:
            asked = self._new.popleft()
        else:
            return None
        self._probe = asked if self._breaker.silent else None
        return self._sent(asked, now)

    def _sent(self, asked: Open, now: float) -> Open:
        self._running += 1
        self._answered_at = min(self._answered_at, now)
        asked.attempts += 1
        asked.started, asked.epoch = now, self._pace.sent()
        if asked.attempts == 1:
            asked.answers = self._answers
        return asked

    def wakes_at(self, now: float) -> float:
        """Return when something may be sent that may not be sent now, by time alone."""
        opens = self._opens_at()
        if now < opens:
            return opens
        due = self._failed[0].due if self._failed else NEVER
        return due if due > now else NEVER

    def _opens_at(self) -> float:
        return max(self._held_until, self._probe_at) if self._breaker.silent else self._held_until

    def answered(self, asked: Open, now: float) -> None:
        """Note that a request has its answer."""
        self._returned(asked, answered=True)
        self._answers, self._answered_at = self._answers + 1, now
        self._heard(now)
        del self._open[asked.number]

    def dropped(self, asked: Open) -> None:
        """Note that a request gets no answer, for reasons that tell nothing of the service."""
        self._returned(asked)
        del self._open[asked.number]

    def failed(self, asked: Open, fault: Unanswered, now: float) -> bool:
        """Note that an attempt failed; returns whether the request is asked again. Raises GivenUp at the end of patience."""
        probed = asked is self._probe
        self._returned(asked, refused=fault.busy or fault.failure.kind == "timeout")
        asked.faults += self._counts(asked, fault, now)
        asked.answers = self._answers
        self._was_there = self._was_there or fault.failure.kind != "connection"
        self.silence = self._note(asked, fault, now, probed=probed)
        if not fault.again or asked.faults > self._retries:
            del self._open[asked.number]
            return False
        most = MOST_SECONDS if self._was_there else PROBE_SECONDS
        asked.due = now if _asks_to_wait(fault) else now + backoff(asked.request, asked.attempts, most)
        heapq.heappush(self._failed, asked)
        if self.silence >= self.patience:
            did = "has answered nothing for" if self._was_there else "could not be reached in"
            last = f"{self.silence:,.0f} s (last: {fault.failure.message})"
            raise GivenUp("connection", f"{did} {last}", "See that it runs, then run the same command again")
        return True

    def _returned(self, asked: Open, *, answered: bool = False, refused: bool = False) -> None:
        self._running -= 1
        self._probe = None if self._probe is asked else self._probe
        self._pace.ended(asked.epoch, answered=answered, refused=refused)

    def _counts(self, asked: Open, fault: Unanswered, now: float) -> bool:
        """Return whether a failed attempt counts against its request.

        One that the service asks to make again later does not, unless it answers nothing at all for as long as the patience.
        """
        if _asks_to_wait(fault):
            return now - self._answered_at >= self._patience
        if self._breaker.silent and fault.after is None:
            return False
        others_answered = self._answers > asked.answers
        if fault.after is not None or (fault.busy and fault.failure.kind != "timeout"):
            return not others_answered
        return others_answered or fault.failure.kind != "connection"

    def _note(self, asked: Open, fault: Unanswered, now: float, *, probed: bool) -> float:
        """Draw from a failed attempt what it tells of the service; return for how long it has been silent."""
        if fault.after is not None:
            self.hold(now, fault.after, fault.failure)
            self._heard(max(now, self._held_until))
            return 0.0
        if not fault.again or fault.failure.kind not in OF_A_SILENT_SERVICE:
            self._heard(now)
            return 0.0
        if fault.busy and self._running:
            return 0.0  # it may be busy with the others
        silence = self._breaker.failed(asked.number, asked.started, now, self._pace.limit)
        if self._breaker.silent and (probed or not self._probes):
            self._probes += 1
            self._probe_at = now + backoff(asked.request, self._probes, most=PROBE_SECONDS)
        return silence

    def _heard(self, now: float) -> None:
        """Note that the service is there; if it was silent, begin anew with all that failed because of it."""
        self._was_there, self.silence = True, 0.0
        if self._breaker.silent:
            self._probe, self._probes = None, 0
            self._pace.restart()
            for asked in self._failed:
                asked.due = 0.0
            heapq.heapify(self._failed)
        self._breaker.heard(now)

    def hold(self, now: float, seconds: float, why: Failure | None = None) -> None:
        """Send nothing for so long. Raises GivenUp where that is longer than the patience."""
        if seconds > self._patience:
            said = f" ({why.message})" if why is not None else ""
            did = f"takes no requests for {seconds:,.0f} s{said}, longer than `patience: {self._patience:g}` allows"
            raise GivenUp("server", did, "Run the same command again by then, or with a higher `patience`")
        if seconds > 0:
            self._held_until = max(self._held_until, now + seconds)


def _asks_to_wait(fault: Unanswered) -> bool:
    """Return whether a service names a time to wait that is worth the name: less is what would be waited anyway."""
    return fault.after is not None and fault.after >= FIRST_SECONDS
