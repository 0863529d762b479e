"""Rates of right and wrong decisions: each a formula over the counts of a class against all others, and averages of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from evalharness import Rows
from evalharness_classification.deciding import READING, OfMargins, Source
from evalharness_classification.declaring import declared
from evalharness_classification.entities import entity_margins

Average = Literal["binary", "macro", "micro", "weighted", "samples", "classes"]
_AVERAGES = """`average`: "binary" is the rate of class 1 of two; "macro" the mean over the classes that occur, "weighted" that
    mean weighted by how often each is right, "micro" the rate of the counts of all classes together; "classes" gives each
    class as a part. `multilabel`: a sample may have several labels; `target` and `prediction` are lists of labels, or of 0
    or 1 for each, `probabilities` one of each label, which need not add up to 1, decided on from `threshold`; average
    "samples" is the mean over samples of the rate of their labels. A rate without any sample to speak of (0/0) is undefined
    and left out of the mean, or counts as `zero_division`, 0 or 1, where that is given; scikit-learn's default is 0.

    `of` "entities": `prediction` and `target` are lists of tags such as `B-PER`, one a token, `labels` the types; an entity
    is right where all of it and its type are. Only rates without true negatives are of entities."""


class Rate(OfMargins):
    """Metrics that are a formula over the four counts of a class against the others."""

    facts: ClassVar[str] = f"{_AVERAGES}\n\n    {READING}"
    example: ClassVar[dict[str, Any]] = {"classes": 3, "average": "macro"}

    counts: ClassVar[tuple[str, ...]] = ()  # that the formula is of

    of: Literal[Source, "entities"] = "probabilities"  # type: ignore[assignment]
    average: Average = "binary"
    zero_division: float | None = None
    multilabel: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.of == "entities" and "tn" in self.counts:
            raise ValueError(f"of: entities has no true negatives, which {self.name} counts; take precision, recall or f1")
        if self.of == "entities" and (not self.labels or self.multilabel):
            raise ValueError("of: entities needs labels, the types of entities, and no multilabel")
        if self.zero_division not in (None, 0, 1):
            raise ValueError(f"zero_division is {self.zero_division:g}, but must be 0, 1 or null")
        if self.average == "binary" and (self.is_open or self.count > 2 or self.several):
            what = "classes are whatever texts occur" if self.is_open else f"there are {self.count} classes"
            raise ValueError(f"average is 'binary', but {what}; write average: macro, micro or weighted")
        if self.average == "classes" and self.is_open:
            raise ValueError("average is 'classes', but which there are is not known; name them with labels")
        if self.average == "samples" and not self.several:
            raise ValueError("average is 'samples', but a sample has one class; write multilabel: true where it has several")

    @property
    def several(self) -> bool:
        """Whether a sample may have several labels."""
        return self.multilabel or self.of == "entities"

    @property
    def parts(self) -> tuple[str, ...]:  # type: ignore[override]
        """Each class, where they are not averaged."""
        return tuple(f".{name}" for name in self.names) if self.average == "classes" else ()

    def rows_of(self, given: Sequence[Any], right: Sequence[Any]) -> Rows:
        """Return what is counted of each row, or the rate of its labels and whether it has one."""
        found = entity_margins(given, right, self.labels) if self.of == "entities" else super().rows_of(given, right)
        if self.average != "samples":
            return found
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            rate = self._pooled(_counts(**found.statistics))
        known = ~np.isnan(rate)
        return Rows({"rate": np.where(known, rate, 0.0), "known": known.astype(float)}, found.unmeasured)

    def score(self, **sums: Any) -> Any:
        """Return the value from the sums; where each sample has a rate, their mean."""
        if self.average != "samples":
            return super().score(**sums)
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            return sums["rate"] / sums["known"]

    def value(self, **margins: Any) -> Any:
        """Return the rate of class 1, of all together, the mean over classes, or that of each class."""
        import numpy as np

        counts = _counts(**margins)
        if self.average == "micro":
            return self._pooled(counts)
        each = self._rate(counts)
        if self.average in ("binary", "classes"):
            each = self._filled(each)
            return each[..., 1] if self.average == "binary" else {part: each[..., place] for place, part in enumerate(self.parts)}
        occurs = counts["tp"] + counts["fp"] + counts["fn"] > 0
        each = np.where(occurs, self._filled(each), np.nan)
        weight = np.where(np.isnan(each), 0.0, margins["targets"] if self.average == "weighted" else 1.0)
        return np.where(weight > 0, each * weight, 0.0).sum(-1) / weight.sum(-1)

    def _pooled(self, counts: Mapping[str, Any]) -> Any:
        """Return the rate of the counts of all classes together."""
        return self._filled(self._rate({name: count.sum(-1) for name, count in counts.items()}))

    def _rate(self, counts: Mapping[str, Any]) -> Any:
        return self.of_counts(**{name: counts[name] for name in self.counts})

    def of_counts(self, **counts: Any) -> Any:
        """Return the rate from those counts that it is of; NaN where it is undefined."""
        raise NotImplementedError

    def _filled(self, rate: Any) -> Any:
        import numpy as np

        return rate if self.zero_division is None else np.where(np.isnan(rate), self.zero_division, rate)


def _counts(*, hits: Any, targets: Any, decisions: Any, rows: Any) -> dict[str, Any]:
    """Return true and false positives and negatives of each class against the others, (..., classes)."""
    import numpy as np

    decided = decisions[..., : targets.shape[-1]]
    others = np.asarray(rows)[..., None] - targets - decided + hits
    return {"tp": hits, "fp": decided - hits, "fn": targets - hits, "tn": others}


def rate(
    *, better: Literal["higher", "lower"] = "higher", range: Any = (0, 1), **stated: Any
) -> Callable[[Callable[..., Any]], type[Rate]]:
    """Turn a formula over those it names of tp, fp, fn and tn, of a class against the others, into a metric."""

    def wrap(function: Callable[..., Any]) -> type[Rate]:
        counts = tuple(name for name in inspect.signature(function).parameters if name in ("tp", "fp", "fn", "tn"))
        return declared(function, Rate, "of_counts", {"better": better, "range": range, "counts": counts, **stated})

    return wrap


_SOKOLOVA = "Sokolova and Lapalme, A systematic analysis of performance measures for classification tasks, 2009"
_POWERS = "Powers, Evaluation: from precision, recall and F-measure to ROC, informedness, markedness and correlation, 2011"


@rate(formula="tp / (tp + fp)", cite=_SOKOLOVA, reference="sklearn.metrics.precision_score 1.9.1 (zero_division apart)")
def precision(tp: Any, fp: Any) -> Any:
    """Share of the decisions for a class that are right, 0 to 1: the positive predictive value.

    >>> precision().evaluate(probabilities=[0.9, 0.8, 0.2], target=[1, 0, 0]).scores["precision"].value
    0.5
    """
    return tp / (tp + fp)


@rate(formula="tp / (tp + fn)", cite=_SOKOLOVA, reference="sklearn.metrics.recall_score 1.9.1 (zero_division apart)")
def recall(tp: Any, fn: Any) -> Any:
    """Share of the samples of a class that are decided for it, 0 to 1: sensitivity, the true positive rate.

    With average "classes" it is the accuracy of each class.

    >>> recall().evaluate(probabilities=[0.9, 0.8, 0.2], target=[1, 0, 1]).scores["recall"].value
    0.5
    """
    return tp / (tp + fn)


@rate(
    formula="2 tp / (2 tp + fp + fn)",
    cite="van Rijsbergen, Information Retrieval, 2nd ed., 1979",
    reference="sklearn.metrics.f1_score 1.9.1 (zero_division apart)",
)
def f1(tp: Any, fp: Any, fn: Any) -> Any:
    """Harmonic mean of precision and recall of a class, 0 to 1.

    >>> f1().evaluate(probabilities=[0.9, 0.8, 0.2], target=[1, 0, 1]).scores["f1"].value
    0.5
    """
    return 2 * tp / (2 * tp + fp + fn)


@rate(
    formula="(1 + b^2) tp / ((1 + b^2) tp + b^2 fn + fp)",
    cite="van Rijsbergen, Information Retrieval, 2nd ed., 1979",
    reference="sklearn.metrics.fbeta_score 1.9.1 (zero_division apart)",
    positive=("beta",),
)
def fbeta(tp: Any, fp: Any, fn: Any, *, beta: float = 1.0) -> Any:
    """Weighted harmonic mean of precision and recall of a class, 0 to 1; recall counts `beta` times as much.

    >>> value = fbeta(beta=2.0).evaluate(probabilities=[0.9, 0.8, 0.7], target=[1, 0, 0]).scores["fbeta"].value
    >>> round(value, 4)
    0.7143
    """
    twice = (1 + beta**2) * tp
    return twice / (twice + beta**2 * fn + fp)


@rate(formula="tn / (tn + fp)", cite=_SOKOLOVA, reference="torchmetrics.functional.specificity 1.9.0 (0/0 apart)")
def specificity(fp: Any, tn: Any) -> Any:
    """Share of the samples of other classes that are not decided for a class, 0 to 1: the true negative rate.

    >>> specificity().evaluate(probabilities=[0.9, 0.8, 0.2], target=[1, 0, 0]).scores["specificity"].value
    0.5
    """
    return tn / (tn + fp)


@rate(better="lower", formula="fp / (fp + tn)", cite=_SOKOLOVA, reference="1 - torchmetrics.functional.specificity 1.9.0")
def fpr(fp: Any, tn: Any) -> Any:
    """False positive rate, fall-out: share of the samples of other classes that are decided for a class, 0 to 1.

    >>> fpr().evaluate(probabilities=[0.9, 0.8, 0.2], target=[1, 0, 0]).scores["fpr"].value
    0.5
    """
    return fp / (fp + tn)


@rate(better="lower", formula="fn / (fn + tp)", cite=_SOKOLOVA, reference="1 - sklearn.metrics.recall_score 1.9.1")
def fnr(tp: Any, fn: Any) -> Any:
    """False negative rate, miss rate: share of the samples of a class that are not decided for it, 0 to 1.

    >>> fnr().evaluate(probabilities=[0.9, 0.8, 0.2], target=[1, 0, 1]).scores["fnr"].value
    0.5
    """
    return fn / (fn + tp)


@rate(
    formula="tn / (tn + fn)",
    cite=_SOKOLOVA,
    reference="torchmetrics.functional.negative_predictive_value 1.9.0 (0/0 apart)",
)
def npv(fn: Any, tn: Any) -> Any:
    """Negative predictive value: share of the decisions against a class that are right, 0 to 1.

    >>> npv().evaluate(probabilities=[0.9, 0.3, 0.2], target=[1, 1, 0]).scores["npv"].value
    0.5
    """
    return tn / (tn + fn)


@rate(better="lower", formula="fp / (fp + tp)", cite=_SOKOLOVA, reference="1 - sklearn.metrics.precision_score 1.9.1")
def fdr(tp: Any, fp: Any) -> Any:
    """False discovery rate: share of the decisions for a class that are wrong, 0 to 1; 1 - precision.

    >>> fdr().evaluate(probabilities=[0.9, 0.8, 0.2], target=[1, 0, 0]).scores["fdr"].value
    0.5
    """
    return fp / (fp + tp)


@rate(
    better="lower",
    formula="fn / (fn + tn)",
    cite=_SOKOLOVA,
    reference="1 - torchmetrics.functional.negative_predictive_value 1.9.0",
)
def false_omission_rate(fn: Any, tn: Any) -> Any:
    """Share of the decisions against a class that are wrong, 0 to 1.

    A survey's table prints this formula as the true discovery rate, which is precision.

    >>> metric = false_omission_rate()
    >>> metric.evaluate(probabilities=[0.9, 0.3, 0.2], target=[1, 1, 0]).scores["false_omission_rate"].value
    0.5
    """
    return fn / (fn + tn)


@rate(range=(-1, 1), formula="tp / (tp + fn) + tn / (tn + fp) - 1", cite=_POWERS, reference="closed form")
def informedness(tp: Any, fp: Any, fn: Any, tn: Any) -> Any:
    """Recall and specificity of a class, less 1: Youden's J, -1 to 1; 0 for decisions that do not look at the sample.

    >>> informedness().evaluate(probabilities=[0.9, 0.8, 0.2], target=[1, 0, 0]).scores["informedness"].value
    0.5
    """
    return tp / (tp + fn) + tn / (tn + fp) - 1


@rate(
    range=(0, None),
    formula="(tp / (tp + fn)) / (fp / (fp + tn))",
    cite="Altman and Bland, Diagnostic tests 4: likelihood ratios, BMJ 329, 2004",
    reference="sklearn.metrics.class_likelihood_ratios 1.9.1",
)
def positive_likelihood_ratio(tp: Any, fp: Any, fn: Any, tn: Any) -> Any:
    """How many times as often samples of a class are decided for it as those of others, 0 or more; infinite without fp.

    It is the factor by which a decision for the class raises the odds of it; 1 tells nothing.

    >>> metric = positive_likelihood_ratio()
    >>> metric.evaluate(probabilities=[0.9, 0.8, 0.2], target=[1, 0, 0]).scores["positive_likelihood_ratio"].value
    2.0
    """
    return (tp / (tp + fn)) / (fp / (fp + tn))


@rate(
    better="lower",
    range=(0, None),
    formula="(fn / (tp + fn)) / (tn / (fp + tn))",
    cite="Altman and Bland, Diagnostic tests 4: likelihood ratios, BMJ 329, 2004",
    reference="sklearn.metrics.class_likelihood_ratios 1.9.1",
)
def negative_likelihood_ratio(tp: Any, fp: Any, fn: Any, tn: Any) -> Any:
    """How many times as often samples of a class are decided against it as those of others, 0 or more; infinite without tn.

    It is the factor by which a decision against the class changes the odds of it; 1 tells nothing.

    >>> metric = negative_likelihood_ratio()
    >>> metric.evaluate(probabilities=[0.9, 0.3, 0.2, 0.1], target=[1, 1, 0, 0]).scores["negative_likelihood_ratio"].value
    0.5
    """
    return (fn / (tp + fn)) / (tn / (fp + tn))


METRICS = (
    precision, recall, f1, fbeta, specificity, fpr, fnr, npv, fdr, false_omission_rate, informedness,
    positive_likelihood_ratio, negative_likelihood_ratio,
)  # fmt: skip
