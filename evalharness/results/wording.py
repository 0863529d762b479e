"""Scores in words: how numbers, directions and what was not measured are written wherever a record is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalharness.scoring import Score

ARROWS = {"higher": "↑", "lower": "↓"}
FEW_GROUPS = 30


def number(value: float) -> str:
    """Return a number with three to four significant places.

    >>> number(0.41234), number(23.456), number(1234.5), number(0.0001234)
    ('0.412', '23.46', '1,234', '0.000123')
    """
    if value != 0 and abs(value) < 0.001:
        return f"{value:.3g}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}" if abs(value) < 1000 else f"{value:,.0f}"


def cell(value: float) -> str:
    """Return a number as a cell of a table holds it: a whole one as it is.

    >>> cell(1200.0), cell(0.25)
    ('1,200', '0.250')
    """
    return f"{value:,.0f}" if value == int(value) else number(value)


def counted(count: int, noun: str) -> str:
    """Return a number of things.

    >>> counted(1, "group"), counted(1200, "group")
    ('1 group', '1,200 groups')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def notes(score: Score) -> list[str]:
    """Return what a reader of a score must know beside its number: what is not in it and why, and weak intervals."""
    found = [f"{count:,} unmeasured, {reason}" for reason, count in score.unmeasured.items()]
    if score.errors:
        found.append(f"{score.errors:,} lost to errors and excluded")
    if score.reason:
        found.append(f"no interval: {score.reason}" if score.value is not None else f"no value: {score.reason}")
    if 0 < score.groups < FEW_GROUPS and (score.low, score.high) != (None, None):
        found.append(f"the interval rests on {counted(score.groups, 'group')} only")
    return found


def stopped(stopping: Mapping[str, Any]) -> str:
    """Return in words what a run stopped for, when, and what that saved, or that all its samples were not enough.

    >>> width = {"goal": "f1 ±0.02", "reached": True, "samples": 96, "of_samples": 180, "requests_saved": 84}
    >>> stopped({**width, "interval": [0.4, 0.44]})
    'stopped after 96 of 180 samples: f1 ±0.02 reached; 84 requests saved'
    >>> stopped({**width, "samples": 180, "reached": False, "requests_saved": 0, "interval": [0.4, 0.46]})
    'took all 180 samples: f1 ±0.02 not reached, its interval is 0.400 to 0.460'
    >>> stopped({**width, "samples": 180, "reached": False, "requests_saved": 0, "interval": [0.3, 0.5], "lost": 9})
    'took all 180 samples: f1 ±0.02 not reached, its interval is 0.300 to 0.500, widened by what was lost (9)'
    """
    saved = f"; {counted(stopping['requests_saved'], 'request')} saved" if stopping["requests_saved"] else ""
    return f"{_taken(stopping)}: {_outcome(stopping)}{saved}"


def compared(precision: Mapping[str, Any]) -> list[str]:
    """Return in words what a number format changed.

    >>> share = {"compared": 40, "different": 3, "value": 0.075, "low": 0.026, "high": 0.199, "first": ["q3", "q9", "q12"]}
    >>> compared({"dtype": "bfloat16", "against": "float32", "choices": share, "not_compared": 0,
    ...           "logprobs": {"largest_difference": 0.31, "sample": "q9"}})
    ['bfloat16 against float32: 3 of 40 choices flipped (0.075, 0.026 to 0.199); first: q3, q9, q12', \
'bfloat16 against float32: log-probabilities at most 0.310 apart (q9)']
    """
    told = []
    for name, verb in (("choices", "flipped"), ("texts", "differ")):
        found = precision.get(name)
        if found:
            first = f"; first: {', '.join(found['first'])}" if found["first"] else ""
            told.append(f"{found['different']:,} of {found['compared']:,} {name} {verb} ({_share(found)}){first}")
    apart = precision.get("logprobs")
    if apart:
        largest = apart["largest_difference"]
        far = "infinitely" if largest is None else f"at most {number(largest)}"
        told.append(f"log-probabilities {far} apart ({apart['sample']})")
    if precision["not_compared"]:
        told.append(f"{counted(precision['not_compared'], 'answer')} not compared, since asking failed")
    return [f"{precision['dtype']} against {precision['against']}: {each}" for each in told or ["nothing was asked"]]


def _share(found: Mapping[str, Any]) -> str:
    low, high = found.get("low"), found.get("high")
    return number(found["value"]) + ("" if low is None or high is None else f", {number(low)} to {number(high)}")


def _taken(stopping: Mapping[str, Any]) -> str:
    every, taken, against = stopping["of_samples"], stopping["samples"], stopping.get("against") or {}
    shared = against.get("shared_samples", every)
    which = "samples" if shared == every else f"samples that {against['run']} holds (of {every:,})"
    if taken == shared:
        return f"took all {shared:,} {which}"
    return f"stopped after {taken:,} of {'' if shared == every else 'the '}{shared:,} {which}"


def _outcome(stopping: Mapping[str, Any]) -> str:
    goal, against, reached = stopping["goal"], stopping.get("against"), stopping["reached"]
    if against is None:
        return f"{goal} reached" if reached else f"{goal} not reached, its interval is {_ends(stopping)}"
    ends = stopping["difference"]["interval"]
    if not reached:
        return f"{stopping['score']} is not decided against {against['run']}, the difference is {_ends(stopping['difference'])}"
    low, high = sorted(map(abs, ends))
    word = "higher" if ends[0] > 0 else "lower"
    return f"{stopping['score']} is {word} than in {against['run']} by {number(low)} to {number(high)}"


def _ends(watched: Mapping[str, Any]) -> str:
    """Return the ends of what was watched, and why they lie apart where it is not for want of samples alone."""
    if watched["interval"] is None:
        return "not known"
    lost = f", widened by what was lost ({watched['lost']:,})" if watched.get("lost") else ""
    return " to ".join(map(number, watched["interval"])) + lost
