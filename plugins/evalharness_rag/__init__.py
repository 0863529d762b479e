"""Metrics of retrieval-augmented answers, and the extractive baseline."""

from __future__ import annotations

import evalharness as eh


@eh.hookimpl
def evalharness_metrics() -> list[type[eh.Metric]]:
    from evalharness_rag.faithfulness import Faithfulness
    from evalharness_rag.word_precision import WordPrecision

    return [Faithfulness, WordPrecision]


@eh.hookimpl
def evalharness_models() -> list[type[eh.Model]]:
    from evalharness_rag.extractive import Extractive

    return [Extractive]
