"""Metrics of predicted classes: decisions, ranking, the probabilities themselves, and their calibration."""

from __future__ import annotations

from evalharness import Metric, hookimpl


@hookimpl
def evalharness_metrics() -> list[type[Metric]]:
    """Return the metrics of classes."""
    from evalharness_classification import calibration, conformal, decisions, gains, likelihood, ranking, rates, selective

    families = (calibration, conformal, decisions, gains, likelihood, ranking, rates, selective)
    return [metric for family in families for metric in family.METRICS]
