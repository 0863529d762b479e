"""How good the decisions are that follow from probabilities: the class that is found most likely, or a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from evalharness import Rows
from evalharness_classification.reading import OfClasses, Read


class _Decided(OfClasses):
    """Metrics of the class that is decided on.

    Of two classes it is class 1 where its probability is at least `threshold`; of more, the most likely one, of equally
    likely ones the first.
    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold is {self.threshold}, but must lie between 0 and 1")
        if self.classes > 2 and self.threshold != 0.5:
            raise ValueError(f"a threshold decides between 2 classes, not {self.classes}")

    def decided(self, read: Read) -> Any:
        """Return the class decided on, int64, (rows,)."""
        if self.classes > 2:
            return read.probabilities.argmax(1)
        return (read.probabilities[:, 1] >= self.threshold).astype("int64")

    def confusion(self, probabilities: Sequence[Any], target: Sequence[int]) -> Rows:
        """Return each sample's table: 1 at (target, decision), shape (classes, classes)."""
        import numpy as np

        read = self.read(probabilities, target)
        table = np.zeros((len(read.target), self.classes, self.classes))
        table[np.arange(len(table)), read.target, self.decided(read)] = 1
        return Rows({"table": table}, read.unmeasured)


class Accuracy(_Decided):
    """Share of samples whose class is decided rightly, 0 to 1.

    `probabilities` is that of class 1, or one of each of `classes`; `target` is the number of the right class. Of two
    classes, class 1 is decided on where its probability is at least `threshold`; of more, the most likely one, of equally
    likely ones the first. A sample without such probabilities, or whose target is no class, is unmeasured.

    >>> rows = Accuracy().measure(probabilities=[0.9, 0.4], target=[1, 1])
    >>> rows.statistics["right"].tolist()
    [1.0, 0.0]
    """

    name, better, range = "accuracy", "higher", (0, 1)
    cite: ClassVar[str] = "Sokolova and Lapalme, A systematic analysis of performance measures for classification tasks, 2009"
    reference: ClassVar[str] = "sklearn.metrics.accuracy_score"

    def measure(self, probabilities: Sequence[Any], target: Sequence[int]) -> Rows:
        """Return 1 for each sample that is decided rightly, else 0."""
        read = self.read(probabilities, target)
        return Rows({"right": (self.decided(read) == read.target).astype(float)}, read.unmeasured)


class BalancedAccuracy(_Decided):
    """Mean over the classes of the share of their samples that is decided rightly, 0 to 1.

    It is 1/`classes` for decisions that do not look at the sample, however rare a class is. The mean goes over the
    classes that the samples are of. `probabilities`, `target`, `classes` and `threshold` as in `accuracy`.

    >>> import numpy as np
    >>> float(BalancedAccuracy().score(table=np.array([[98.0, 0.0], [1.0, 1.0]])))
    0.75
    """

    name, better, range = "balanced_accuracy", "higher", (0, 1)
    cite: ClassVar[str] = "Brodersen et al., The balanced accuracy and its posterior distribution, ICPR 2010"
    reference: ClassVar[str] = "sklearn.metrics.balanced_accuracy_score"

    def measure(self, probabilities: Sequence[Any], target: Sequence[int]) -> Rows:
        """Return each sample's table of target and decision."""
        return self.confusion(probabilities, target)

    def score(self, table: Any) -> Any:
        """Return the mean share of the diagonal in the rows of the table."""
        import numpy as np

        of_class = table.sum(-1)
        right = np.diagonal(table, axis1=-2, axis2=-1)
        shares = np.divide(right, of_class, out=np.zeros_like(of_class), where=of_class > 0)
        return shares.sum(-1) / (of_class > 0).sum(-1)


class MatthewsCorrelation(_Decided):
    """Matthews correlation of decision and target, -1 to 1; 0 where the decision does not depend on the sample.

    For more than two classes it is Gorodkin's R_K. Where all decisions are one class, it is 0, its limit; where all
    targets are one class, it is undefined. `probabilities`, `target`, `classes` and `threshold` as in `accuracy`.

    >>> import numpy as np
    >>> round(float(MatthewsCorrelation().score(table=np.array([[98.0, 0.0], [1.0, 1.0]]))), 3)
    0.704
    """

    name, better, range = "mcc", "higher", (-1, 1)
    cite: ClassVar[str] = "Matthews, BBA Protein Structure 405, 1975; Gorodkin, Comparing two K-category assignments, 2004"
    reference: ClassVar[str] = "sklearn.metrics.matthews_corrcoef, but for targets of one class"

    def measure(self, probabilities: Sequence[Any], target: Sequence[int]) -> Rows:
        """Return each sample's table of target and decision."""
        return self.confusion(probabilities, target)

    def score(self, table: Any) -> Any:
        """Return the covariance of target and decision over the root of the product of their variances."""
        import numpy as np

        count = table.sum((-2, -1))
        targets, decisions = table.sum(-1), table.sum(-2)
        shared = np.trace(table, axis1=-2, axis2=-1) * count - (targets * decisions).sum(-1)
        of_targets = count**2 - (targets**2).sum(-1)
        of_decisions = count**2 - (decisions**2).sum(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = shared / np.sqrt(of_targets * of_decisions)
        return np.where(of_targets > 0, np.where(of_decisions > 0, value, 0.0), np.nan)
