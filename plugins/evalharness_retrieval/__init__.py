"""Retrievers and the metrics of a ranking, by the rules of trec_eval; `evaluate_run(qrels, run, measures)` scores dicts."""

from __future__ import annotations

import evalharness as eh
from evalharness_retrieval.evaluating import RunScores, evaluate_run

__all__ = ["RunScores", "evaluate_run"]


@eh.hookimpl
def evalharness_retrievers() -> list[type[eh.Retriever]]:
    from evalharness_retrieval.bm25 import BM25
    from evalharness_retrieval.hybrid import Hybrid
    from evalharness_retrieval.recorded import Recorded

    return [BM25, Hybrid, Recorded]


@eh.hookimpl
def evalharness_metrics() -> list[type[eh.Metric]]:
    from evalharness_retrieval import contexts, incomplete, metrics

    return [*metrics.METRICS, *incomplete.METRICS, *contexts.METRICS]
