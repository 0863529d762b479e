"""Plugins that need nothing but other plugins: the metric `combine`."""

from __future__ import annotations

from evalharness import Metric, hookimpl


@hookimpl
def evalharness_metrics() -> list[type[Metric]]:
    """Return the metrics of this package."""
    from evalharness_simple.combine import Combine

    return [Combine]
