"""Metrics of text: answers against references, likelihood, choices and refusals."""

from __future__ import annotations

from evalharness import Metric, hookimpl


@hookimpl
def evalharness_metrics() -> list[type[Metric]]:
    """Return the text metrics."""
    from evalharness_text.answers import ExactMatch, TokenF1
    from evalharness_text.bleu import Bleu, SentenceBleu
    from evalharness_text.choices import ChoiceAccuracy, ChoiceAccuracyMutualInformation, ChoiceMargin, ChoiceTies
    from evalharness_text.choices_probability import ChoiceBrier, ChoiceCalibrationError, ChoiceLogLoss, ChoiceProbability
    from evalharness_text.chrf import Chrf
    from evalharness_text.likelihood import BitsPerByte, Perplexity
    from evalharness_text.meteor import Meteor
    from evalharness_text.refusing import RefusalCorrectness
    from evalharness_text.rouge import Rouge
    from evalharness_text.ter import Ter

    return [
        BitsPerByte,
        Bleu,
        ChoiceAccuracy,
        ChoiceAccuracyMutualInformation,
        ChoiceBrier,
        ChoiceCalibrationError,
        ChoiceLogLoss,
        ChoiceMargin,
        ChoiceProbability,
        ChoiceTies,
        Chrf,
        ExactMatch,
        Meteor,
        Perplexity,
        RefusalCorrectness,
        Rouge,
        SentenceBleu,
        Ter,
        TokenF1,
    ]
