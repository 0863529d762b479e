"""The log-likelihoods of given choices as a distribution over them: how much of it is on the right ones, how honest it is."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from evalharness import Curve, Figure, Rows, Unmeasured
from evalharness_text.choices import Compared, OfChoices


def softmax(item: Compared) -> list[float] | Unmeasured:
    """Return the probability of each choice among the given ones, or why there is none."""
    highest = max(item.values)
    if math.isinf(highest):
        return Unmeasured("no choice is possible")
    each = [math.exp(value - highest) for value in item.values]
    total = math.fsum(each)
    return [value / total for value in each]


class _OfDistribution(OfChoices):
    """A value of the choices' probabilities."""

    family: ClassVar[str] = "choice_probability"

    def value(self, item: Compared) -> float | Unmeasured:
        """Return the value of one sample."""
        probabilities = softmax(item)
        return probabilities if isinstance(probabilities, Unmeasured) else self.of(probabilities, item)

    @abstractmethod
    def of(self, probabilities: Sequence[float], item: Compared) -> float | Unmeasured:
        """Return the value of one sample's probabilities."""
        raise NotImplementedError


class ChoiceProbability(_OfDistribution):
    """Probability of the right choices among the given ones, mean over samples, 0 to 1.

    The log-likelihoods of a sample's choices, exponentiated, are made to add up to 1; counted is what the right ones have
    of it. With several right choices (`target` is a list) this is TruthfulQA's MC2. `normalise` as in `choice_accuracy`:
    what the log-likelihoods are divided by before.

    >>> metric = ChoiceProbability()
    >>> metric.measure(logprobs=[[0.0, 0.0, 0.0, 0.0]], target=[[0, 2, 3]], choices=[["a", "b", "c", "d"]]).statistics
    {'value': [0.75]}
    """

    name, better, range = "choice_probability", "higher", (0, 1)
    formula: ClassVar[str] = "mean over samples of sum_{i right} exp(l_i) / sum_i exp(l_i)"
    cite: ClassVar[str] = "Lin et al., TruthfulQA: Measuring How Models Mimic Human Falsehoods, ACL 2022, section 3.2"
    reference: ClassVar[str] = (
        "lm-evaluation-harness 0.4.13 process_results_mc2, which is not a number where all exponentials underflow"
    )

    def of(self, probabilities: Sequence[float], item: Compared) -> float:
        """Return the probability of the right choices."""
        return min(math.fsum(probabilities[place] for place in item.right), 1.0)


class ChoiceLogLoss(_OfDistribution):
    """Negative logarithm of the probability of the right choices among the given ones, in nats, mean over samples, 0 or more.

    A guess among four costs 1.386. Probabilities as in `choice_probability`; `normalise` as in `choice_accuracy`. A right
    choice that the model holds impossible costs without bound: such a sample is unmeasured (`infinite value`).

    >>> metric = ChoiceLogLoss()
    >>> rows = metric.measure(logprobs=[[0.0, 0.0, 0.0, 0.0]], target=[1], choices=[["a", "b", "c", "d"]])
    >>> round(rows.statistics["value"][0], 3)
    1.386
    """

    name, better, unit, range = "choice_log_loss", "lower", "nats", (0, None)
    formula: ClassVar[str] = "mean over samples of log sum_i exp(l_i) - log sum_{i right} exp(l_i)"
    cite: ClassVar[str] = "Good, Rational Decisions, Journal of the Royal Statistical Society B 14, 1952"
    reference: ClassVar[str] = (
        "sklearn 1.9.1 log_loss of the softmax; it holds a probability of 0 for 2e-16, here the sample has no value"
    )

    def of(self, probabilities: Sequence[float], item: Compared) -> float:
        """Return the loss, from logarithms, so that small probabilities do not vanish."""
        return max(_log_sum(item.values) - _log_sum([item.values[place] for place in item.right]), 0.0)


