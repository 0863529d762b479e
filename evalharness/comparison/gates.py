"""Gates for continuous integration: each says whether it passed, and why in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from evalharness.comparison.compare import Comparison
from evalharness.comparison.pairs import Line
from evalharness.comparison.words import amount, percent, span_of, verdict
from evalharness.errors import UsageError, nearest
from evalharness.scoring import Score

_T = TypeVar("_T")


@dataclass(frozen=True)
class Gate:
    """One condition of one system: its name, whether it is met, and the figures."""

    system: str
    name: str
    passed: bool
    message: str


def thresholds(written: Sequence[str], scores: Iterable[str]) -> dict[str, float]:
    """Return the thresholds that `--fail-under` names; raises UsageError for what is none, or is of no known score.

    >>> thresholds(["token_f1=0.4"], ["token_f1"])
    {'token_f1': 0.4}
    """
    known = dict.fromkeys(scores, "")
    return dict(_threshold(each, known) for each in written)


def _threshold(written: str, known: Mapping[str, str]) -> tuple[str, float]:
    name, equals, text = written.rpartition("=")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not equals or not name or not math.isfinite(value):
        raise UsageError(f"--fail-under '{written}' is not SCORE=NUMBER, for example token_f1=0.4")
    _known(name, known)
    return name, value


def reaches(system: str, scores: Mapping[str, Score], wanted: Mapping[str, float]) -> list[Gate]:
    """Return a gate for each score that must not be worse than its threshold; a score without a value does not pass."""
    return [_reaches(system, name, scores[name], limit) for name, limit in wanted.items()]


def _reaches(system: str, name: str, score: Score, limit: float) -> Gate:
    under = "under" if score.better == "higher" else "over"
    title = f"{name} not {under} {limit:g}"
    if score.value is None:
        return Gate(system, title, False, f"{name} has no value: {score.reason}")
    passed = score.value >= limit if score.better == "higher" else score.value <= limit
    ends = "" if score.low is None or score.high is None else f" ({percent(score.level)} {score.low:.4g} to {score.high:.4g})"
    return Gate(system, title, passed, f"{name} is {score.value:.4g}{ends}")


def not_worse(comparison: Comparison, name: str | None, margin: float | None) -> list[Gate]:
    """Return a gate for each system after the first, in one score or in all: it is not worse than the first by the margin.

    Non-inferiority by the interval: its bad end must stay within the margin, so too few samples do not pass; nor do lost
    samples that could hide more. `margin` is in points, hundredths of the range, and 1 by default; a score whose range is
    open needs one in its own unit, and is left out where all scores are asked for.
    """
    if margin is not None and not 0 <= margin < math.inf:
        raise UsageError(f"--margin {margin:g} must be a number from 0; it says how much worse is still good enough")
    pairs = comparison.against_first
    if name is not None:
        lines = [(pair.b, _known(name, {line.score: line for line in pair.lines})) for pair in pairs]
    else:
        lines = [(pair.b, line) for pair in pairs for line in pair.lines if span_of(line.a) is not None]
    return [_not_worse(label, line, _allowed(line, margin)) for label, line in lines]


def _allowed(line: Line, margin: float | None) -> float:
    """Return how much worse a score may be, in its own unit."""
    span = span_of(line.a)
    if span is not None:
        return (1.0 if margin is None else margin) * span / 100
    if margin is None:
        unit = f" in {line.a.unit}" if line.a.unit else ""
        raise UsageError(f"the range of '{line.score}' is open, so a margin must be named{unit}: --margin NUMBER")
    return margin


def _not_worse(system: str, line: Line, allowed: float) -> Gate:
    title = f"{line.score} not worse by {amount(allowed, line.a)}"
    worst = _worst(line)
    if line.verdict == "same" and worst is None:
        return Gate(system, title, True, verdict(line, system))
    if worst is None:
        return Gate(system, title, False, f"{line.score} cannot be compared: {line.difference.reason}")
    lost = " (whatever the lost samples were)" if line.bounds is not None else f" ({percent(line.difference.level)} interval)"
    told = "is not worse" if worst >= 0 else f"may be worse by up to {amount(-worst, line.a)}"
    return Gate(system, title, worst >= -allowed, f"{line.score} {told}{lost}")


def _worst(line: Line) -> float | None:
    """Return the least gain that the interval, and the samples that were lost, leave possible."""
    found = line.difference
    ends = [(found.low, found.high), line.bounds or (None, None)]
    gains = [low if line.a.better == "higher" else None if high is None else -high for low, high in ends]
    if gains[0] is None:
        return None
    return min(gain for gain in gains if gain is not None)


def _known(name: str, found: Mapping[str, _T]) -> _T:
    if name not in found:
        raise UsageError(f"no score is called '{name}'.{nearest(name, found)} There are: {', '.join(found)}.")
    return found[name]
