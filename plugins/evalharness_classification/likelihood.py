"""How good the probabilities themselves are: proper scores, which only the true probabilities minimise."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, ClassVar

from evalharness import Rows
from evalharness_classification.reading import OfClasses


class Brier(OfClasses):
    """Mean squared difference of probability and outcome, 0 to 1 for two classes; summed over more of them, 0 to 2.

    Of two classes it is that of class 1 alone, half of the sum. `probabilities` is that of class 1, or one of each of
    `classes`; `target` is the number of the right class. A sample without such probabilities, or whose target is no
    class, is unmeasured.

    >>> Brier().measure(probabilities=[0.5, 1.0], target=[1, 1]).statistics["squared"].tolist()
    [0.25, 0.0]
    """

    name, better = "brier", "lower"
    cite: ClassVar[str] = "Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78, 1950"
    reference: ClassVar[str] = "sklearn.metrics.brier_score_loss"

    @property
    def range(self) -> tuple[float, float]:  # type: ignore[override]
        """From 0 to 1 for two classes, else to 2."""
        return (0, 1) if self.classes == 2 else (0, 2)

    def measure(self, probabilities: Sequence[Any], target: Sequence[int]) -> Rows:
        """Return each sample's squared difference."""
        read = self.read(probabilities, target)
        squared = (read.probabilities - read.is_target) ** 2
        return Rows({"squared": squared[:, 1] if self.classes == 2 else squared.sum(1)}, read.unmeasured)


class LogLoss(OfClasses):
    """Mean negative logarithm of the probability of the right class, in nats, 0 or more.

    A probability under 2.2e-16 counts as that, so that one sample costs at most 36 nats. `probabilities`, `target` and
    `classes` as in `brier`.

    >>> LogLoss().measure(probabilities=[0.5, 1.0], target=[1, 1]).statistics["nats"].round(3).tolist()
    [0.693, 0.0]
    """

    name, better, unit, range = "log_loss", "lower", "nats", (0, None)
    cite: ClassVar[str] = "Good, Rational Decisions, Journal of the Royal Statistical Society B 14, 1952"
    reference: ClassVar[str] = "sklearn.metrics.log_loss"

    def measure(self, probabilities: Sequence[Any], target: Sequence[int]) -> Rows:
        """Return each sample's negative logarithm."""
        import numpy as np

        read = self.read(probabilities, target)
        return Rows({"nats": np.log(1 / read.of_target.clip(sys.float_info.epsilon, 1.0))}, read.unmeasured)
