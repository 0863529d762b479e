"""Retrievers and the metrics of a ranking, by the rules of trec_eval; `evaluate_run(qrels, run, measures)` scores dicts."""

from __future__ import annotations

import evalharness as eh
from evalharness_retrieval.evaluating import RunScores, evaluate_run

__all__ = ["RunScores", "evaluate_run"]


@eh.hookimpl
def evalharness_retrievers() -> list[type[eh.Retriever]]:
    from evalharness_retrieval import bm25, hybrid, recorded, trec_data

    return [bm25.BM25, hybrid.Hybrid, recorded.Recorded, trec_data.TrecRun]


@eh.hookimpl
def evalharness_datasets() -> list[type[eh.Dataset]]:
    from evalharness_retrieval.trec_data import TrecTopics

    return [TrecTopics]


@eh.hookimpl
def evalharness_metrics() -> list[type[eh.Metric]]:
    from evalharness_retrieval import contexts, incomplete, metrics, overlap, texts

    return [*metrics.METRICS, *incomplete.METRICS, *contexts.METRICS, *texts.METRICS, *overlap.METRICS]
