"""Metrics of the texts of the passages that a system is given to read, by how similar they are to other texts.

The similarity of two texts is 1 - edit distance / length of the longer one, over characters (normalised Levenshtein, 0 to 1,
1 for two empty texts). Texts count as alike from the option `threshold` on, the same rule everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import evalharness as eh
from evalharness_retrieval.judged import NOTHING_FOUND, Column

RAGAS = (
    "ragas 0.4.3 {}, which counts a similarity of just the threshold for precision and not for recall, where ours counts it "
    "for both, and fails for an empty ranking, where ours is 0"
)


class _Alike(eh.Metric):
    range, family = (0, 1), "contexts"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"option 'threshold' must be above 0 and at most 1, not {self.threshold}")

    def alike(self, texts: Sequence[str], others: Sequence[str]) -> Any:
        """Return which texts are alike; bool, (texts, others)."""
        import numpy as np
        from rapidfuzz.distance.Levenshtein import normalized_similarity
        from rapidfuzz.process import cdist

        similar = cdist(texts, others, scorer=normalized_similarity, dtype=np.float64)
        return similar >= self.threshold


class _AgainstReferences(_Alike):
    better, reads = "higher", ("contexts", "reference_contexts")

    def measure(self, contexts: Column, reference_contexts: Column) -> eh.Rows:
        return _rows(self._checked, contexts, reference_contexts)

    def _checked(self, contexts: Sequence[eh.Passage], reference_contexts: str | Sequence[str]) -> float | eh.Unmeasured:
        wanted = [reference_contexts] if isinstance(reference_contexts, str) else list(reference_contexts)
        if not wanted:
            return eh.Unmeasured("no reference contexts")
        return self.value(self.alike([passage.text for passage in contexts], wanted)) if contexts else 0.0

    def value(self, alike: Any) -> float:
        """Return the value of one sample from which of its passages (rows) are like which references (columns)."""
        raise NotImplementedError


class TextContextPrecision(_AgainstReferences):
    """How far the passages that are like a reference passage stand before the others, 0 to 1, by their texts.

    Average precision over the passages retrieved, of which one is right if it is like any text of `reference_contexts`
    (several: the most similar one counts); 0 where none is. See `context_precision`, the same by ids.

    >>> metric = TextContextPrecision()
    >>> columns = {"contexts": [["sand", "the lake froze"]], "reference_contexts": [["The lake froze."]]}
    >>> metric.evaluate(**columns).scores["text_context_precision"].value
    0.5
    """

    name, formula = "text_context_precision", "sum of precision at the rank of each passage like a reference / such passages"
    cite, reference = "https://arxiv.org/abs/2309.15217", RAGAS.format("NonLLMContextPrecisionWithReference")

    def value(self, alike: Any) -> float:
        import numpy as np

        ranks = np.flatnonzero(alike.any(1)) + 1
        return float(np.mean(np.arange(1, len(ranks) + 1) / ranks)) if len(ranks) else 0.0


class TextContextRecall(_AgainstReferences):
    """Share of the reference passages that a passage retrieved is like, 0 to 1, by their texts.

    >>> metric = TextContextRecall()
    >>> columns = {"contexts": [["sand", "the lake froze"]], "reference_contexts": [["The lake froze.", "Ice is thin."]]}
    >>> metric.evaluate(**columns).scores["text_context_recall"].value
    0.5
    """

    name, formula = "text_context_recall", "reference passages that one retrieved is like / reference passages"
    cite, reference = "https://arxiv.org/abs/2309.15217", RAGAS.format("NonLLMContextRecall")

    def value(self, alike: Any) -> float:
        return float(alike.any(0).mean())


class ContextRedundancy(_Alike):
    """Share of the passages retrieved that nearly repeat one that stands before them, 0 to 1; 0 where all differ.

    Nearly: alike from a similarity of `threshold` on. Unmeasured where nothing was retrieved.

    >>> columns = {"contexts": [["The lake froze.", "Sand.", "The lake froze!"]]}
    >>> round(ContextRedundancy().evaluate(**columns).scores["context_redundancy"].value, 4)
    0.3333
    """

    name, better, formula = "context_redundancy", "lower", "passages that are like an earlier one / passages"
    reference = "its definition, pair by pair"
    threshold: float = 0.9

    def measure(self, contexts: Column) -> eh.Rows:
        return _rows(self.value, contexts)

    def value(self, contexts: Sequence[eh.Passage]) -> float | eh.Unmeasured:
        """Return the share of one sample."""
        import numpy as np

        if not contexts:
            return eh.Unmeasured(NOTHING_FOUND)
        texts = [passage.text for passage in contexts]
        return float(np.tril(self.alike(texts, texts), -1).any(1).mean())


def _rows(value: Callable[..., float | eh.Unmeasured], *columns: Column) -> eh.Rows:
    """Return what a function gives of each row."""
    found = [value(*row) for row in zip(*columns, strict=True)]
    reasons = {row: result.reason for row, result in enumerate(found) if isinstance(result, eh.Unmeasured)}
    return eh.Rows({"value": [0.0 if row in reasons else result for row, result in enumerate(found)]}, reasons)


METRICS: tuple[type[eh.Metric], ...] = (TextContextPrecision, TextContextRecall, ContextRedundancy)
