"""Adjusts the p-values of a family of tests; None, where there is no test, stays None and does not count."""

from __future__ import annotations

from collections.abc import Sequence


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Return Holm's adjusted p-values: the chance of any false claim in the family stays below the level, 0 to 1.

    >>> holm([0.01, 0.04, None, 0.03])
    [0.03, 0.06, None, 0.06]
    """
    adjusted: list[float | None] = [None] * len(values)
    order = _ascending(values)
    largest = 0.0
    for rank, (value, place) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * value))
        adjusted[place] = largest
    return adjusted


def benjamini_hochberg(values: Sequence[float | None]) -> list[float | None]:
    """Return Benjamini and Hochberg's adjusted p-values: the share of false claims among the claims, 0 to 1.

    >>> benjamini_hochberg([0.01, 0.04, None, 0.03])
    [0.03, 0.04, None, 0.04]
    """
    adjusted: list[float | None] = [None] * len(values)
    order = _ascending(values)
    smallest = 1.0
    for rank in range(len(order), 0, -1):
        value, place = order[rank - 1]
        smallest = min(smallest, len(order) / rank * value)
        adjusted[place] = smallest
    return adjusted


def _ascending(values: Sequence[float | None]) -> list[tuple[float, int]]:
    """Return the p-values that there are, each with its place, the smallest first."""
    return sorted((value, place) for place, value in enumerate(values) if value is not None)
