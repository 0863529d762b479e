"""Metrics of a ranking of passages against graded judgements, by the rules of trec_eval.

All of them read `contexts`, whose order is the ranking, and `relevant`, which maps passage ids to grades. A passage that
is not judged is not relevant. A sample that is judged but has no relevant passage scores 0; one without any judgement
(an unanswerable question) is unmeasured. A passage that occurs twice in one ranking makes its sample unmeasured.
"""

from __future__ import annotations

from typing import Any

import evalharness as eh
from evalharness_retrieval.judged import Column, Judged

REFERENCE = "pytrec_eval-terrier 0.5 (trec_eval 9)"


class _AtCutOffs(eh.Metric):
    better, range, reference = "higher", (0, 1), REFERENCE
    reads = ("contexts", "relevant")
    k: tuple[int, ...] = (1, 3, 5)

    def __post_init__(self) -> None:
        if not self.k or min(self.k) < 1 or len(set(self.k)) != len(self.k):
            raise ValueError(f"option 'k' needs different whole numbers from 1, at least one, not {list(self.k)}")

    @property
    def parts(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(f"@{k}" for k in self.k)

    def measure(self, contexts: Column, relevant: Column, batch: eh.Batch) -> eh.Rows:
        judged = batch.once("evalharness_retrieval.judged", lambda: Judged.of(contexts, relevant))
        return eh.Rows({part: self.at(judged, k) for part, k in zip(self.parts, self.k, strict=True)}, judged.unmeasured)

    def at(self, judged: Judged, k: int) -> Any:
        """Return the value of each row at the cut-off; float64, (rows,)."""
        raise NotImplementedError


class _ByLevel(_AtCutOffs):
    level: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_level(self.level)


class RetrievalRecall(_ByLevel):
    """Share of the relevant passages that stand among the first k, 0 to 1.

    `level` is the lowest grade that counts as relevant (trec_eval -l).

    >>> contexts = [[eh.Passage("a", ""), eh.Passage("b", "")]]
    >>> RetrievalRecall(k=(1, 2)).evaluate(contexts=contexts, relevant=[{"b": 1, "c": 2}]).samples["retrieval_recall@2"]
    [0.5]
    """

    name = "retrieval_recall"

    def at(self, judged: Judged, k: int) -> Any:
        return judged.hits(self.level)[:, :k].sum(1) / judged.relevant(self.level).clip(1)


class RetrievalPrecision(_ByLevel):
    """Share of the first k places that hold a relevant passage, 0 to 1; places left empty count as not relevant.

    `level` is the lowest grade that counts as relevant (trec_eval -l).
    """

    name = "retrieval_precision"

    def at(self, judged: Judged, k: int) -> Any:
        return judged.hits(self.level)[:, :k].sum(1) / k


class NDCG(_AtCutOffs):
    """Discounted cumulative gain of the first k places as a share of the best possible, 0 to 1.

    The gain of a passage is its grade (below 1: none), the discount of rank r is `log2(r + 1)`, and the best possible
    ranking is made of all judged passages, retrieved or not. No relevance level applies, as in trec_eval.

    Source: Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques (2002), with linear gain.
    """

    name = "ndcg"
    cite = "https://doi.org/10.1145/582415.582418"

    def at(self, judged: Judged, k: int) -> Any:
        import numpy as np

        best = judged.gain(judged.ideal, k)
        return np.divide(judged.gain(judged.grades, k), best, out=np.zeros_like(best), where=best > 0)


class MRR(eh.Metric):
    """Mean reciprocal rank of the first relevant passage, 0 to 1; 0 where none is found among the first `k` (null: all).

    `level` is the lowest grade that counts as relevant (trec_eval -l).
    """

    name, better, range, reference = "mrr", "higher", (0, 1), REFERENCE
    k: int | None = None
    level: int = 1

    def __post_init__(self) -> None:
        if self.k is not None and self.k < 1:
            raise ValueError(f"option 'k' must be null or a whole number from 1, not {self.k}")
        _check_level(self.level)

    def measure(self, contexts: Column, relevant: Column, batch: eh.Batch) -> eh.Rows:
        judged = batch.once("evalharness_retrieval.judged", lambda: Judged.of(contexts, relevant))
        hits = judged.hits(self.level)[:, : self.k]
        return eh.Rows({"value": hits.any(1) / (hits.argmax(1) + 1.0)}, judged.unmeasured)


def _check_level(level: int) -> None:
    if level < 1:
        raise ValueError(f"option 'level' must be a whole number from 1, not {level}")
