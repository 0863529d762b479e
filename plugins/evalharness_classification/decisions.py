"""How good decisions are as a whole: shares of right ones, agreement beyond chance, what they cost, and their table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from evalharness import Matrix
from evalharness_classification.costs import ExpectedCost, ExpectedCostSkill, NetBenefit
from evalharness_classification.deciding import READING, Decisions, OfDecisions, OfMargins, from_margins
from evalharness_classification.reading import MOST_NUMBERS

_POWERS = "Powers, Evaluation: from precision, recall and F-measure to ROC, informedness, markedness and correlation, 2011"


class Accuracy(OfDecisions):
    __doc__ = f"""Share of samples whose class is decided rightly, 0 to 1.

    Where a sample may have several labels (`multilabel`), all of them must be right; `target` and `prediction` are then
    lists of labels, or of 0 or 1 for each, and `probabilities` one of each label.

    {READING}

    >>> rows = Accuracy().measure(probabilities=[0.9, 0.4], target=[1, 1])
    >>> rows.statistics["right"].tolist()
    [1.0, 0.0]
    """

    name, better, range = "accuracy", "higher", (0, 1)
    formula: ClassVar[str] = "right decisions / samples"
    cite: ClassVar[str] = "Sokolova and Lapalme, A systematic analysis of performance measures for classification tasks, 2009"
    reference: ClassVar[str] = "sklearn.metrics.accuracy_score 1.9.1"

    multilabel: bool = False

    @property
    def several(self) -> bool:
        """Whether a sample may have several labels."""
        return self.multilabel

    def counted(self, found: Decisions) -> dict[str, Any]:
        """Return 1 for each sample that is decided rightly, else 0."""
        equal = found.target == found.decided
        return {"right": (equal.all(1) if self.multilabel else equal).astype(float)}


def _recalls(hits: Any, targets: Any) -> Any:
    """Return the recall of each class; NaN for one that does not occur."""
    import numpy as np

    return np.divide(hits, targets, out=np.full(np.shape(hits), np.nan), where=targets > 0)


@from_margins(
    better="higher",
    range=property(lambda metric: (-1, 1) if metric.adjusted else (0, 1)),
    formula="mean over the classes of their recall; adjusted: (that - 1/classes) / (1 - 1/classes)",
    cite="Brodersen et al., The balanced accuracy and its posterior distribution, ICPR 2010",
    reference="sklearn.metrics.balanced_accuracy_score 1.9.1",
)
def balanced_accuracy(hits: Any, targets: Any, decisions: Any, rows: Any, *, adjusted: bool = False) -> Any:
    """Mean over the classes of the share of their samples that is decided rightly, 0 to 1; adjusted at most 1, 0 by chance.

    It is 1/`classes` for decisions that do not look at the sample, however rare a class is; `adjusted` puts that at 0. The
    mean goes over the classes that the samples are of.

    >>> metric = balanced_accuracy()
    >>> metric.evaluate(probabilities=[0.1, 0.2, 0.3, 0.9], target=[0, 0, 1, 1]).scores["balanced_accuracy"].value
    0.75
    """
    import numpy as np

    found = (targets > 0).sum(-1)
    mean = np.nan_to_num(_recalls(hits, targets)).sum(-1) / found
    return (mean - 1 / found) / (1 - 1 / found) if adjusted else mean


@from_margins(
    better="higher",
    range=(0, 1),
    formula="geometric mean over the classes of their recall",
    cite="Kubat and Matwin, Addressing the curse of imbalanced training sets, ICML 1997",
    reference="closed form; imbalanced-learn geometric_mean_score has it too",
)
def g_mean(hits: Any, targets: Any, decisions: Any, rows: Any) -> Any:
    """Geometric mean over the classes of the share of their samples that is decided rightly, 0 to 1.

    A class of which none is decided rightly makes it 0. The mean goes over the classes that the samples are of.

    >>> metric = g_mean()
    >>> round(metric.evaluate(probabilities=[0.1, 0.2, 0.3, 0.9], target=[0, 0, 1, 1]).scores["g_mean"].value, 3)
    0.707
    """
    import numpy as np

    logs = np.where(targets > 0, np.log(_recalls(hits, targets)), 0.0)
    return np.exp(logs.sum(-1) / (targets > 0).sum(-1))


@from_margins(
    better="higher",
    range=(-1, 1),
    formula="(right n - sum of t d) / sqrt((n^2 - sum of t^2) (n^2 - sum of d^2)), over classes; t, d: targets, decisions",
    cite="Matthews, BBA Protein Structure 405, 1975; Gorodkin, Comparing two K-category assignments, 2004",
    reference="sklearn.metrics.matthews_corrcoef 1.9.1, but for targets of one class",
)
def mcc(hits: Any, targets: Any, decisions: Any, rows: Any) -> Any:
    """Matthews correlation of decision and target, -1 to 1; 0 where the decision does not depend on the sample.

    For more than two classes it is Gorodkin's R_K. Where all decisions are one class, it is 0, its limit; where all
    targets are one class, it is undefined.

    >>> round(mcc().evaluate(probabilities=[0.1, 0.2, 0.3, 0.9], target=[0, 0, 1, 1]).scores["mcc"].value, 3)
    0.577
    """
    import numpy as np

    shared = hits.sum(-1) * rows - (targets * decisions[..., : targets.shape[-1]]).sum(-1)
    of_targets = rows**2 - (targets**2).sum(-1)
    of_decisions = rows**2 - (decisions**2).sum(-1)
    value = shared / np.sqrt(of_targets * of_decisions)
    return np.where(of_targets > 0, np.where(of_decisions > 0, value, 0.0), np.nan)


class CohenKappa(OfMargins):
    __doc__ = f"""Agreement of decision and target beyond that of two who decide independently, as often as these, at most 1.

    `distance` weighs disagreements: "none" all alike, "linear" and "quadratic" by how far apart the numbers of the classes
    are, for classes in an order; a decision for none of the classes counts as far as the first and the last are apart. It is
    undefined where decisions and targets are one and the same class throughout.

    {READING}

    >>> metric = CohenKappa()
    >>> metric.evaluate(probabilities=[0.1, 0.2, 0.3, 0.9], target=[0, 0, 1, 1]).scores["cohen_kappa"].value
    0.5
    """

    name, better, range = "cohen_kappa", "higher", (-1, 1)
    formula: ClassVar[str] = "1 - sum of w_ij n_ij / (sum of w_ij t_i d_j / n)"
    cite: ClassVar[str] = "Cohen, A coefficient of agreement for nominal scales, 1960; weighted: Psychological Bulletin 70, 1968"
    reference: ClassVar[str] = "sklearn.metrics.cohen_kappa_score 1.9.1"

    distance: Literal["none", "linear", "quadratic"] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.distance != "none" and self.is_open:
            raise ValueError(f"distance is '{self.distance}', but the order of the classes is not known; name them with labels")

    @property
    def keeps_rows(self) -> bool:
        """Whether of each sample both classes are kept; sums hold how far they are apart."""
        return super().keeps_rows and self.distance == "none"

    def _distances(self) -> Any:
        """Return how far each target (row) is from each decision, and last from none of the classes."""
        import numpy as np

        apart = np.abs(np.subtract.outer(np.arange(self.count), np.arange(self.count + 1.0)))
        apart[:, -1] = self.count - 1
        return apart ** {"linear": 1, "quadratic": 2}[self.distance]

    def counted(self, found: Decisions) -> dict[str, Any]:
        """Return what is counted of each row, and how far its decision is from its target."""
        counts = super().counted(found)
        apart = {} if self.distance == "none" else {"apart": self._distances()[found.target, found.decided]}
        return {**counts, **apart}

    def value(self, *, apart: Any = None, hits: Any, targets: Any, decisions: Any, rows: Any) -> Any:
        """Return 1 less the disagreement over that expected by chance."""
        if apart is None:
            chance = rows - (targets * decisions[..., : targets.shape[-1]]).sum(-1) / rows
            return 1 - (rows - hits.sum(-1)) / chance
        return 1 - apart / ((targets @ self._distances() * decisions).sum(-1) / rows)


class ConfusionMatrix(OfDecisions):
    __doc__ = f"""Share of samples whose class is decided rightly, 0 to 1, and the table of classes and decisions as a picture.

    A row of the picture is a class that is right, a column one that is decided on; decisions for none of the classes have a
    column of their own. `normalise`: "none" shows how many samples, "targets" shares of each row, "decisions" shares of each
    column, "all" of the whole. At most 63 classes. Of each sample both classes are kept, as its own table would be larger
    by far; `accuracy` is the same score in sums.

    {READING}

    >>> metric = ConfusionMatrix()
    >>> metric.evaluate(probabilities=[0.9, 0.8, 0.2, 0.1], target=[1, 0, 0, 0]).scores["confusion_matrix"].value
    0.75
    """

    name, better, range = "confusion_matrix", "higher", (0, 1)
    formula: ClassVar[str] = "M[i, j] = samples of class i that are decided to be j; the score is its diagonal over the whole"
    cite: ClassVar[str] = "Kohavi and Provost, Glossary of terms, Machine Learning 30, 1998"
    reference: ClassVar[str] = "sklearn.metrics.confusion_matrix 1.9.1"
    example: ClassVar[Mapping[str, Any]] = {"classes": 3, "normalise": "targets"}
    pool: ClassVar[Literal["sum", "rows", "batch"]] = "rows"

    normalise: Literal["none", "targets", "decisions", "all"] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.is_open:
            raise ValueError(f"of is '{self.of}', but which classes the table has is not known; name them with labels")

    @property
    def most_classes(self) -> int:
        """How many classes there may be."""
        return int(MOST_NUMBERS**0.5) - 1

    def counted(self, found: Decisions) -> dict[str, Any]:
        """Return the class of each sample that is right, and the one decided on."""
        return {"target": found.target, "decided": found.decided}

    def score(self, weights: Any, target: Any, decided: Any) -> Any:
        """Return the share of right decisions for weights (n,) or (replicates, n)."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            return weights @ (target == decided).astype(float) / weights.sum(-1)

    def figures(self, weights: Any, target: Any, decided: Any) -> tuple[Matrix, ...]:
        """Return the table, without the last column where no decision is for none of the classes."""
        import numpy as np

        table = np.zeros((self.count, self.count + 1))
        np.add.at(table, (target.astype(np.int64), decided.astype(np.int64)), weights)  # kept as float64
        shown = table if table[:, -1].any() else table[:, :-1]
        sums = {"none": 1.0, "targets": shown.sum(1, keepdims=True), "decisions": shown.sum(0, keepdims=True), "all": shown.sum()}
        over = np.broadcast_to(sums[self.normalise], shown.shape)
        shares = np.divide(shown, over, out=np.zeros(shown.shape), where=over > 0)
        columns = (*self.names, "none of these")[: shown.shape[1]]
        counted = {"none": "samples", "targets": "shares of each target", "decisions": "shares of each decision", "all": "shares"}
        return (
            Matrix(
                title=f"Confusion matrix, {counted[self.normalise]}", rows="target", columns="decision", row_labels=self.names,
                column_labels=columns, values=tuple(map(tuple, shares.tolist())),
            ),
        )  # fmt: skip


METRICS = (
    Accuracy, balanced_accuracy, CohenKappa, ConfusionMatrix, ExpectedCost, ExpectedCostSkill, g_mean, mcc, NetBenefit,
)  # fmt: skip
