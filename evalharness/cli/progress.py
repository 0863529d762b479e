"""Progress on stderr: done, from the store, tokens saved, errors, rate and time left; nothing where stderr is no terminal."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from evalharness.systems.engine import Work

SHORTEST = 0.5  # seconds over which a rate is taken
MEMORY = 30.0  # seconds after which what was counts a third


@dataclass
class Pace:
    """How many pieces a second are done, of late, and how long the rest takes.

    A chunk of local work, whose pieces come all at once, is spread over the time since the one before, so that the rate
    stays where it is between two chunks and when one lands. What the store held is no work.

    >>> pace = Pace(at=0.0)
    >>> for moment, done in [(10.0, 64), (10.001, 64), (20.0, 128)]:
    ...     pace.see(moment, done)
    >>> round(pace.rate, 3), round(pace.left(22.0, 64), 3)
    (6.4, 8.0)
    """

    at: float = field(default_factory=time.monotonic)
    done: int = 0
    pieces: float = 0.0
    seconds: float = 0.0

    def see(self, now: float, done: int) -> None:
        """Take note of how many pieces are done by now."""
        passed = now - self.at
        if done <= self.done or passed < SHORTEST:
            return
        kept = math.exp(-passed / MEMORY)
        self.pieces, self.seconds = kept * self.pieces + done - self.done, kept * self.seconds + passed
        self.at, self.done = now, done

    @property
    def rate(self) -> float | None:
        """Pieces a second; None as long as none is done."""
        return self.pieces / self.seconds if self.seconds else None

    def left(self, now: float, pieces: float) -> float | None:
        """Return the seconds that so many pieces more take from now on, counted since the last one that came."""
        return None if self.rate is None else max(0.0, pieces / self.rate - (now - self.at))


class Progress:
    """A display that `watch` feeds; a context manager that leaves the terminal as it found it."""

    def __init__(self) -> None:
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._paces: dict[str, tuple[Work, Pace]] = {}

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bars = _bars()
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()

    def watch(self, work: Work) -> None:
        """Show how far one piece of work is."""
        if self._bars is None:
            return
        before, pace = self._paces.get(work.name, (None, Pace()))
        if before is not work:  # the same work on other samples
            pace = Pace()
            self._paces[work.name] = work, pace
        pace.see(time.monotonic(), work.done - work.stored)
        if work.name not in self._tasks:
            self._tasks[work.name] = self._bars.add_task(work.name, total=work.total, told="", pace=pace)
        self._bars.update(self._tasks[work.name], total=work.total, completed=work.done, told=told(work), pace=pace)


def told(work: Work) -> str:
    """Return what is to be known of a piece of work beside how far it is.

    >>> from evalharness.systems.engine import Work
    >>> told(Work("model", total=200, stored=50, done=60, input_tokens=90_000, saved_tokens=71_000))
    '25% stored, 71k tokens saved, 0 errors'
    """
    stored = f"{work.stored / work.total:.0%} stored, " if work.stored else ""
    saved = f"{_short(work.saved_tokens)} tokens saved, " if work.saved_tokens else ""
    return work.note or f"{stored}{saved}{work.errors} {'error' if work.errors == 1 else 'errors'}"


def _short(count: int) -> str:
    return f"{count / 1e6:.1f}M" if count >= 1e6 else f"{count / 1e3:.0f}k" if count >= 1e4 else f"{count:,}"


def _clock(length: float) -> str:
    """Return hours (where there are any), minutes and seconds."""
    minutes, seconds = divmod(math.ceil(length), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.table import Column
    from rich.text import Text

    class Rate(ProgressColumn):
        """Pieces a second; nothing until the first ones are done."""

        def render(self, task: Task) -> Text:
            rate = task.fields["pace"].rate
            return Text("" if rate is None else f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.1f}/s")

    class Left(ProgressColumn):
        """The time that is left; until that is known, the time that passed, so that a first wait is seen to go on."""

        def render(self, task: Task) -> Text:
            left, passed = task.fields["pace"].left(time.monotonic(), (task.total or 0) - task.completed), task.elapsed or 0.0
            if task.finished:
                return Text("")
            if left is None:
                return Text(f"{_clock(passed)} so far" if passed >= 1 else "")
            return Text(_clock(left))

    return Progress(
        TextColumn("{task.description:<9}"),
        BarColumn(bar_width=6),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
        Rate(table_column=Column(no_wrap=True)),
        Left(table_column=Column(no_wrap=True)),
        console=Console(stderr=True),
    )
