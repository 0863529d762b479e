"""Retrievers (`bm25`, `hybrid`, `recorded`) and the metrics of a ranking, by the rules of trec_eval."""

from __future__ import annotations

import evalharness as eh


@eh.hookimpl
def evalharness_retrievers() -> list[type[eh.Retriever]]:
    from evalharness_retrieval.bm25 import BM25
    from evalharness_retrieval.hybrid import Hybrid
    from evalharness_retrieval.recorded import Recorded

    return [BM25, Hybrid, Recorded]


@eh.hookimpl
def evalharness_metrics() -> list[type[eh.Metric]]:
    from evalharness_retrieval.metrics import MRR, NDCG, RetrievalPrecision, RetrievalRecall

    return [RetrievalRecall, RetrievalPrecision, MRR, NDCG]
