"""Asks a program many questions: some open at once, each within its time, whatever the program does."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import evalharness as eh
from evalharness_pipelines import lines
from evalharness_pipelines.child import Child

RESTARTS = 3  # in a row, without a single answer between them
Pair = tuple[eh.Request, eh.Response]


@dataclass(frozen=True)
class Open:
    """A question that was sent, and when."""

    request: eh.Answer
    sent: float


@dataclass
class Dialogue:
    """Questions to a program and its replies. `start` starts the program, at the first question and after it has ended.

    Where it ends with one question open, that question is its failure. Where more were open, each of them is asked again
    alone, so that the one that the program cannot bear is found and the others are answered.
    """

    start: Callable[[], Child]
    requests: Iterator[eh.Answer]
    concurrency: int
    timeout: float
    stray: list[str] = field(default_factory=list)
    _child: Child | None = None
    _open: dict[int, Open] = field(default_factory=dict)
    _alone: deque[eh.Answer] = field(default_factory=deque)
    _testing: bool = False
    _given_up: set[int] = field(default_factory=set)
    _asked: int = 0
    _heard: float = 0.0
    _ends: int = 0

    def replies(self) -> Generator[Pair, None, None]:
        """Yield each question with its response, as they come."""
        try:
            while self._send():
                yield from self._next()
        finally:
            if self._child is not None:  # who stops in the middle of questions waits for no replies
                _ = self._child.kill() if self._open else self._child.end()

    def _send(self) -> bool:
        """Send what may be sent; return whether anything is open."""
        if self._testing and self._open:
            return True
        self._testing = bool(self._alone)
        if self._testing:
            self._ask(self._alone.popleft())
        while not self._testing and len(self._open) < self.concurrency and (request := next(self.requests, None)) is not None:
            self._ask(request)
        return bool(self._open)

    def _ask(self, request: eh.Answer) -> None:
        if self._child is None:
            self._child = self.start()
        self._asked += 1
        self._open[self._asked] = Open(request, time.monotonic())
        self._child.send(lines.asked(self._asked, request))

    def _next(self) -> Iterator[Pair]:
        """Yield what comes of the next line, of the program's end, or of time running out."""
        assert self._child is not None
        number, oldest = next(iter(self._open.items()))
        left = oldest.sent + self.timeout - time.monotonic()
        try:
            line = self._child.lines.get(timeout=max(0.0, left))
        except queue.Empty:
            yield from self._late(number, self._child)
            return
        if line is None:
            yield from self._ended(self._child.end(), self._child)
        elif line.strip():
            yield from self._heard_line(line)

    def _heard_line(self, line: bytes) -> Iterator[Pair]:
        reply = lines.read(line)
        number = reply.number
        if number is None and line.lstrip()[:1] == b"{" and len(self._open) == 1:  # whose else should it be
            number = next(iter(self._open))
        question = None if number is None else self._open.pop(number, None)
        if question is not None:
            self._heard, self._ends = time.monotonic(), 0
            yield question.request, reply.response(self._heard - question.sent)
        elif number not in self._given_up:  # with the id of no question, or of one that was answered
            self.stray.append(lines.shown(line))

    def _late(self, number: int, child: Child) -> Iterator[Pair]:
        """Give up a question; a program that has said nothing since it was asked is stuck and started anew."""
        question = self._open.pop(number)
        self._given_up.add(number)
        message = f"no reply within {self.timeout:g} s{self._words(child)}"
        if self._heard < question.sent:
            child.kill()
            self._child = None
            yield from self._again(message)
        yield question.request, lines.failed("timeout", message)

    def _ended(self, how: str, child: Child) -> Iterator[Pair]:
        """Make the program's end the failure of the one question that was open, or ask those that were each alone."""
        self._child = None
        message = f"the program ended ({how}){self._words(child)}"
        if len(self._open) == 1:
            (question,) = self._open.values()
            self._open.clear()
            yield question.request, lines.failed("server", message)
        yield from self._again(message)

    def _again(self, message: str) -> Iterator[Pair]:
        """Ask what was open again, each question alone; after too many ends in a row, nothing is asked any more."""
        self._alone.extendleft(reversed([question.request for question in self._open.values()]))
        self._open.clear()
        self._ends += 1
        if self._ends > RESTARTS:
            reason = f"not asked, since the program ended {self._ends} times in a row without an answer: {message}"
            yield from ((request, lines.failed("server", reason)) for request in [*self._alone, *self.requests])
            self._alone.clear()

    def _words(self, child: Child) -> str:
        """Return the last words of the program, and a line that is no reply, where there are any."""
        said = " | ".join(child.last_words)
        wrote = f". It wrote what is no reply: {self.stray[-1]}" if self.stray else ""
        return (f". It said: {said}" if said else "") + wrote
