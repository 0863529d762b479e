"""Plugins that need nothing but other plugins: `combine`, `before`, `drift`, a robust mean, and scores over repeats."""

from __future__ import annotations

from evalharness import Metric, hookimpl


@hookimpl
def evalharness_metrics() -> list[type[Metric]]:
    """Return the metrics of this package."""
    from evalharness_simple.before import Before
    from evalharness_simple.combine import Combine
    from evalharness_simple.drift import Drift
    from evalharness_simple.repeats import BestOf, MajorityVote, PassAtK, PassHatK, RepeatSpread, RepeatVariance
    from evalharness_simple.robust import InterquartileMean

    of_repeats = [BestOf, MajorityVote, PassAtK, PassHatK, RepeatSpread, RepeatVariance]
    return [Before, Combine, Drift, InterquartileMean, *of_repeats]
