"""Plugins that need nothing but other plugins: the metrics `combine`, `before` and `drift`."""

from __future__ import annotations

from evalharness import Metric, hookimpl


@hookimpl
def evalharness_metrics() -> list[type[Metric]]:
    """Return the metrics of this package."""
    from evalharness_simple.before import Before
    from evalharness_simple.combine import Combine
    from evalharness_simple.drift import Drift

    return [Before, Combine, Drift]
