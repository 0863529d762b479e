"""Metrics of a ranking of passages against graded judgements, by the rules of trec_eval.

A passage that is not judged is not relevant. A sample that is judged but has no relevant passage scores 0; one without any
judgement (an unanswerable question) is unmeasured. A passage that occurs twice in one ranking makes its sample unmeasured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from evalharness import neutral
from evalharness_retrieval.judged import Judged, added, first
from evalharness_retrieval.ranked import TREC_EVAL, Ranked, without

LOWEST_AP = 1e-5  # what trec_eval counts an average precision below as, so that its logarithm is finite
HIGHEST_GRADE = 50  # of ERR: beyond, the chance to be satisfied cannot be told from 1


class RetrievalPrecision(Ranked):
    """Share of the first k places that hold a relevant passage, 0 to 1; places left empty count as not relevant.

    Without `k` the share of all passages retrieved, 0 where there are none. `level` is the lowest grade that counts as
    relevant (trec_eval -l).

    >>> found = [["one text", "another"]]
    >>> RetrievalPrecision(k=(1, 4)).evaluate(contexts=found, relevant=[{"1": 1, "9": 2}]).samples
    {'retrieval_precision@1': [1.0], 'retrieval_precision@4': [0.25]}
    """

    name, formula, reference = "retrieval_precision", "relevant among the first k / k", f"{TREC_EVAL}: P, set_P"
    cite = "Manning, Raghavan and Schütze, Introduction to Information Retrieval (2008), 8.3"
    k: tuple[int, ...] = (1, 3, 5)
    level: int = 1

    def at(self, judged: Judged, k: int | None) -> Any:
        return judged.hits_in(self.level, k) / judged.places(k)


class RetrievalRecall(Ranked):
    """Share of the relevant passages that stand among the first k, 0 to 1; without `k`, among all retrieved.

    `level` is the lowest grade that counts as relevant (trec_eval -l).

    >>> contexts = [["one text", "another"]]
    >>> RetrievalRecall(k=(1, 2)).evaluate(contexts=contexts, relevant=[{"2": 1, "9": 2}]).samples["retrieval_recall@2"]
    [0.5]
    """

    name, formula, reference = "retrieval_recall", "relevant among the first k / relevant", f"{TREC_EVAL}: recall, set_recall"
    cite = "Manning, Raghavan and Schütze, Introduction to Information Retrieval (2008), 8.3"
    k: tuple[int, ...] = (1, 3, 5)
    level: int = 1

    def at(self, judged: Judged, k: int | None) -> Any:
        return judged.hits_in(self.level, k) / judged.relevant(self.level).clip(1)


class RetrievalF(Ranked):
    """Weighted harmonic mean of `retrieval_precision` and `retrieval_recall` at k, 0 to 1; without `k`, of the sets.

    `beta` above 1 weighs recall more; trec_eval's parameter of set_F is its square.

    >>> RetrievalF(k=(1, 3)).evaluate(contexts=[["one text", "another"]], relevant=[{"2": 1}]).samples
    {'retrieval_f@1': [0.0], 'retrieval_f@3': [0.5]}
    """

    name, formula = "retrieval_f", "(1 + beta^2) relevant among the first k / (beta^2 relevant + k)"
    cite, reference = "van Rijsbergen, Information Retrieval (1979)", f"{TREC_EVAL}: set_F; F at k follows from P and recall"
    k: tuple[int, ...] = (1, 3, 5)
    beta: float = 1.0
    level: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.beta > 0:
            raise ValueError(f"option 'beta' must be above 0, not {self.beta}")

    def at(self, judged: Judged, k: int | None) -> Any:
        square = self.beta**2
        hits, relevant = judged.hits_in(self.level, k), judged.relevant(self.level)
        return (1 + square) * hits / (square * relevant + judged.places(k))


class HitRate(Ranked):
    """Share of the samples that have a relevant passage among the first k (success, hit rate), 0 to 1.

    >>> HitRate(k=(1, 2)).evaluate(contexts=[["one text", "another"]], relevant=[{"2": 1}]).samples
    {'hit_rate@1': [0.0], 'hit_rate@2': [1.0]}
    """

    name, formula, reference = "hit_rate", "1 if any of the first k is relevant, else 0", f"{TREC_EVAL}: success"
    cite = "Buckley, trec_eval: success, after Tomlinson"
    k: tuple[int, ...] = (1, 3, 5)
    level: int = 1

    def at(self, judged: Judged, k: int | None) -> Any:
        return (judged.hits_in(self.level, k) > 0).astype(float)


class MRR(Ranked):
    """Mean reciprocal rank of the first relevant passage, 0 to 1; 0 where none is found among the first `k`.

    `level` is the lowest grade that counts as relevant (trec_eval -l).

    >>> MRR().evaluate(contexts=[["one text", "another"]], relevant=[{"2": 1}]).scores["mrr"].value
    0.5
    """

    name, formula, reference = "mrr", "1 / rank of the first relevant passage", f"{TREC_EVAL}: recip_rank"
    cite = "Voorhees, The TREC-8 question answering track report (1999)"
    k: tuple[int, ...] = neutral(())
    level: int = 1

    def at(self, judged: Judged, k: int | None) -> Any:
        hits = judged.hits(self.level)[:, :k]
        return hits.any(1) / (hits.argmax(1) + 1.0)


class MAP(Ranked):
    """Mean average precision, 0 to 1: the precision at each relevant passage, summed, over all relevant passages.

    A relevant passage that is not retrieved, or not among the first `k`, adds 0 and is counted: unlike
    `context_precision`, which divides by those that were retrieved.

    >>> found = [["one text", "another"]]
    >>> MAP().evaluate(contexts=found, relevant=[{"2": 1, "9": 1}]).scores["map"].value
    0.25
    """

    name, formula = "map", "sum of precision at the rank of each relevant passage retrieved / relevant"
    cite, reference = "Voorhees and Harman, TREC (2005)", f"{TREC_EVAL}: map, map_cut"
    k: tuple[int, ...] = neutral(())
    level: int = 1

    def at(self, judged: Judged, k: int | None) -> Any:
        return judged.precision_sum(self.level, k) / judged.relevant(self.level).clip(1)


class GeometricMAP(Ranked):
    """Geometric mean of average precision, 0.00001 to 1: a system gains more by mending a bad topic than a good one.

    An average precision below 0.00001 counts as that.

    >>> found = [["one text"], ["another", "a third"]]
    >>> round(GeometricMAP().evaluate(contexts=found, relevant=[{"1": 1}, {"2": 1}]).scores["gm_map"].value, 4)
    0.7071
    """

    name, formula = "gm_map", "exp(mean of log(max(average precision, 0.00001)))"
    cite, reference = "Robertson, On GMAP and other transformations (CIKM 2006)", f"{TREC_EVAL}: gm_map"
    level: int = 1

    def statistics(self, judged: Judged) -> dict[str, Any]:
        import numpy as np

        average = judged.precision_sum(self.level, None) / judged.relevant(self.level).clip(1)
        return {"log": np.log(average.clip(LOWEST_AP)), "samples": np.ones(len(average))}

    def score(self, log: Any, samples: Any) -> Any:
        import numpy as np

        return np.exp(log / samples)


class NDCG(Ranked):
    """Discounted cumulative gain of the first k places as a share of the best possible, 0 to 1; without `k`, of all.

    The discount of rank r is `log2(r + 1)`. `gain` is what a passage of grade g gives: `grade`, g itself, as in
    trec_eval; `exponential`, 2^g - 1. Grades below 1 give nothing. The best possible ranking is made of all judged
    passages, retrieved or not. No relevance level applies, as in trec_eval.

    >>> found = [["one text", "another"]]
    >>> round(NDCG(k=(2,)).evaluate(contexts=found, relevant=[{"1": 1, "2": 3}]).scores["ndcg@2"].value, 4)
    0.7967
    """

    name, formula = "ndcg", "sum of gain / log2(rank + 1) over the first k, divided by that of the best ranking"
    cite = "https://doi.org/10.1145/582415.582418"
    reference = (
        f"{TREC_EVAL}: ndcg, ndcg_cut; exponential gains: gdeval 1.2a of ir-measures 0.4.3, which skips topics without any"
    )
    k: tuple[int, ...] = (1, 3, 5)
    gain: Literal["grade", "exponential"] = neutral("grade")

    def at(self, judged: Judged, k: int | None) -> Any:
        import numpy as np

        gained = first(judged.once(("gained", self.gain), lambda: self._gained(judged.grades)), k)
        best = first(judged.once(("best", self.gain), lambda: self._gained(judged.ideal)), k)
        return np.divide(gained, best, out=np.zeros_like(best), where=best > 0)

    def _gained(self, grades: Any) -> Any:
        """Return the discounted gain up to each place; an empty one and one that is not judged give none."""
        import numpy as np

        gains = np.fmax(grades, 0)
        gains = np.exp2(gains) - 1 if self.gain == "exponential" else gains
        return added(gains / np.array([math.log2(rank + 1) for rank in range(1, grades.shape[1] + 1)]))


class RPrecision(Ranked):
    """Share of the first R places that hold a relevant passage, R being how many are relevant, 0 to 1.

    >>> found = [["one text", "another"]]
    >>> RPrecision().evaluate(contexts=found, relevant=[{"2": 1, "9": 1}]).scores["r_precision"].value
    0.5
    """

    name, formula, reference = "r_precision", "relevant among the first R / R, R = relevant", f"{TREC_EVAL}: Rprec"
    cite = "Buckley and Voorhees, Retrieval system evaluation, in TREC (2005)"
    level: int = 1

    def at(self, judged: Judged, k: int | None) -> Any:
        relevant = judged.relevant(self.level)
        return (judged.hits(self.level) & (judged.ranks <= relevant[:, None])).sum(1) / relevant.clip(1)


class RBP(Ranked):
    """Rank-biased precision, 0 to 1: the gain a step of a reader who goes on to the next place with probability `p`.

    A relevant passage gains 1 (`level` says which are). `p` is 0.9 by default, trec_eval's; ir-measures has 0.8. What lies
    below the last place retrieved counts as not relevant.

    >>> found = [["one text", "another"]]
    >>> round(RBP(p=0.8).evaluate(contexts=found, relevant=[{"2": 1}]).scores["rbp"].value, 4)
    0.16
    """

    name, formula = "rbp", "(1 - p) sum over relevant of p^(rank - 1)"
    cite = "https://doi.org/10.1145/1416950.1416952"
    reference = (
        "trec_eval 10 (its own test files): rbp, which for grades above 1 scales gains by numbers that it has not "
        "initialised; here every relevant passage gains 1"
    )
    k: tuple[int, ...] = neutral(())
    p: float = 0.9
    level: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.p < 1:
            raise ValueError(f"option 'p' must lie between 0 and 1, not be {self.p}")

    def at(self, judged: Judged, k: int | None) -> Any:
        weights = [self.p**rank for rank in range(judged.grades.shape[1])]
        return (1 - self.p) * first(added(judged.hits(self.level) * weights), k)


class ERR(Ranked):
    """Expected reciprocal rank at which a reader is satisfied, 0 to 1, if grade g satisfies with (2^g - 1) / 2^max_grade.

    Grades below 1 satisfy never. A sample with a grade above `max_grade` (4 by default, as in TREC's script) is unmeasured.

    >>> found = [["one text", "another"]]
    >>> ERR(max_grade=1).evaluate(contexts=found, relevant=[{"1": 1, "2": 1}]).scores["err"].value
    0.625
    """

    name, formula = "err", "sum over ranks of s(rank) / rank * product over the ranks above of 1 - s, s = (2^g - 1) / 2^max_grade"
    cite = "https://doi.org/10.1145/1645953.1646033"
    reference = "gdeval 1.2a of ir-measures 0.4.3, which skips topics without a relevant document where ours are 0"
    k: tuple[int, ...] = neutral(())
    max_grade: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.max_grade <= HIGHEST_GRADE:
            raise ValueError(f"option 'max_grade' must be a whole number from 1 to {HIGHEST_GRADE}, not {self.max_grade}")

    def unmeasured(self, judged: Judged) -> Mapping[int, str]:
        return without(judged, judged.ideal[:, 0] > self.max_grade, "grade above max_grade")

    def at(self, judged: Judged, k: int | None) -> Any:
        import numpy as np

        satisfied = (np.exp2(np.fmax(judged.grades, 0).clip(None, self.max_grade)) - 1) / 2**self.max_grade
        going_on = np.cumprod(1 - satisfied, axis=1) / (1 - satisfied)
        return first(added(satisfied * going_on / judged.ranks), k)


METRICS: tuple[type[Ranked], ...] = (
    RetrievalRecall,
    RetrievalPrecision,
    RetrievalF,
    HitRate,
    MRR,
    MAP,
    GeometricMAP,
    NDCG,
    RPrecision,
    RBP,
    ERR,
)
