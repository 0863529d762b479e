"""How well probabilities rank samples of a class before the others: areas under the ROC and precision-recall curves.

An AUROC of 10,000 samples with its interval and 1,000 replicates takes a twentieth of the time of scikit-learn once for each
replicate (0.17 s against 3.4 s, `python -m benchmarks.auroc`): samples are sorted once, and replicates are running sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, ClassVar, Literal

from evalharness import Curve, Figure, Rows
from evalharness_classification.curves import Steps, chance, curve, from_origin
from evalharness_classification.declaring import declared
from evalharness_classification.reading import OfClasses

_DAVIS = "Davis and Goadrich, The relationship between precision-recall and ROC curves, ICML 2006"
_UNIT = (0.0, 1.0)


class Ranked(OfClasses):
    """Metrics of a ranking by the probability of a class, over all rows."""

    facts: ClassVar[str] = """Of more than two classes each is ranked against the rest: `average` "macro" is the mean over
    the classes that occur, "weighted" that mean weighted by how often each is right, "micro" one ranking of all probabilities
    of all classes. It is undefined where no sample is of the class, or all are. `probabilities` is that of class 1, or one of
    each of `classes` or `labels`; `target` is the right class, its number or label. A sample without such probabilities, or
    whose target is no class, is unmeasured."""
    pool: ClassVar[Literal["sum", "rows", "batch"]] = "rows"

    average: Literal["macro", "weighted", "micro"] = "macro"

    def measure(self, probabilities: Sequence[Any], target: Sequence[Any]) -> Rows:
        """Return for each sample the probabilities of the classes that are ranked, and which of them is right."""
        read = self.read(probabilities, target)
        first = 1 if self.count == 2 else 0
        return Rows({"rank_by": read.probabilities[:, first:], "right": read.is_target[:, first:]}, read.unmeasured)

    def score(self, *, weights: Any, rank_by: Any, right: Any) -> Any:
        """Return the value for weights (n,) or (replicates, n)."""
        import numpy as np

        if self.average == "micro":
            return self.area(rank_by.ravel(), right.ravel(), np.repeat(weights, rank_by.shape[1], axis=-1))
        each = [self.area(*columns, weights) for columns in zip(rank_by.T, right.T, strict=True)]
        counts = [weights @ column for column in right.T] if self.average == "weighted" else [1.0] * len(each)
        return mean_of_defined(each, counts)

    def area(self, rank_by: Any, right: Any, weights: Any) -> Any:
        """Return the value of the ranking of one class, for `rank_by` and `right` (n,) and `weights` (..., n)."""
        raise NotImplementedError

    def rankings(self, weights: Any, rank_by: Any, right: Any) -> list[tuple[str, Steps]]:
        """Return the steps of each ranked class that occurs, with its name where there are several."""
        names = self.names if self.count > 2 else ("",)
        columns = zip(names, rank_by.T, right.T, strict=True)
        steps = [(name, Steps.of(scores, is_right, weights)) for name, scores, is_right in columns]
        return [(name, each) for name, each in steps if each.positives[0] and each.negatives[0]]


def mean_of_defined(values: Sequence[Any], counts: Sequence[Any]) -> Any:
    """Return the weighted mean of the values that are finite, and NaN where none is."""
    import numpy as np

    each = np.stack(values)
    weight = np.where(np.isfinite(each), np.stack([np.broadcast_to(count, each.shape[1:]) for count in counts]), 0.0)
    with np.errstate(invalid="ignore"):
        return (np.where(weight > 0, each, 0.0) * weight).sum(0) / weight.sum(0)


def ranking(**stated: Any) -> Callable[[Callable[..., Any]], type[Ranked]]:
    """Turn a function of `rank_by`, `right` (n,) and `weights` (..., n) into a metric of the ranking of each class."""

    def wrap(function: Callable[..., Any]) -> type[Ranked]:
        return declared(function, Ranked, "area", {"better": "higher", "range": (0, 1), **stated})

    return wrap


def _pr_curves(self: Ranked, *, weights: Any, rank_by: Any, right: Any) -> tuple[Figure, ...]:
    """Return the precision-recall curves, with the share of each class, which a ranking by chance has."""
    curves = []
    for name, steps in self.rankings(weights, rank_by, right):
        share = float(steps.positives[0] / steps.taken[-1])
        curves.append(curve(from_origin(steps.recall), from_origin(steps.precision, float(steps.precision[0])), name))
        curves.append(chance(_UNIT, (share, share), f"chance {name}".strip()))
    return _drawn("Precision-recall curve", "recall", "precision", curves)


def _drawn(title: str, x: str, y: str, curves: Sequence[Curve]) -> tuple[Figure, ...]:
    """Return curves from 0 to 1 as a figure, if there are any."""
    return (Figure(title=title, x=x, y=y, curves=tuple(curves), x_range=_UNIT, y_range=_UNIT),) if curves else ()


@ranking(
    formula="sum over steps k of (recall_k - recall_(k-1)) precision_k",
    cite=_DAVIS,
    reference="sklearn.metrics.average_precision_score 1.9.1",
    figures=_pr_curves,
)
def average_precision(rank_by: Any, right: Any, weights: Any) -> Any:
    """Precision at each sample of class 1 in the ranking by its probability, averaged over them, 0 to 1.

    It is the area under the steps of the precision-recall curve, without interpolation; samples of equal probability are
    one step. A ranking by chance has the share of class 1, so values at different shares do not compare.

    >>> metric = average_precision()
    >>> metric.evaluate(probabilities=[0.9, 0.8, 0.7, 0.1], target=[1, 0, 1, 0]).scores["average_precision"].value
    0.8333333333333333
    """
    import numpy as np

    steps = Steps.of(rank_by, right, weights)
    gained = np.diff(steps.hits, axis=-1, prepend=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (gained * steps.precision).sum(-1) / steps.hits[..., -1]


@ranking(
    formula="area under precision over recall; linear between steps, or the highest precision at that recall or beyond",
    cite=f"{_DAVIS}; highest: Everingham et al., The PASCAL visual object classes challenge, IJCV 2010",
    reference="sklearn.metrics.auc 1.9.1 of precision_recall_curve (linear); closed form (highest)",
    figures=_pr_curves,
)
def pr_auc(rank_by: Any, right: Any, weights: Any, *, interpolation: Literal["linear", "highest"] = "linear") -> Any:
    """Area under the precision-recall curve with interpolation between its points, 0 to 1.

    Both interpolations promise more than any threshold reaches: "linear" draws straight lines from step to step, "highest"
    takes the best precision at the same recall or a higher one. `average_precision` takes the steps as they are. At recall
    0 the precision is 1 for "linear", as scikit-learn has it.

    >>> metric = pr_auc()
    >>> round(metric.evaluate(probabilities=[0.9, 0.8, 0.7, 0.1], target=[1, 0, 1, 0]).scores["pr_auc"].value, 4)
    0.7917
    """
    import numpy as np

    steps = Steps.of(rank_by, right, weights)
    recall, precision = from_origin(steps.recall), from_origin(_reached(steps), 1.0)
    if interpolation == "highest":
        best = np.maximum.accumulate(precision[..., :0:-1], axis=-1)[..., ::-1]
        return (np.diff(recall, axis=-1) * best).sum(-1)
    return (np.diff(recall, axis=-1) * (precision[..., 1:] + precision[..., :-1]) / 2).sum(-1)


def _reached(steps: Steps) -> Any:
    """Return the precision at each step; where none is taken yet in a replicate, 1, as at recall 0."""
    import numpy as np

    return np.where(steps.taken > 0, steps.precision, 1.0)


def _auroc(rank_by: Any, right: Any, weights: Any) -> Any:
    """Return the share of pairs of a positive and a negative that are ranked rightly, ties half."""
    import numpy as np

    positives, negatives = (np.flatnonzero(right == side) for side in (1, 0))
    negatives = negatives[np.argsort(rank_by[negatives], kind="stable")]
    below, upto = (np.searchsorted(rank_by[negatives], rank_by[positives], side) for side in ("left", "right"))
    # Whole numbers, and rows that stay in one piece of memory, as `take` leaves them, are added four times as fast.
    passed = from_origin(weights.take(negatives, -1).cumsum(-1))
    taken = weights.take(positives, -1)
    beaten = passed.take(below, -1) + passed.take(upto, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.einsum("...i,...i->...", taken, beaten) / (2 * taken.sum(-1) * passed[..., -1])


def _partial_auroc(rank_by: Any, right: Any, weights: Any, most: float) -> Any:
    """Return the area left of a false positive rate, put so that chance is 1/2 and the best 1 (McClish)."""
    import numpy as np

    steps = Steps.of(rank_by, right, weights)
    x, y = from_origin(steps.false_alarms), from_origin(steps.recall)
    clipped = x.clip(max=most)
    width, full = np.diff(clipped, axis=-1), np.diff(x, axis=-1)
    rise = np.diff(y, axis=-1) * np.divide(width, full, out=np.ones(full.shape), where=full > 0)
    area = (width * (y[..., :-1] + rise / 2)).sum(-1)
    least = most**2 / 2
    return (1 + (area - least) / (most - least)) / 2


class Auroc(Ranked):
    __doc__ = f"""Chance that a sample of class 1 is ranked before one of the others, equal probabilities half, 0 to 1.

    It is the area under the ROC curve; 0.5 is chance, whatever the share of the class. That makes it insensitive to how rare
    the class is, not informative about it: at a share of 1 % an AUROC of 0.95 may go with a precision below 0.2.
    `average_precision` and `pr_gain` tell. `max_fpr` looks only at false positive rates up to that, put so that chance is
    0.5 and the best 1 (McClish). `pairs` "ovo": of each two classes one against the other, by the probability of either,
    and the mean over the pairs (Hand and Till); "weighted" weighs a pair by how often its two classes are right.

    {Ranked.facts}

    >>> metric = Auroc()
    >>> metric.evaluate(probabilities=[0.9, 0.8, 0.7, 0.1], target=[1, 0, 1, 0]).scores["auroc"].value
    0.75
    """

    name, better, range = "auroc", "higher", (0, 1)
    formula: ClassVar[str] = "P(p of a positive > p of a negative) + P(equal) / 2"
    cite: ClassVar[str] = (
        "Hanley and McNeil, Radiology 143, 1982; Hand and Till, Machine Learning 45, 2001; "
        "McClish, Medical Decision Making 9, 1989"
    )
    reference: ClassVar[str] = "sklearn.metrics.roc_auc_score 1.9.1"

    pairs: Literal["ovr", "ovo"] = "ovr"
    max_fpr: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_fpr is not None and not 0 < self.max_fpr <= 1:
            raise ValueError(f"max_fpr is {self.max_fpr:g}, but must be above 0 and at most 1")
        if self.pairs == "ovo" and (self.average == "micro" or self.count == 2):
            raise ValueError("pairs is 'ovo', which is of more than two classes, with average: macro or weighted")

    def area(self, rank_by: Any, right: Any, weights: Any) -> Any:
        """Return the area of one ranking."""
        most = 1.0 if self.max_fpr is None else self.max_fpr
        return _auroc(rank_by, right, weights) if most == 1 else _partial_auroc(rank_by, right, weights, most)

    def score(self, *, weights: Any, rank_by: Any, right: Any) -> Any:
        """Return the value for weights (n,) or (replicates, n)."""
        if self.pairs == "ovr":
            return super().score(weights=weights, rank_by=rank_by, right=right)
        values, counts = [], []
        for one, other in combinations(range(self.count), 2):
            rows = (right[:, one] + right[:, other]) > 0
            own = weights[..., rows]
            sides = [self.area(rank_by[rows, side], right[rows, side], own) for side in (one, other)]
            values.append((sides[0] + sides[1]) / 2)
            counts.append(own.sum(-1) if self.average == "weighted" else 1.0)
        return mean_of_defined(values, counts)

    def figures(self, *, weights: Any, rank_by: Any, right: Any) -> tuple[Figure, ...]:
        """Return the ROC curves, with the line of chance."""
        found = self.rankings(weights, rank_by, right)
        curves = [curve(from_origin(steps.false_alarms), from_origin(steps.recall), name) for name, steps in found]
        drawn = [*curves, chance(_UNIT, _UNIT)] if curves else []
        return _drawn("ROC curve", "false positive rate", "true positive rate", drawn)


class TopKAccuracy(OfClasses):
    """Share of samples whose right class is among the `k` most likely ones, 0 to 1, for each `k`.

    Where the k-th place is tied, a right class among the tied has its part of the places that are left: one of two for one
    place counts 0.5, whatever their numbers (scikit-learn takes the higher number). `probabilities` is that of class 1, or
    one of each of `classes` or `labels`; `target` is the right class, its number or label. A sample without such
    probabilities, or whose target is no class, is unmeasured.

    >>> metric = TopKAccuracy(classes=3, k=(1, 2))
    >>> rows = metric.measure(probabilities=[[0.5, 0.3, 0.2], [0.2, 0.4, 0.4]], target=[1, 1])
    >>> {name: column.tolist() for name, column in rows.statistics.items()}
    {'@1': [0.0, 0.5], '@2': [1.0, 1.0]}
    """

    name, better, range = "top_k_accuracy", "higher", (0, 1)
    formula: ClassVar[str] = "mean of min(1, max(0, (k - classes above the right one) / classes as likely as it))"
    cite: ClassVar[str] = "Russakovsky et al., ImageNet large scale visual recognition challenge, IJCV 2015"
    reference: ClassVar[str] = "sklearn.metrics.top_k_accuracy_score 1.9.1, ties apart"

    k: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        super().__post_init__()
        wrong = [k for k in self.k if not 1 <= k < self.count]
        if wrong or not self.k or len(set(self.k)) < len(self.k):
            raise ValueError(
                f"k is {list(self.k)}, but must hold different numbers from 1 to {self.count - 1}, one less than classes"
            )

    @property
    def parts(self) -> tuple[str, ...]:  # type: ignore[override]
        """One for each k."""
        return tuple(f"@{k}" for k in self.k)

    def measure(self, probabilities: Sequence[Any], target: Sequence[Any]) -> Rows:
        """Return by k the part of each sample's right class in the k places."""
        read = self.read(probabilities, target)
        own = read.of_target[:, None]
        above, equal = (read.probabilities > own).sum(1), (read.probabilities == own).sum(1)
        return Rows({f"@{k}": ((k - above) / equal).clip(0, 1) for k in self.k}, read.unmeasured)


METRICS = (Auroc, average_precision, pr_auc, TopKAccuracy)
