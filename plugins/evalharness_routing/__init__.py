"""Metrics of how evenly the routers of a mixture-of-experts model use their experts."""

from __future__ import annotations

from evalharness import Metric, hookimpl


@hookimpl
def evalharness_metrics() -> list[type[Metric]]:
    """Return the metrics of routing."""
    from evalharness_routing.balance import METRICS

    return list(METRICS)
