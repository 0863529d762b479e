"""Metrics of predicted numbers against those that they should be."""

from __future__ import annotations

from evalharness import Metric, hookimpl


@hookimpl
def evalharness_metrics() -> list[type[Metric]]:
    """Return the metrics of numbers."""
    from evalharness_regression import correlation, deviance, errors, pooled, relative, skill

    return [
        *(errors.MeanAbsoluteError, errors.MeanSquaredError, errors.MeanSquaredLogError, errors.Pinball),
        *(errors.RootMeanSquaredError, errors.RootMeanSquaredLogError),
        *(relative.MeanAbsolutePercentageError, relative.MeanAbsoluteScaledError, relative.MeanArctangentError),
        *(relative.MeanSquaredPercentageError, relative.SymmetricMape),
        *(deviance.GammaDeviance, deviance.PoissonDeviance, deviance.TweedieDeviance),
        *(pooled.MaxError, pooled.MedianAbsoluteError, pooled.NormalisedMae, pooled.NormalisedRmse),
        *(skill.AdjustedRSquared, skill.D2AbsoluteError, skill.D2Pinball, skill.D2Tweedie),
        *(skill.ExplainedVariance, skill.RSquared),
        *(correlation.ConcordanceCorrelation, correlation.Kendall, correlation.Pearson, correlation.Spearman),
    ]
