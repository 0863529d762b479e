"""A comparison in words: amounts as people say them, and what is shown."""

from __future__ import annotations

import math

from evalharness.comparison.pairs import Line
from evalharness.comparison.seeds import SeedParts
from evalharness.results.wording import FEW_GROUPS, number
from evalharness.scoring import Score
from evalharness.scoring.power import detectable, samples_needed

NOTHING = 1e-12  # what rounding leaves of 0


def span_of(score: Score) -> float | None:
    """Return how wide the score's range is, or None where an end is open."""
    low, high = score.range or (None, None)
    return None if low is None or high is None else high - low


def amount(value: float, score: Score) -> str:
    """Return a difference with its unit: in points, hundredths of the range, where the range is known.

    >>> amount(0.0214, Score(value=0.5, range=[0, 1])), amount(0.31, Score(value=2.0, unit="edits/word"))
    ('2.1 points', '0.31 edits/word')
    """
    return f"{plain(value, score)}{_unit(score)}"


def plain(value: float, score: Score) -> str:
    """Return a difference without its unit, in the steps that `amount` names."""
    span = span_of(score)
    return rounded(value) if span is None else rounded(100 * value / span, least=1)


def _unit(score: Score) -> str:
    if span_of(score) is not None:
        return " points"
    return f" {score.unit}" if score.unit else ""


def rounded(value: float, least: int = 0) -> str:
    """Return a number with `least` decimals or, where they would not show it, with its two leading digits.

    >>> rounded(2.14, 1), rounded(0.8, 1), rounded(0.00314), rounded(-12.34), rounded(0.0, 1), rounded(0.04, 1)
    ('2.1', '0.8', '0.0031', '-12', '0.0', '0.040')
    """
    if abs(value) < NOTHING:
        value = 0.0
    if value == 0 or not math.isfinite(value) or (least and abs(value) >= 10**-least):
        return f"{value:,.{least}f}"
    leading = 1 - math.floor(math.log10(abs(value)))
    return f"{value:,.{min(max(leading, least), 12)}f}"


def step_of(score: Score, other: Score) -> tuple[float, str]:
    """Return the difference that plans are made for, and its name: one point, or 1 % where the range is open."""
    span = span_of(score)
    if span is not None:
        return span / 100, "1 point"
    size = max(abs(score.value or 0.0), abs(other.value or 0.0))
    return size / 100, "1 %"


def interval(line: Line) -> str:
    """Return the interval of the gain: how much better the second system is, from low to high."""
    found = line.difference
    if found.low is None or found.high is None:
        return "–"
    low, high = (found.low, found.high) if line.a.better == "higher" else (-found.high, -found.low)
    return f"{plain(low, line.a)} to {plain(high, line.a)}"


def percent(level: float) -> str:
    """Return a level in per cent, as `95 %`."""
    return f"{100 * level:g} %"


def verdict(line: Line, b: str) -> str:
    """Return what is shown of the system `b` in one score, in a sentence."""
    found = line.difference
    if line.verdict == "unknown" or found.value is None:
        return f"cannot be compared: {found.reason}"
    if line.verdict == "same":
        return f"no difference in any group{_not_excluded(line)}"
    if line.verdict == "not shown":
        return f"no difference shown{_alone(line)}; {more_samples(line)}"
    gain = abs(found.value)
    return f"{b} is {line.verdict} by {amount(gain, line.a)}, {_size(line)}"


def _not_excluded(line: Line) -> str:
    """Return how large a difference may yet be between systems that differed nowhere."""
    high = line.difference.high
    return f"; one of up to {amount(high, line.a)} is not excluded" if high else ""


def _size(line: Line) -> str:
    """Return the interval of the size of a shown difference: from small to large."""
    found = line.difference
    if found.low is None or found.high is None:
        return "without an interval"
    ends = sorted(math.copysign(1.0, found.value or 0.0) * end for end in (found.low, found.high))
    return f"{percent(found.level)} {plain(ends[0], line.a)} to {plain(ends[1], line.a)}"


def _alone(line: Line) -> str:
    """Return a remark where the interval alone would exclude 0 and the family of tests does not."""
    p, alpha = line.difference.p, 1 - line.difference.level
    if p is not None and p <= alpha:
        return f" among so many scores (p {p_value(p)} alone, {p_value(line.p_adjusted)} in the family)"
    return ""


def more_samples(line: Line) -> str:
    """Return how many more samples, or seeds, would show a step's difference, or what these can show."""
    found = line.difference
    if not found.se or found.df is None:
        return "these samples say nothing of how many would"
    step, name = step_of(line.a, line.b)
    count, noun = _basis(line)
    needed = samples_needed(count, found.se, step) if step > 0 else count
    if needed > count:
        return f"{needed - count:,} more {noun} would detect one of {name}"
    return f"one of {amount(detectable(found.se, found.df), line.a)} would have been detected"


def _basis(line: Line) -> tuple[int, str]:
    """Return what the interval rests on, and how many: samples, or the seeds where their part is the wider one."""
    if line.seeds is not None and line.seeds.wider == "seed":
        return line.seeds.seed.groups, "seeds"
    return min(line.a.samples, line.b.samples), "samples"


def notes_of(line: Line) -> list[str]:
    """Return what to know before trusting a line: other samples, lost ones, few groups, runs that were stopped."""
    found = list(line.notes)
    if line.seeds is not None and line.verdict != "same":
        found.append(seeds_in_words(line.seeds))
    if line.bounds is not None:
        found.append(f"whatever the lost samples were, the difference lies between {_ends(line.bounds)}")
    if line.difference.p is not None and line.difference.groups < FEW_GROUPS:
        found.append(f"rests on {line.difference.groups} groups only")
    return found


def seeds_in_words(parts: SeedParts) -> str:
    """Return both parts of the uncertainty of a difference between two arms, and which of them is shown."""
    sample = _part(parts.sample.low, parts.sample.high, parts.sample.reason)
    if parts.seed.low is None and parts.seed.se != 0:
        return f"the interval is of the samples alone: {parts.seed.reason}"
    seed = _part(parts.seed.low, parts.seed.high, parts.seed.reason)
    shown = "" if parts.sample.low is None else f"; shown is the wider, of the {parts.wider}s"
    return f"the samples leave {sample}, the {parts.seed.groups} seeds {seed}{shown}"


def _part(low: float | None, high: float | None, reason: str | None) -> str:
    return f"no interval ({reason})" if low is None or high is None else f"{number(low)} to {number(high)}"


def _ends(bounds: tuple[float, float]) -> str:
    return " and ".join(number(end) for end in bounds)


def p_value(p: float | None) -> str:
    """Return a p-value as papers print it.

    >>> p_value(0.0004), p_value(0.0312), p_value(1.0), p_value(None)
    ('<0.001', '0.031', '1.000', '–')
    """
    return "–" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"
