"""Progress on stderr: what is done, from the store, errors, rate and time left; nothing where stderr is no terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from evalharness.systems.engine import Work


class Progress:
    """A display that `watch` feeds; a context manager that leaves the terminal as it found it."""

    def __init__(self) -> None:
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}

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
        if work.name not in self._tasks:
            self._tasks[work.name] = self._bars.add_task(work.name, total=work.total, told="")
        told = work.note or f"{work.stored} stored, {work.errors} errors"
        self._bars.update(self._tasks[work.name], total=work.total, completed=work.done, told=told)


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Pieces a second; nothing until the first ones are done."""

        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:.1f}/s")

    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}"),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
