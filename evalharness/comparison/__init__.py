"""Comparing finished runs: paired differences in numbers and words, slices, gates, and plans for the next run."""

from __future__ import annotations

from evalharness.comparison.compare import Comparison, compare
from evalharness.comparison.pairs import Line, Pair
from evalharness.comparison.results import Result, read_result

__all__ = ["Comparison", "Line", "Pair", "Result", "compare", "read_result"]
