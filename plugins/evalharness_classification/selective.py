"""Whether confidence tells right answers from wrong ones: what is left wrong when the least sure are not answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from evalharness import Figure
from evalharness_classification.confidence import READING, OfConfidence
from evalharness_classification.curves import Steps, curve
from evalharness_classification.declaring import declared

_GEIFMAN = "Geifman et al., Bias-reduced uncertainty estimation for deep neural classifiers, ICLR 2019"


class _Selective(OfConfidence):
    """Metrics of the ranking of answers by confidence; equal confidences in the mean over their orders."""

    facts: ClassVar[str] = f"Answers of equal confidence count as in the mean over their orders.\n\n    {READING}"

    def score(self, *, weights: Any, confidence: Any, right: Any) -> Any:
        """Return the value for weights (n,) or (replicates, n)."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            return self.value(Steps.of(confidence[:, 0], right[:, 0], weights))

    def value(self, steps: Steps) -> Any:
        """Return the value from how many are answered and right down to each confidence."""
        raise NotImplementedError

    def figures(self, *, weights: Any, confidence: Any, right: Any) -> tuple[Figure, ...]:
        """Return the share of wrong answers over the share that is answered."""
        steps = Steps.of(confidence[:, 0], right[:, 0], weights)
        risk = curve(steps.taken / steps.taken[-1], 1 - steps.precision)
        unit = (0.0, 1.0)
        return (Figure(title="Risk and coverage", x="coverage", y="share wrong", curves=(risk,), x_range=unit, y_range=unit),)


def _selective(**stated: Any) -> Callable[[Callable[..., Any]], type[_Selective]]:
    def wrap(function: Callable[..., Any]) -> type[_Selective]:
        return declared(function, _Selective, "value", {"range": (0, 1), **stated})

    return wrap


def _summed_risk(before: Any, errors_before: Any, errors: Any, count: Any) -> Any:
    """Return the sum of errors / answered over each of `count` more answers, of which `errors` are wrong, evenly spread."""
    import numpy as np
    from scipy.special import digamma

    rate = np.divide(errors, count, out=np.zeros(np.shape(count)), where=count > 0)
    return errors + (errors_before - before * rate) * (digamma(before + count + 1) - digamma(before + 1))


def _aurc(steps: Steps) -> Any:
    import numpy as np

    taken, errors = steps.taken.astype(float), steps.taken - steps.hits
    count, wrong = (np.diff(sums, axis=-1, prepend=0.0) for sums in (taken, errors))
    return _summed_risk(taken - count, errors - wrong, wrong, count).sum(-1) / taken[..., -1]


@_selective(
    better="lower",
    formula="mean over j = 1..n of the share of wrong ones among the j most confident answers",
    cite=_GEIFMAN,
    reference="closed form",
)
def aurc(steps: Steps) -> Any:
    """Share of wrong answers among those that are answered, averaged over all coverages, 0 to 1.

    It is low where answers are right as well as where the wrong ones are the least confident; `e_aurc` is the latter alone.

    >>> round(aurc().evaluate(probabilities=[0.9, 0.8, 0.7], target=[1, 1, 0]).scores["aurc"].value, 4)
    0.1111
    """
    return _aurc(steps)


@_selective(
    better="lower",
    formula="AURC less that of the same answers with all wrong ones last",
    cite=_GEIFMAN,
    reference="closed form",
)
def e_aurc(steps: Steps) -> Any:
    """Excess of `aurc` over that of a ranking with all wrong answers last, 0 to 1; 0 where confidence tells them apart.

    >>> round(e_aurc().evaluate(probabilities=[0.9, 0.8, 0.7], target=[0, 1, 1]).scores["e_aurc"].value, 4)
    0.5
    """
    import numpy as np

    whole, right = steps.taken[..., -1].astype(float), steps.hits[..., -1]
    best = _summed_risk(right, np.zeros_like(whole), whole - right, whole - right) / whole
    return np.maximum(_aurc(steps) - best, 0.0)


@_selective(
    better="higher",
    formula="P(confidence of a right answer > that of a wrong one) + P(equal) / 2",
    cite="Hendrycks and Gimpel, A baseline for detecting misclassified and out-of-distribution examples, ICLR 2017",
    reference="sklearn.metrics.roc_auc_score 1.9.1",
)
def failure_auroc(steps: Steps) -> Any:
    """Chance that a right answer is held with more confidence than a wrong one, equal confidences half, 0 to 1.

    0.5 is confidence that says nothing. It is undefined where all answers are right, or all wrong.

    >>> failure_auroc().evaluate(probabilities=[0.9, 0.8, 0.7], target=[1, 0, 1]).scores["failure_auroc"].value
    0.5
    """
    import numpy as np

    wrong, right = (np.diff(sums, axis=-1, prepend=0.0) for sums in (steps.taken - steps.hits, steps.hits))
    pairs = wrong * (steps.hits - right / 2)
    return pairs.sum(-1) / (steps.positives * steps.negatives)[..., 0]


class SelectiveAccuracy(_Selective):
    __doc__ = f"""Share of right answers among the most confident `coverage` of all, 0 to 1.

    {_Selective.facts}

    >>> metric = SelectiveAccuracy(coverage=0.5)
    >>> metric.evaluate(probabilities=[0.9, 0.8, 0.7, 0.6], target=[1, 1, 0, 0]).scores["selective_accuracy"].value
    1.0
    """

    name, better, range = "selective_accuracy", "higher", (0, 1)
    formula: ClassVar[str] = "right ones among the coverage * n most confident answers / (coverage * n)"
    cite: ClassVar[str] = "El-Yaniv and Wiener, On the foundations of noise-free selective classification, JMLR 11, 2010"
    reference: ClassVar[str] = "closed form; at coverage 1 sklearn.metrics.accuracy_score 1.9.1"

    coverage: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.coverage <= 1:
            raise ValueError(f"coverage is {self.coverage:g}, but must be above 0 and at most 1")

    def value(self, steps: Steps) -> Any:
        """Return the share of right ones down to the coverage; of a confidence that it cuts, their part."""
        import numpy as np

        taken, wanted = steps.taken.astype(float), self.coverage * steps.taken[..., -1:]
        count, right = (np.diff(sums, axis=-1, prepend=0.0) for sums in (taken, steps.hits))
        part = np.clip((wanted - (taken - count)) / np.where(count > 0, count, 1.0), 0.0, 1.0)
        return (part * right).sum(-1) / wanted[..., 0]


METRICS = (aurc, e_aurc, failure_auroc, SelectiveAccuracy)
