"""Metrics of a ranking whose passages are judged in part only, and of how many are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalharness_retrieval.judged import NOTHING_FOUND, Judged, added, first
from evalharness_retrieval.ranked import TREC_EVAL, Ranked, without

EPSILON = 1e-5  # trec_eval's, so that no share of nothing is taken


class BPref(Ranked):
    """Share of the pairs of a relevant and a judged non-relevant passage that the ranking has in order, 0 to 1.

    Of the non-relevant passages only the first R count, R being how many are relevant. Passages that are not judged take
    no part, which makes it fit for judgements that are incomplete; a grade below 0 means not judged.

    >>> found = [["one text", "another", "a third"]]
    >>> BPref().evaluate(contexts=found, relevant=[{"1": 0, "3": 1, "9": 1, "8": 0}]).scores["bpref"].value
    0.25
    """

    name = "bpref"
    formula = "sum over relevant retrieved of 1 - min(non-relevant above, R) / min(non-relevant judged, R), divided by R"
    cite, reference = "https://doi.org/10.1145/1008992.1009000", f"{TREC_EVAL}: bpref"
    level: int = 1

    def at(self, judged: Judged, k: int | None) -> Any:
        import numpy as np

        relevant = judged.relevant(self.level)
        others = ((judged.ideal >= 0) & (judged.ideal < self.level)).sum(1)
        above = _judged_not_relevant(judged, self.level).cumsum(1)
        lost = np.minimum(above, relevant[:, None]) / np.minimum(others, relevant).clip(1)[:, None]
        return first(added(judged.hits(self.level) * (1 - lost)), k) / relevant.clip(1)


class InferredAP(Ranked):
    """Average precision inferred from a judged sample of the pool, 0 to 1; `map` where all of the pool is judged.

    A grade below 0 says that a passage was in the pool but not judged; a passage without grade was not in the pool and
    counts as not relevant.

    >>> found = [["one text", "another"]]
    >>> round(InferredAP().evaluate(contexts=found, relevant=[{"1": 1, "2": 1}]).scores["inf_ap"].value, 4)
    1.0
    """

    name = "inf_ap"
    formula = "mean over relevant of (1 + pooled above * relevant above / judged above) / rank, each share smoothed by 0.00001"
    cite, reference = "https://doi.org/10.1145/1183614.1183633", f"{TREC_EVAL}: infAP"
    level: int = 1

    def at(self, judged: Judged, k: int | None) -> Any:
        hits = judged.hits(self.level)
        above = judged.hits_until(self.level) - hits
        others = _judged_not_relevant(judged, self.level).cumsum(1)
        pooled = above + others + (judged.grades < 0).cumsum(1)
        share = (above + EPSILON) / (above + others + 2 * EPSILON)
        return first(added(hits * (1 + pooled * share) / judged.ranks), k) / judged.relevant(self.level).clip(1)


class JudgedShare(Ranked):
    """Share of the first k passages retrieved that are judged at all, 0 to 1: how far other scores can be trusted.

    Where fewer than k were retrieved, their share; where none, unmeasured. A grade below 0 means not judged.

    >>> found = [["one text", "another"]]
    >>> JudgedShare(k=(2,)).evaluate(contexts=found, relevant=[{"1": 0}]).scores["judged@2"].value
    0.5
    """

    name, formula = "judged", "judged among the first k / retrieved among the first k"
    reference = (
        "ir-measures 0.4.3: Judged, which breaks ties the other way and counts grades below 0 as judged; trec_eval 10: "
        "1 - unj, which divides by k where fewer were retrieved"
    )
    cite = "MacAvaney, Macdonald and Ounis, Streamlining evaluation with ir-measures (ECIR 2022)"
    k: tuple[int, ...] = (1, 3, 5)

    def unmeasured(self, judged: Judged) -> Mapping[int, str]:
        return without(judged, judged.found == 0, NOTHING_FOUND)

    def at(self, judged: Judged, k: int | None) -> Any:
        places = judged.found if k is None else judged.found.clip(max=k)
        return (judged.grades[:, :k] >= 0).sum(1) / places.clip(1)


def _judged_not_relevant(judged: Judged, level: int) -> Any:
    """Return which places hold a passage that was judged and is not relevant; bool, (rows, places)."""
    return (judged.grades >= 0) & (judged.grades < level)


METRICS: tuple[type[Ranked], ...] = (BPref, InferredAP, JudgedShare)
