"""How good the probabilities themselves are: proper scores, which only the true probabilities minimise, and their skill."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, ClassVar

from evalharness import Rows
from evalharness_classification.reading import OfClasses, Read


def _squared(read: Read) -> Any:
    """Return each sample's squared difference, of two classes that of class 1 alone."""
    squared = (read.probabilities - read.is_target) ** 2
    return squared[:, 1] if squared.shape[1] == 2 else squared.sum(1)


def _nats(read: Read) -> Any:
    """Return each sample's negative logarithm."""
    import numpy as np

    return np.log(1 / read.of_target.clip(sys.float_info.epsilon, 1.0))


class Brier(OfClasses):
    """Mean squared difference of probability and outcome, 0 to 1 for two classes; summed over more of them, 0 to 2.

    Of two classes it is that of class 1 alone, half of the sum. `probabilities` is that of class 1, or one of each of
    `classes` or `labels`; `target` is the right class, its number or label. A sample without such probabilities, or whose
    target is no class, is unmeasured.

    >>> Brier().measure(probabilities=[0.5, 1.0], target=[1, 1]).statistics["squared"].tolist()
    [0.25, 0.0]
    """

    name, better = "brier", "lower"
    formula: ClassVar[str] = "mean of (p - y)^2; of more than two classes summed over them"
    cite: ClassVar[str] = "Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78, 1950"
    reference: ClassVar[str] = "sklearn.metrics.brier_score_loss 1.9.1"

    @property
    def range(self) -> tuple[float, float]:  # type: ignore[override]
        """From 0 to 1 for two classes, else to 2."""
        return (0, 1) if self.count == 2 else (0, 2)

    def measure(self, probabilities: Sequence[Any], target: Sequence[Any]) -> Rows:
        """Return each sample's squared difference."""
        read = self.read(probabilities, target)
        return Rows({"squared": _squared(read)}, read.unmeasured)


class LogLoss(OfClasses):
    """Mean negative logarithm of the probability of the right class, in nats, 0 or more.

    A probability under 2.2e-16 counts as that, so that one sample costs at most 36 nats. `probabilities`, `target`,
    `classes` and `labels` as in `brier`.

    >>> LogLoss().measure(probabilities=[0.5, 1.0], target=[1, 1]).statistics["nats"].round(3).tolist()
    [0.693, 0.0]
    """

    name, better, unit, range = "log_loss", "lower", "nats", (0, None)
    formula: ClassVar[str] = "mean of -ln p(right class)"
    cite: ClassVar[str] = "Good, Rational Decisions, Journal of the Royal Statistical Society B 14, 1952"
    reference: ClassVar[str] = "sklearn.metrics.log_loss 1.9.1"

    def measure(self, probabilities: Sequence[Any], target: Sequence[Any]) -> Rows:
        """Return each sample's negative logarithm."""
        read = self.read(probabilities, target)
        return Rows({"nats": _nats(read)}, read.unmeasured)


class _Skill(OfClasses):
    """Share of a proper score that is saved beside always saying how often each class is right."""

    @property
    def most_classes(self) -> int:
        """How many classes there may be."""
        return super().most_classes - 1

    def with_targets(self, read: Read, loss: Any) -> Rows:
        """Return each sample's loss, and which class is right."""
        return Rows({"loss": loss, "targets": read.is_target}, read.unmeasured)

    def score(self, loss: Any, targets: Any) -> Any:
        """Return the share of the baseline's loss that is saved; NaN where the baseline loses nothing."""
        import numpy as np

        count = targets.sum(-1)
        baseline = count * self.baseline(targets / count[..., None])
        return np.where(baseline > 0, 1 - loss / np.where(baseline > 0, baseline, 1.0), np.nan)

    def baseline(self, shares: Any) -> Any:
        """Return the mean loss of saying the shares of the classes, (..., classes)."""
        raise NotImplementedError


class D2Brier(_Skill):
    """Share of the Brier score saved beside always saying how often each class is right, at most 1; 0 saves nothing.

    It is the Brier skill score, below 0 where that is worse than the shares of the classes. It is undefined where all
    samples are of one class. `probabilities`, `target`, `classes` and `labels` as in `brier`.

    >>> round(D2Brier().evaluate(probabilities=[0.5, 1.0], target=[0, 1]).scores["d2_brier"].value, 4)
    0.5
    """

    name, better, range = "d2_brier", "higher", (None, 1)
    formula: ClassVar[str] = "1 - Brier / Brier of the shares of the classes"
    cite: ClassVar[str] = "Murphy, Skill scores based on the mean square error, Monthly Weather Review 116, 1988"
    reference: ClassVar[str] = "sklearn.metrics.d2_brier_score 1.9.1"

    def measure(self, probabilities: Sequence[Any], target: Sequence[Any]) -> Rows:
        """Return each sample's squared difference, and which class is right."""
        read = self.read(probabilities, target)
        return self.with_targets(read, _squared(read))

    def baseline(self, shares: Any) -> Any:
        """Return the Brier score of the shares of the classes."""
        return (shares * (1 - shares)).sum(-1) / (2 if self.count == 2 else 1)


class D2LogLoss(_Skill):
    """Share of the log loss saved beside always saying how often each class is right, at most 1; 0 saves nothing.

    It is McFadden's pseudo R2, below 0 where the probabilities are worse than the shares of the classes. It is undefined
    where all samples are of one class. A probability under 2.2e-16 counts as that. `probabilities`, `target`, `classes`
    and `labels` as in `brier`.

    >>> round(D2LogLoss().evaluate(probabilities=[0.25, 1.0], target=[0, 1]).scores["d2_log_loss"].value, 4)
    0.7925
    """

    name, better, range = "d2_log_loss", "higher", (None, 1)
    formula: ClassVar[str] = "1 - log loss / entropy of the shares of the classes"
    cite: ClassVar[str] = "McFadden, Conditional logit analysis of qualitative choice behavior, 1974"
    reference: ClassVar[str] = "sklearn.metrics.d2_log_loss_score 1.9.1"

    def measure(self, probabilities: Sequence[Any], target: Sequence[Any]) -> Rows:
        """Return each sample's negative logarithm, and which class is right."""
        read = self.read(probabilities, target)
        return self.with_targets(read, _nats(read))

    def baseline(self, shares: Any) -> Any:
        """Return the entropy of the shares of the classes."""
        import numpy as np

        return -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(-1)


METRICS = (Brier, D2Brier, D2LogLoss, LogLoss)
