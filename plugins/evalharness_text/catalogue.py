"""The metrics of this package; one line each, imported when they are asked for."""

from __future__ import annotations

from evalharness import Metric
from evalharness_text.answerability import SquadExactMatch, SquadF1
from evalharness_text.answers import ContainsAnswer, ExactMatch, TokenF1
from evalharness_text.bleu import Bleu, SentenceBleu
from evalharness_text.choices import ChoiceAccuracy, ChoiceAccuracyMutualInformation, ChoiceMargin, ChoiceTies
from evalharness_text.choices_probability import ChoiceBrier, ChoiceCalibrationError, ChoiceLogLoss, ChoiceProbability
from evalharness_text.chrf import Chrf
from evalharness_text.context_likelihood import ConditionalLikelihood, PointwiseMutualInformation
from evalharness_text.diversity import DistinctN, LengthRatio, RepetitionRate, SelfBleu
from evalharness_text.edits import (
    CharacterErrorRate,
    EditSimilarity,
    MatchErrorRate,
    WordErrorRate,
    WordInformationLost,
    WordInformationPreserved,
)
from evalharness_text.likelihood import BitsPerByte, Perplexity
from evalharness_text.meteor import Meteor
from evalharness_text.number_match import NumberMatch
from evalharness_text.refusing import RefusalCorrectness
from evalharness_text.rouge import Rouge
from evalharness_text.structured import JsonSchemaMatch, JsonValidity
from evalharness_text.ter import Ter

METRICS: tuple[type[Metric], ...] = (
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
    CharacterErrorRate,
    Chrf,
    ConditionalLikelihood,
    ContainsAnswer,
    DistinctN,
    EditSimilarity,
    ExactMatch,
    JsonSchemaMatch,
    JsonValidity,
    LengthRatio,
    MatchErrorRate,
    Meteor,
    NumberMatch,
    Perplexity,
    PointwiseMutualInformation,
    RefusalCorrectness,
    RepetitionRate,
    Rouge,
    SelfBleu,
    SentenceBleu,
    SquadExactMatch,
    SquadF1,
    Ter,
    TokenF1,
    WordErrorRate,
    WordInformationLost,
    WordInformationPreserved,
)
