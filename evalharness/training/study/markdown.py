"""Pieces of a document in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from evalharness.results.wording import number


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a table; so many columns are aligned to the left, the others to the right.

    >>> print(table(["arm", "loss"], [["a", "0.5"]]))
    | arm | loss |
    |---|--:|
    | a | 0.5 |
    """
    rules = [*["---"] * left, *["--:"] * (len(titles) - left)]
    return "\n".join([_row(titles), f"|{'|'.join(rules)}|", *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def image(title: str, path: str) -> str:
    """Return a picture that stands beside the document."""
    return f"![{title}]({path})"


def with_interval(value: float | None, ends: tuple[float, float] | None) -> str:
    """Return a value with its interval.

    >>> with_interval(0.5, (0.25, 0.75)), with_interval(None, None)
    ('0.500 (0.250 to 0.750)', '–')
    """
    if value is None:
        return "–"
    return number(value) if ends is None else f"{number(value)} ({number(ends[0])} to {number(ends[1])})"
