"""What a check finds: passed, failed with a message that says how to mend it, or not applicable with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Outcome:
    """The result of one check of one plugin; `raised` is the type of an exception that is no finding of the check.

    >>> print(Outcome("metric 'wer'", "pickles", "passed"))
    passed   metric 'wer': pickles
    """

    plugin: str
    check: str
    status: Literal["passed", "failed", "skipped"]
    message: str = ""
    raised: str = ""

    def __str__(self) -> str:
        told = f"\n{self.message}".replace("\n", "\n         ") if self.status == "failed" else f" ({self.message})"
        return f"{self.status:<8} {self.plugin}: {self.check}{told if self.message else ''}"


class Broken(Exception):
    """A check failed: what the contract expects, what was seen, and how to mend it."""

    def __init__(self, expected: str, seen: str, mend: str) -> None:
        super().__init__(f"expected: {expected}\nseen:     {seen}\nto mend:  {mend}")


class NotApplicable(Exception):
    """The check has nothing to say about this plugin; the message is the reason."""


class ConformanceError(AssertionError):
    """A plugin broke its contract; `outcomes` holds the result of every check."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = tuple(outcomes)
        super().__init__("\n" + "\n".join(str(outcome) for outcome in outcomes if outcome.status == "failed"))


Check = Callable[[Any], None]


def run_checks(plugin: str, checks: Iterable[Check], subject: Any) -> list[Outcome]:
    """Run every check on the subject; none keeps the next from running."""
    return [_run(plugin, check, subject) for check in checks]


def _run(plugin: str, check: Check, subject: Any) -> Outcome:
    name = check.__name__.replace("_", " ")
    try:
        check(subject)
    except NotApplicable as reason:
        return Outcome(plugin, name, "skipped", str(reason))
    except Broken as broken:
        return Outcome(plugin, name, "failed", str(broken))
    except Exception as error:  # a stranger's code may fail in any way
        return Outcome(plugin, name, "failed", _told(error), type(error).__name__)
    return Outcome(plugin, name, "passed")


def _told(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return f"expected: no exception\nseen:     {type(error).__name__}: {error}{where}\nto mend:  see that line"


def raise_failed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes, or raise ConformanceError where one of them failed."""
    if any(outcome.status == "failed" for outcome in outcomes):
        raise ConformanceError(outcomes)
    return list(outcomes)
