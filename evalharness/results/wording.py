"""Scores in words: how numbers, directions and what was not measured are written wherever a record is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def notes(score: Score) -> list[str]:
    """Return what a reader of a score must know beside its number: what is not in it and why, and weak intervals."""
    found = [f"{count:,} unmeasured, {reason}" for reason, count in score.unmeasured.items()]
    if score.errors:
        found.append(f"{score.errors:,} lost to errors and excluded")
    if score.reason:
        found.append(f"no interval: {score.reason}" if score.value is not None else f"no value: {score.reason}")
    if 0 < score.groups < FEW_GROUPS:
        found.append(f"the interval rests on {score.groups} groups only")
    return found
