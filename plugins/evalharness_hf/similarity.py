"""Similarity in meaning of answer and reference: the cosine of what a sentence encoder makes of them."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import evalharness as eh
from evalharness_hf.encoder import encoder, identity


class AnswerSimilarity(eh.Metric):
    """Cosine of the sentence embeddings of response and reference, mean over samples, -1 to 1.

    Of several references the nearest counts. The cosine is shown as it is, neither cut at 0 nor held against a threshold. A
    blank response or reference scores 0; a sample without references is unmeasured. `weights`: a sentence encoder
    (`evalharness weights list`, a local folder, or OWNER/NAME@REVISION); pooling and the limit at which texts are cut are its
    own (256 tokens for all-minilm-l6-v2). Runs in float32; values agree to 1e-4 whatever the batch.

    On the development set of the English STS benchmark, 1,500 pairs of sentences, the rank correlation with people's
    judgements (Spearman) is .867.

    >>> metric = AnswerSimilarity()
    >>> rows = metric.measure(response=["The mill burned down.", ""], references=[["Fire destroyed the mill."], ["x"]])
    >>> [round(value, 2) for value in rows.statistics["cosine"]]
    [0.89, 0.0]
    """

    name, better, range = "answer_similarity", "higher", (-1, 1)
    needs = "hf"
    tolerance = 1e-4
    family: ClassVar[str] = "similarity"
    formula: ClassVar[str] = "mean over samples of max over references r of E(response) . E(r) / (|E(response)| |E(r)|)"
    cite: ClassVar[str] = "Reimers and Gurevych, Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks, EMNLP 2019"
    reference: ClassVar[str] = (
        "sentence-transformers 6.2.0 encode and util.cos_sim; blank texts apart, which it embeds too. ragas 0.4.3 "
        "answer_similarity is the same for one reference and the same encoder"
    )

    weights: str = "all-minilm-l6-v2"

    def signature(self) -> str:
        return f"{super().signature()}|weights_digest:{identity(self.weights)}"

    def measure(self, response: Sequence[str], references: Sequence[Sequence[str]], batch: eh.Batch | None = None) -> eh.Rows:
        """Return the cosine with the nearest reference of each row."""
        embed = functools.partial(_embedded, self.weights, response, references)
        vectors = embed() if batch is None else batch.once(("answer_similarity", self.weights), embed)
        cosines = [
            max((_cosine(vectors, text, other) for other in others), default=math.nan)
            for text, others in zip(response, references, strict=True)
        ]
        return eh.Rows({"cosine": cosines}, {row: "no reference" for row, others in enumerate(references) if not others})


def _embedded(weights: str, response: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return the vector of length 1 of each text that is not blank."""
    every = dict.fromkeys([*response, *(text for row in references for text in row)])
    texts = [text for text in every if text.strip()]
    return dict(zip(texts, encoder(weights).embed(texts), strict=True))


def _cosine(vectors: dict[str, Any], text: str, other: str) -> float:
    if not (text in vectors and other in vectors):
        return 0.0
    return min(max(float(vectors[text] @ vectors[other]), -1.0), 1.0)  # rounding may lead beyond
