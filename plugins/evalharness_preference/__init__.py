"""Metrics of preferences: which of two answers a model finds likelier, how likely, and how long its own answers are."""

from __future__ import annotations

from evalharness import Metric, hookimpl


@hookimpl
def evalharness_metrics() -> list[type[Metric]]:
    """Return the metrics of preferences."""
    from evalharness_preference.length import ResponseLength
    from evalharness_preference.likelihood import AnswerLikelihood, PreferenceWinRate

    return [AnswerLikelihood, PreferenceWinRate, ResponseLength]
