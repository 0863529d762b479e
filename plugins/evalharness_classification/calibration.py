"""Whether probabilities mean what they say: of decisions held with confidence 0.8, eight in ten should be right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

from evalharness import Curve, Figure, Rows
from evalharness_classification.confidence import READING, OfConfidence
from evalharness_classification.curves import chance
from evalharness_classification.declaring import declared
from evalharness_classification.reading import MOST_NUMBERS, OfClasses

_UNIT = (0.0, 1.0)
_NAEINI = "Naeini et al., Obtaining well calibrated probabilities using Bayesian binning, AAAI 2015"


class CalibrationError(OfConfidence):
    __doc__ = f"""Distance between confidence and share of right decisions over bins of samples, 0 to 1 (ECE).

    `cut` "mass": samples are sorted by confidence and cut into `bins` of equal mass; where a cut falls into samples of one
    confidence, each side takes its part of all of them, so that the value does not depend on their order. "width": bins of
    equal width from 0 to 1, each with its upper end. `norm` "l1" is the mean distance over samples (ECE), "l2" the root of
    the mean square (RMS calibration error), "max" the largest of any bin (MCE). `per` "decision" looks at the most likely
    class; "class" at the probability of each class against how often it is right, and takes the mean over classes: of two
    classes that of class 1. All are biased upwards, the more so the fewer samples a bin holds.

    {READING}

    >>> metric = CalibrationError(bins=1)
    >>> metric.evaluate(probabilities=[0.9] * 4, target=[1, 1, 0, 0]).scores["calibration_error"].value
    0.4
    """

    name, better, range = "calibration_error", "lower", (0, 1)
    formula: ClassVar[str] = "l1: sum over bins b of n_b / n |right_b - confidence_b|; l2: root of that of squares; max: largest"
    cite: ClassVar[str] = (
        f"{_NAEINI}; equal mass: Nguyen and O'Connor, Posterior calibration and exploratory analysis for natural language "
        "processing models, EMNLP 2015; per class: Kull et al., Beyond temperature scaling, NeurIPS 2019"
    )
    reference: ClassVar[str] = (
        "torchmetrics.functional.calibration_error 1.9.0 (width; there a confidence on a cut lies in the bin above it); "
        "sklearn.calibration.calibration_curve 1.9.1 (mass, where its bins are equal)"
    )

    bins: int = 10
    cut: Literal["mass", "width"] = "mass"
    norm: Literal["l1", "l2", "max"] = "l1"
    per: Literal["decision", "class"] = "decision"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bins < 1:
            raise ValueError(f"bins is {self.bins}, but must be at least 1")
        if self.per == "class" and self.of != "probabilities":
            raise ValueError(f"per is 'class', but '{self.of}' has no probability of each class; leave it out")

    def of_probabilities(self, probabilities: Sequence[Any], target: Sequence[Any]) -> Rows:
        """Return the confidence in the most likely class, or in each, and whether it is right."""
        if self.per == "decision":
            return super().of_probabilities(probabilities, target)
        read = self.read(probabilities, target)
        first = 1 if self.count == 2 else 0
        return Rows({"confidence": read.probabilities[:, first:], "right": read.is_target[:, first:]}, read.unmeasured)

    def score(self, *, weights: Any, confidence: Any, right: Any) -> Any:
        """Return the mean over columns of the distance in their bins, for weights (n,) or (replicates, n)."""
        import numpy as np

        return np.mean([self._distance(*self.binned(weights, *pair)) for pair in zip(confidence.T, right.T, strict=True)], 0)

    def binned(self, weights: Any, confidence: Any, right: Any) -> tuple[Any, Any, Any]:
        """Return of each bin the mass and the sums of confidence and of being right, (..., bins)."""
        import numpy as np

        order = np.argsort(confidence, kind="stable")
        ranked, weighed = confidence[order], weights[..., order]
        columns = (np.ones(len(order)), ranked, right[order])
        sums = [np.pad((weighed * column).cumsum(-1), [(0, 0)] * (weighed.ndim - 1) + [(1, 0)]) for column in columns]
        if self.cut == "width":
            inner = np.searchsorted(ranked, np.linspace(0, 1, self.bins + 1)[1:-1], side="right")
            cuts = np.concatenate([[0], inner, [len(order)]])
            mass, sure, hits = (np.diff(each[..., cuts], axis=-1) for each in sums)
            return mass, sure, hits
        ends = np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1, [len(order)]])
        return self._cut_by_mass(*(each[..., ends] for each in sums))

    def _cut_by_mass(self, *sums: Any) -> tuple[Any, Any, Any]:
        """Return mass and sums of each bin, from running ones; a step that a cut falls into gives each side its part."""
        import numpy as np

        cuts = sums[0][..., -1:] * np.linspace(0, 1, self.bins + 1)
        rows = zip(sums[0].reshape(-1, sums[0].shape[-1]), cuts.reshape(-1, self.bins + 1), strict=True)
        found = [np.searchsorted(mass, wanted, side="right") - 1 for mass, wanted in rows]
        before = np.minimum(np.reshape(found, cuts.shape), sums[0].shape[-1] - 2)
        at, after = ([np.take_along_axis(each, place, -1) for each in sums] for place in (before, before + 1))
        step = after[0] - at[0]
        part = np.divide(cuts - at[0], step, out=np.zeros(cuts.shape), where=step > 0)
        mass, sure, hits = (np.diff(low + part * (high - low), axis=-1) for low, high in zip(at, after, strict=True))
        return mass, sure, hits

    def _distance(self, mass: Any, sure: Any, hits: Any) -> Any:
        import numpy as np

        gap = np.abs(sure - hits)
        mean = np.divide(gap, mass, out=np.zeros(gap.shape), where=mass > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.norm == "max":
                return np.where(mass.sum(-1) > 0, mean.max(-1), np.nan)
            return np.sqrt((gap * mean).sum(-1) / mass.sum(-1)) if self.norm == "l2" else gap.sum(-1) / mass.sum(-1)

    def figures(self, *, weights: Any, confidence: Any, right: Any) -> tuple[Figure, ...]:
        """Return the reliability diagram, and how many samples its bins hold."""
        import numpy as np

        names = self.names if confidence.shape[1] > 1 else ("",)
        shares, counts = [], []
        for name, *columns in zip(names, confidence.T, right.T, strict=True):
            mass, sure, hits = self.binned(weights, *columns)
            held = mass > 0
            mean = tuple((sure[held] / mass[held]).tolist())
            shares.append(Curve(x=mean, y=tuple((hits[held] / mass[held]).tolist()), name=name or "right", style="bars"))
            counts.append(Curve(x=mean, y=tuple(np.round(mass[held], 6).tolist()), name=name or "samples", style="bars"))
        x = "probability of the class" if self.per == "class" else "confidence"
        diagonal = chance(_UNIT, _UNIT, "calibrated")
        return (
            Figure(title="Reliability diagram", x=x, y="share right", curves=(*shares, diagonal), x_range=_UNIT, y_range=_UNIT),
            Figure(title="Samples in each bin", x=x, y="samples", curves=tuple(counts), x_range=_UNIT),
        )


class _Binned(OfClasses):
    """Terms of the Brier score: of sums over bins of the probability of each class."""

    facts: ClassVar[str] = """With probabilities that are replaced by the mean of their bin, the Brier score is reliability less
    resolution plus uncertainty, exactly; with those as they are, where each bin holds one value. `bins` are of equal width,
    each with its upper end. Of two classes it is that of class 1, of more the sum over classes. `probabilities`, `target`,
    `classes` and `labels` as in `brier`."""

    bins: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.bins <= MOST_NUMBERS // self.count:
            raise ValueError(f"bins is {self.bins}, but must be from 1 to {MOST_NUMBERS // self.count}")

    @property
    def range(self) -> tuple[float, float]:  # type: ignore[override]
        """As that of the Brier score."""
        return (0, 1) if self.count == 2 else (0, 2)

    def measure(self, probabilities: Sequence[Any], target: Sequence[Any]) -> Rows:
        """Return of each sample its bin, with its probability and whether the class is right, each (classes, bins)."""
        import numpy as np

        read = self.read(probabilities, target)
        first = 1 if self.count == 2 else 0
        likely, right = read.probabilities[:, first:], read.is_target[:, first:]
        place = np.searchsorted(np.linspace(0, 1, self.bins + 1)[1:-1], likely, side="left")
        inside = np.eye(self.bins)[place]
        return Rows({"mass": inside, "sure": inside * likely[..., None], "hits": inside * right[..., None]}, read.unmeasured)

    def score(self, mass: Any, sure: Any, hits: Any) -> Any:
        """Return the term, of the shares of the bins, their mean probability, how often the class is right there and in all."""
        import numpy as np

        whole = mass.sum(-1, keepdims=True)
        held = mass > 0
        mean, share = (np.divide(sums, mass, out=np.zeros(np.shape(mass)), where=held) for sums in (sure, hits))
        return self.term(mass / whole, mean, share, hits.sum(-1, keepdims=True) / whole).sum((-2, -1))

    def term(self, mass: Any, mean: Any, share: Any, base: Any) -> Any:
        """Return what each bin adds to the term."""
        raise NotImplementedError


def _term(**stated: Any) -> Callable[[Callable[..., Any]], type[_Binned]]:
    cite = "Murphy, A new vector partition of the probability score, Journal of Applied Meteorology 12, 1973"

    def wrap(function: Callable[..., Any]) -> type[_Binned]:
        return declared(function, _Binned, "term", {"cite": cite, **stated})

    return wrap


_ADDS = "reliability - resolution + uncertainty is sklearn.metrics.brier_score_loss 1.9.1, where a bin holds one value"


@_term(better="lower", formula="sum over bins of n_b / n (p_b - y_b)^2", reference=_ADDS)
def brier_reliability(mass: Any, mean: Any, share: Any, base: Any) -> Any:
    """What miscalibration adds to the Brier score: squared distance of probability and share of the class over bins, 0 to 1.

    >>> metric = brier_reliability()
    >>> value = metric.evaluate(probabilities=[0.9, 0.9, 0.1, 0.1], target=[1, 0, 0, 0]).scores["brier_reliability"].value
    >>> round(value, 4)
    0.085
    """
    return mass * (mean - share) ** 2


@_term(better="higher", formula="sum over bins of n_b / n (y_b - y)^2", reference=_ADDS)
def brier_resolution(mass: Any, mean: Any, share: Any, base: Any) -> Any:
    """What telling samples apart takes off the Brier score: variance over bins of the share of the class, 0 to 1.

    >>> metric = brier_resolution()
    >>> value = metric.evaluate(probabilities=[0.9, 0.9, 0.1, 0.1], target=[1, 0, 0, 0]).scores["brier_resolution"].value
    >>> round(value, 4)
    0.0625
    """
    return mass * (share - base) ** 2


@_term(better="lower", formula="y (1 - y)", reference=_ADDS)
def brier_uncertainty(mass: Any, mean: Any, share: Any, base: Any) -> Any:
    """The Brier score of always saying the share of the class, 0 to 1; a fact about the data, equal for all systems.

    >>> metric = brier_uncertainty()
    >>> value = metric.evaluate(probabilities=[0.9, 0.9, 0.1, 0.1], target=[1, 0, 0, 0]).scores["brier_uncertainty"].value
    >>> round(value, 4)
    0.1875
    """
    return mass * base * (1 - base)


METRICS = (CalibrationError, brier_reliability, brier_resolution, brier_uncertainty)
