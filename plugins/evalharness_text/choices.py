"""Accuracy of choosing among given continuations by their log-likelihood."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

from evalharness import Metric, Rows

# An empty choice counts as one unit, so that nothing is divided by zero.
_LENGTH: dict[str, Callable[[str], int]] = {
    "none": lambda choice: 1,
    "characters": lambda choice: max(len(choice), 1),
    "bytes": lambda choice: max(len(choice.encode("utf-8", "surrogatepass")), 1),
}


class ChoiceAccuracy(Metric):
    """Share of samples whose right choice has the highest log-likelihood, 0 to 1.

    `normalise`: "none" compares the log-likelihoods themselves, which favours short choices; "characters" and "bytes"
    divide each by the choice's length. Where several choices share the highest value, each has an equal part of the
    sample: a right one among two counts 0.5, whatever its place. A sample with a log-likelihood that is not a number,
    with another number of log-likelihoods than choices, or whose target is no choice, is unmeasured.

    >>> metric = ChoiceAccuracy()
    >>> rows = metric.measure(logprobs=[[-2.0, -1.0], [-3.0, -3.0]], target=[1, 0], choices=[["no", "yes"], ["a", "b"]])
    >>> rows.statistics
    {'right': [1.0, 0.5]}
    """

    name, better, range = "choice_accuracy", "higher", (0, 1)
    cite: ClassVar[str] = "Brown et al., Language Models are Few-Shot Learners, NeurIPS 2020, section 2.4"
    reference: ClassVar[str] = "lm-evaluation-harness 0.4.13: acc (none), acc_norm (characters), acc_bytes (bytes); ties apart"

    normalise: Literal["none", "characters", "bytes"] = "none"

    def measure(self, logprobs: list[Sequence[float]], target: list[int], choices: list[Sequence[str]]) -> Rows:
        """Return each sample's share of the highest log-likelihood."""
        rows = list(zip(logprobs, target, choices, strict=True))
        unmeasured = {row: reason for row, values in enumerate(rows) if (reason := _fault(*values))}
        right = [math.nan if row in unmeasured else self._share(*values) for row, values in enumerate(rows)]
        return Rows({"right": right}, unmeasured)

    def _share(self, logprobs: Sequence[float], target: int, choices: Sequence[str]) -> float:
        length = _LENGTH[self.normalise]
        values = [value / length(choice) for value, choice in zip(logprobs, choices, strict=True)]
        best = max(values)
        return float(values[target] == best) / values.count(best)


def _fault(logprobs: Sequence[float], target: int, choices: Sequence[str]) -> str | None:
    if len(logprobs) != len(choices) or any(map(math.isnan, logprobs)):
        return "log-likelihoods missing"
    return None if 0 <= target < len(choices) else "target is no choice"
