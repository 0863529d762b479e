"""Metrics of predicted classes: decisions, ranking, the probabilities themselves, and their calibration."""

from __future__ import annotations

from evalharness import Metric, hookimpl


@hookimpl
def evalharness_metrics() -> list[type[Metric]]:
    """Return the metrics of classes."""
    from evalharness_classification.calibration import CalibrationError
    from evalharness_classification.decisions import Accuracy, BalancedAccuracy, MatthewsCorrelation
    from evalharness_classification.likelihood import Brier, LogLoss
    from evalharness_classification.ranking import AveragePrecision

    return [Accuracy, AveragePrecision, BalancedAccuracy, Brier, CalibrationError, LogLoss, MatthewsCorrelation]
