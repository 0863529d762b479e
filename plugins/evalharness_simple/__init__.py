"""Plugins that need nothing but other plugins: `combine`, `before` and `drift`, and scores over the repeats of a sample."""

from __future__ import annotations

from evalharness import Metric, hookimpl


@hookimpl
def evalharness_metrics() -> list[type[Metric]]:
    """Return the metrics of this package."""
    from evalharness_simple.before import Before
    from evalharness_simple.combine import Combine
    from evalharness_simple.drift import Drift
    from evalharness_simple.repeats import BestOf, MajorityVote, PassAtK, PassHatK, RepeatSpread, RepeatVariance

    return [Before, BestOf, Combine, Drift, MajorityVote, PassAtK, PassHatK, RepeatSpread, RepeatVariance]
