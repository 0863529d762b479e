"""Metrics of the passages that a system is given to read, by their ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalharness import neutral
from evalharness_retrieval.judged import NOTHING_FOUND, NOTHING_JUDGED, Judged
from evalharness_retrieval.ranked import Ranked, without


class ContextPrecision(Ranked):
    """How far the relevant passages retrieved stand before the others, 0 to 1: average precision over the retrieved.

    The precisions at the ranks of the relevant passages among the first k, averaged over these passages; 0 where there is
    none. It does not change where a relevant passage is missed (`map` does), nor where others follow (precision does).

    >>> found = [["one text", "another"]]
    >>> ContextPrecision().evaluate(contexts=found, relevant=[{"2": 1, "9": 1}]).scores["context_precision"].value
    0.5
    """

    name, formula = "context_precision", "sum of precision at the rank of each relevant passage retrieved / relevant retrieved"
    cite = "https://arxiv.org/abs/2309.15217"
    reference = "pytrec_eval-terrier 0.5.11: map where only retrieved passages are relevant; ragas adds 1e-10 to the divisor"
    k: tuple[int, ...] = neutral(())
    level: int = 1

    def at(self, judged: Judged, k: int | None) -> Any:
        return judged.precision_sum(self.level, k) / judged.hits_in(self.level, k).clip(1)


class IdContextPrecision(Ranked):
    """Share of the passages retrieved that are relevant, 0 to 1, by ids; unmeasured where nothing was retrieved.

    `retrieval_precision` with `k: []` is the same but for an empty ranking, which scores 0 there.

    >>> found = [["one text", "another"]]
    >>> IdContextPrecision().evaluate(contexts=found, relevant=[{"2": 1, "9": 1}]).scores["id_context_precision"].value
    0.5
    """

    name, formula = "id_context_precision", "relevant retrieved / retrieved"
    reference = "ragas 0.4.3 IDBasedContextPrecision, which gives NaN where ours is unmeasured"
    cite = "ragas 0.4.3, metrics by ids of contexts"
    level: int = 1

    def unmeasured(self, judged: Judged) -> Mapping[int, str]:
        return without(judged, judged.found == 0, NOTHING_FOUND)

    def at(self, judged: Judged, k: int | None) -> Any:
        return judged.hits_in(self.level, None) / judged.places(None)


class IdContextRecall(Ranked):
    """Share of the relevant passages that are retrieved, 0 to 1, by ids; unmeasured where none is relevant.

    `retrieval_recall` with `k: []` is the same but for samples whose judged passages are all not relevant: 0 there.

    >>> found = [["one text", "another"]]
    >>> IdContextRecall().evaluate(contexts=found, relevant=[{"2": 1, "9": 1}]).scores["id_context_recall"].value
    0.5
    """

    name, formula = "id_context_recall", "relevant retrieved / relevant"
    reference = "ragas 0.4.3 IDBasedContextRecall, which gives NaN where ours is unmeasured"
    cite = "ragas 0.4.3, metrics by ids of contexts"
    level: int = 1

    def unmeasured(self, judged: Judged) -> Mapping[int, str]:
        return without(judged, judged.relevant(self.level) == 0, NOTHING_JUDGED)

    def at(self, judged: Judged, k: int | None) -> Any:
        return judged.hits_in(self.level, None) / judged.relevant(self.level).clip(1)


METRICS: tuple[type[Ranked], ...] = (ContextPrecision, IdContextPrecision, IdContextRecall)
