"""Gates for continuous integration: each says whether it passed, and why in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from evalharness.comparison.compare import Comparison
from evalharness.comparison.pairs import Line
from evalharness.comparison.words import amount, percent, span_of
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


def not_worse(comparison: Comparison, names: Sequence[str], margin: float | None) -> list[Gate]:
    """Return a gate for each score and each system after the first: it is not worse than the first by the margin.

    Non-inferiority by the interval: its bad end must stay within the margin, so too few samples do not pass. `margin` is
    in the unit of the score; None is one point, a hundredth of the range.
    """
    if margin is not None and margin < 0:
        raise UsageError(f"--margin {margin:g} is below 0; it says how much worse is still good enough")
    baseline = comparison.results[0].label
    pairs = [pair for pair in comparison.pairs if pair.a == baseline]
    lines = {pair.b: {line.score: line for line in pair.lines} for pair in pairs}
    return [_not_worse(label, _known(name, found), margin) for label, found in lines.items() for name in names or found]


def _not_worse(system: str, line: Line, margin: float | None) -> Gate:
    allowed = margin if margin is not None else _default_margin(line)
    title = f"{line.score} not worse by {amount(allowed, line.a)}"
    found = line.difference
    worst = found.low if line.a.better == "higher" else None if found.high is None else -found.high
    if worst is None:
        return Gate(system, title, False, f"{line.score} cannot be compared: {found.reason}")
    told = "better" if worst >= 0 else f"worse by up to {amount(-worst, line.a)}"
    return Gate(system, title, worst >= -allowed, f"{line.score} is {told} ({percent(found.level)} interval)")


def _default_margin(line: Line) -> float:
    span = span_of(line.a)
    if span is None:
        unit = f" in {line.a.unit}" if line.a.unit else ""
        raise UsageError(f"the range of '{line.score}' is open, so a margin must be named{unit}: --margin NUMBER")
    return span / 100


def _known(name: str, found: Mapping[str, _T]) -> _T:
    if name not in found:
        raise UsageError(f"no score is called '{name}'.{nearest(name, found)} There are: {', '.join(found)}.")
    return found[name]
