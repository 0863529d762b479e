"""Metrics of text: answers against references, likelihood, choices and refusals."""

from __future__ import annotations

from evalharness import Metric, Transform, hookimpl


@hookimpl
def evalharness_metrics() -> list[type[Metric]]:
    """Return the text metrics."""
    from evalharness_text.catalogue import METRICS

    return list(METRICS)


@hookimpl
def evalharness_transforms() -> list[type[Transform]]:
    """Return the transform that shares the reading of numbers with `number_match`."""
    from evalharness_text.numbers import ExtractNumber

    return [ExtractNumber]
