"""Real models with torch and transformers: model `hf`, retriever `dense`, metrics `bert_score` and `answer_similarity`."""

from __future__ import annotations

import evalharness as eh


@eh.hookimpl
def evalharness_models() -> list[type[eh.Model]]:
    from evalharness_hf.model import HuggingFace

    return [HuggingFace]


@eh.hookimpl
def evalharness_retrievers() -> list[type[eh.Retriever]]:
    from evalharness_hf.dense import Dense

    return [Dense]


@eh.hookimpl
def evalharness_metrics() -> list[type[eh.Metric]]:
    from evalharness_hf.bert_score import BertScore
    from evalharness_hf.similarity import AnswerSimilarity

    return [AnswerSimilarity, BertScore]
