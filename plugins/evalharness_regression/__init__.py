"""Metrics of predicted numbers against those that they should be."""

from __future__ import annotations

from evalharness import Metric, hookimpl


@hookimpl
def evalharness_metrics() -> list[type[Metric]]:
    """Return the metrics of numbers."""
    from evalharness_regression.errors import MeanAbsoluteError, RootMeanSquaredError

    return [MeanAbsoluteError, RootMeanSquaredError]
