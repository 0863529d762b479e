"""How well probabilities rank samples of a class before the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from evalharness import Rows
from evalharness_classification.reading import OfClasses


class AveragePrecision(OfClasses):
    """Precision at each sample of class 1 in the ranking by its probability, averaged over them, 0 to 1.

    It is the area under the steps of the precision-recall curve, without interpolation; samples of equal probability are
    one step. A ranking by chance has the share of class 1, so values at different shares do not compare. Of more than two
    classes it is the mean over the classes that occur, each against the rest. It is undefined where no sample is of the
    class. `probabilities` is that of class 1, or one of each of `classes`; `target` is the number of the right class. A
    sample without such probabilities, or whose target is no class, is unmeasured.

    >>> metric = AveragePrecision()
    >>> metric.evaluate(probabilities=[0.9, 0.8, 0.7, 0.1], target=[1, 0, 1, 0]).scores["average_precision"].value
    0.8333333333333333
    """

    name, better, range = "average_precision", "higher", (0, 1)
    pool: ClassVar[Literal["sum", "rows", "batch"]] = "rows"
    cite: ClassVar[str] = "Davis and Goadrich, The relationship between precision-recall and ROC curves, ICML 2006"
    reference: ClassVar[str] = "sklearn.metrics.average_precision_score (average='macro' for more than two classes)"

    def measure(self, probabilities: Sequence[Any], target: Sequence[int]) -> Rows:
        """Return for each sample the probabilities of the classes that are ranked, and which of them is right."""
        read = self.read(probabilities, target)
        first = 1 if self.classes == 2 else 0
        return Rows({"rank_by": read.probabilities[:, first:], "right": read.is_target[:, first:]}, read.unmeasured)

    def score(self, *, weights: Any, rank_by: Any, right: Any) -> Any:
        """Return the mean over the ranked classes of their average precision, for weights (n,) or (replicates, n)."""
        import numpy as np

        each = np.stack([_average_precision(*columns, weights) for columns in zip(rank_by.T, right.T, strict=True)])
        found = np.isfinite(each)
        with np.errstate(invalid="ignore"):
            return np.where(found, each, 0.0).sum(0) / found.sum(0)


def _average_precision(rank_by: Any, right: Any, weights: Any) -> Any:
    """Return the sum over steps of the recall gained there times the precision reached; NaN without a right sample."""
    import numpy as np

    order = np.argsort(-rank_by, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(rank_by[order])), len(order) - 1)
    weighed = weights[..., order]
    taken = weighed.cumsum(-1)[..., ends]
    hits = (weighed * right[order]).cumsum(-1)[..., ends]
    gained = np.diff(hits, axis=-1, prepend=0.0)
    precision = np.divide(hits, taken, out=np.zeros(taken.shape), where=taken > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (gained * precision).sum(-1) / hits[..., -1]
