"""Metrics of agreement between people, or judges, who rated the same samples."""

from __future__ import annotations

from evalharness import Metric, hookimpl


@hookimpl
def evalharness_metrics() -> list[type[Metric]]:
    """Return the metrics of agreement."""
    from evalharness_agreement.alpha import KrippendorffAlpha
    from evalharness_agreement.intraclass import IntraclassCorrelation
    from evalharness_agreement.kappa import FleissKappa, RatersCohenKappa
    from evalharness_agreement.pairs import percent_agreement

    return [FleissKappa, IntraclassCorrelation, KrippendorffAlpha, RatersCohenKappa, percent_agreement]
