"""Whether probabilities mean what they say: of decisions held with confidence 0.8, eight in ten should be right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from evalharness import Rows
from evalharness_classification.reading import OfClasses


class CalibrationError(OfClasses):
    """Mean distance between confidence and share of right decisions over bins of equally many samples, 0 to 1.

    The confidence of a sample is the probability of its most likely class. Samples are sorted by it and cut into `bins`
    of equal mass: where a cut falls into samples of one confidence, each side takes its part of all of them, so that the
    value does not depend on their order. It is biased upwards, the more so the fewer samples a bin holds. `probabilities`
    is that of class 1, or one of each of `classes`; `target` is the number of the right class. A sample without such
    probabilities, or whose target is no class, is unmeasured.

    >>> metric = CalibrationError(bins=1)
    >>> metric.evaluate(probabilities=[0.9] * 4, target=[1, 1, 0, 0]).scores["calibration_error"].value
    0.4
    """

    name, better, range = "calibration_error", "lower", (0, 1)
    pool: ClassVar[Literal["sum", "rows", "batch"]] = "rows"
    cite: ClassVar[str] = (
        "Naeini et al., Obtaining well calibrated probabilities using Bayesian binning, AAAI 2015; equal mass: Nguyen and "
        "O'Connor, Posterior calibration and exploratory analysis for natural language processing models, EMNLP 2015"
    )
    reference: ClassVar[str] = (
        "closed form; bins of sklearn.calibration.calibration_curve(strategy='quantile') where they are equal"
    )

    bins: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bins < 1:
            raise ValueError(f"bins is {self.bins}, but must be at least 1")

    def measure(self, probabilities: Sequence[Any], target: Sequence[int]) -> Rows:
        """Return each sample's confidence, and whether its most likely class is the right one.

        Where several are equally likely, the decision counts as right by the part that each of them has in it.
        """
        read = self.read(probabilities, target)
        confidence = read.probabilities.max(1)
        likeliest = read.probabilities == confidence[:, None]
        right = (likeliest * read.is_target).sum(1) / likeliest.sum(1)
        return Rows({"confidence": confidence, "right": right}, read.unmeasured)

    def score(self, *, weights: Any, confidence: Any, right: Any) -> Any:
        """Return the summed distances of the bins over the mass, for weights (n,) or (replicates, n)."""
        import numpy as np

        order = np.argsort(confidence, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(confidence[order])), len(order) - 1)
        weighed = weights[..., order]
        mass = weighed.cumsum(-1)[..., ends]
        gap = (weighed * (confidence - right)[order]).cumsum(-1)[..., ends]
        rows = [self._distance(*row) for row in zip(mass.reshape(-1, len(ends)), gap.reshape(-1, len(ends)), strict=True)]
        return np.array(rows).reshape(mass.shape[:-1])

    def _distance(self, mass: Any, gap: Any) -> float:
        """Return the value from the running sums of mass and of confidence minus right, over samples in their order."""
        import numpy as np

        if mass[-1] == 0:
            return float("nan")
        cuts = np.linspace(0, mass[-1], self.bins + 1)
        at_cuts = np.interp(cuts, np.append(0.0, mass), np.append(0.0, gap))
        return float(np.abs(np.diff(at_cuts)).sum() / mass[-1])