class ChoiceBrier(_OfDistribution):
    """Squared distance of the choices' probabilities from 1 for the right one and 0 for the others, mean over samples, 0 to 2.

    0 is certain and right, 2 certain and wrong; a guess among k choices has 1 - 1/k. Probabilities as in
    `choice_probability`; `normalise` as in `choice_accuracy`. A sample with several right choices is unmeasured.

    >>> metric = ChoiceBrier()
    >>> metric.measure(logprobs=[[0.0, 0.0, 0.0, 0.0]], target=[1], choices=[["a", "b", "c", "d"]]).statistics
    {'value': [0.75]}
    """

    name, better, range = "choice_brier", "lower", (0, 2)
    formula: ClassVar[str] = "mean over samples of sum_i (p_i - [i right])^2 with p = softmax(l)"
    cite: ClassVar[str] = "Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78, 1950"
    reference: ClassVar[str] = (
        "lm-evaluation-harness 0.4.13 brier_score; sklearn 1.9.1 brier_score_loss of several classes (scale_by_half=False)"
    )

    def of(self, probabilities: Sequence[float], item: Compared) -> float | Unmeasured:
        """Return the squared distance."""
        if len(item.right) > 1:
            return Unmeasured("several right choices")
        return math.fsum((value - (place in item.right)) ** 2 for place, value in enumerate(probabilities))


class ChoiceCalibrationError(OfChoices):
    """Mean distance between the probability of the likeliest choice and the share of right ones, over bins, 0 to 1.

    The probability of the likeliest choice is the confidence; samples fall into `bins` of equal width by it, the upper end
    belonging to the next one (1 to the last). Probabilities as in `choice_probability`; `normalise`, several right choices
    and ties as in `choice_accuracy`. It is biased upwards, the more so the fewer samples a bin holds.

    >>> metric = ChoiceCalibrationError()
    >>> columns = {"logprobs": [[0.0, 0.0]] * 4, "target": [0, 0, 1, 1], "choices": [["a", "b"]] * 4}
    >>> metric.evaluate(**columns).scores["choice_calibration_error"].value
    0.0
    """

    name, better, range = "choice_calibration_error", "lower", (0, 1)
    family: ClassVar[str] = "choice_probability"
    formula: ClassVar[str] = "sum over bins of |sum of confidence - number right| / number of samples"
    cite: ClassVar[str] = "Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3"
    reference: ClassVar[str] = (
        "torchmetrics 1.9.0 MulticlassCalibrationError(norm='l1'), which computes in float32, gives a confidence of exactly 1 a "
        "bin of its own and takes the first of tied choices"
    )

    bins: int = 15

    def __post_init__(self) -> None:
        if not 1 <= self.bins <= 1000:
            raise ValueError(f"option 'bins' must be from 1 to 1000, not {self.bins}")

    def rows(self, found: Sequence[Compared | Unmeasured]) -> Rows:
        """Return for each sample its bin as a row with one 1, and there its confidence and whether it is right."""
        import numpy as np

        rows = super().rows(found)
        confidence = np.array(rows.statistics["value"])
        right = np.array([0.0 if isinstance(item, Unmeasured) else item.share_right for item in found])
        place = np.searchsorted(np.linspace(0, 1, self.bins + 1)[1:-1], confidence, side="right")
        held = np.eye(self.bins)[place]
        statistics = {"held": held, "confidence": held * confidence[:, None], "right": held * right[:, None]}
        return Rows(statistics, rows.unmeasured, rows.evidence)

    def value(self, item: Compared) -> float | Unmeasured:
        """Return the confidence of one sample."""
        probabilities = softmax(item)
        return probabilities if isinstance(probabilities, Unmeasured) else max(probabilities)

    def score(self, held: Any, confidence: Any, right: Any) -> Any:
        """Return the distances of the bins over the number of samples."""
        import numpy as np

        return np.abs(confidence - right).sum(-1) / held.sum(-1)

    def figures(self, held: Any, confidence: Any, right: Any) -> Sequence[Figure]:
        """Return the reliability diagram: share of right choices over the mean confidence of each bin that holds samples."""
        filled = held > 0
        points = {"x": tuple(confidence[filled] / held[filled]), "y": tuple(right[filled] / held[filled])}
        honest = Curve(x=(0.0, 1.0), y=(0.0, 1.0), name="as confident as right", style="dashed")
        curves = (honest, Curve(**points, name="choices", style="points"))
        title, x, y = "Reliability of choices", "mean confidence", "share right"
        return [Figure(title=title, x=x, y=y, x_range=(0, 1), y_range=(0, 1), curves=curves)]


def _log_sum(values: Sequence[float]) -> float:
    highest = max(values)
    return highest if math.isinf(highest) else highest + math.log(math.fsum(math.exp(value - highest) for value in values))
