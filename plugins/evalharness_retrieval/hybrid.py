"""Fuses the rankings of several retrievers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import field
from functools import cached_property

import evalharness as eh
from evalharness_retrieval.ranking import id_bytes


class Hybrid(eh.Retriever):
    """Reciprocal rank fusion: a passage scores the sum over the retrievers of `weight / (k + rank)`, ranks from 1.

    `of` names two or more retrievers over one corpus, `depth` is how many results of each are fused (at least `top_k`),
    `weights` one positive number a retriever (all 1 when left out). Equal scores are ordered by passage id, descending
    bytes. A corpus that differs between the retrievers is a DataError.

    Source: Cormack, Clarke and Büttcher, Reciprocal Rank Fusion (SIGIR 2009).
    """

    name = "hybrid"
    example = {"of": [{"bm25": {"corpus": "corpus.jsonl"}}, {"bm25": {"corpus": "corpus.jsonl", "language": None}}]}
    of: tuple[eh.Spec, ...] = field(metadata={"kind": "retriever"})
    k: int = 60
    depth: int = 50
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.of) < 2:
            raise ValueError(f"option 'of' needs two or more retrievers, not {len(self.of)}")
        if self.weights and (len(self.weights) != len(self.of) or min(self.weights) <= 0):
            raise ValueError(f"option 'weights' needs one positive number for each of the {len(self.of)} retrievers")
        if self.k < 0 or self.depth < 1 or self.top_k < 1:
            raise ValueError(f"needs k >= 0, depth >= 1 and top_k >= 1, not k {self.k}, depth {self.depth}, top_k {self.top_k}")

    @cached_property
    def parts(self) -> tuple[eh.Retriever, ...]:
        """The retrievers whose rankings are fused."""
        return tuple(eh.load_retriever(spec) for spec in self.of)

    def identity(self) -> str:
        return eh.digest([self.name, [part.identity() for part in self.parts], self.k, self.depth, self.weights])

    def passages(self) -> Iterable[eh.Passage]:
        _ = self._corpora_agree
        return self.parts[0].passages()

    @cached_property
    def _corpora_agree(self) -> bool:
        digests = [eh.corpus_digest(part.passages()) for part in self.parts]
        for spec, found in zip(self.of, digests, strict=True):
            if found != digests[0]:
                raise eh.DataError(
                    f"retriever 'hybrid': '{self.of[0].name}' and '{spec.name}' do not hold the same passages in the same "
                    "order; give all of them one corpus"
                )
        return True

    def index(self, passages: Sequence[eh.Passage]) -> None:
        for part in self.parts:
            part.index(passages)

    def search(self, queries: Sequence[str], top_k: int) -> list[list[eh.Passage]]:
        depth = max(self.depth, top_k)
        rankings = [part.search(queries, depth) for part in self.parts]
        weights = self.weights or (1.0,) * len(self.parts)
        return [self._fused(found, weights)[:top_k] for found in zip(*rankings, strict=True)]

    def _fused(self, rankings: Sequence[Sequence[eh.Passage]], weights: Sequence[float]) -> list[eh.Passage]:
        scores: dict[str, float] = defaultdict(float)
        texts: dict[str, str] = {}
        for ranking, weight in zip(rankings, weights, strict=True):
            for rank, passage in enumerate(ranking, start=1):
                scores[passage.id] += weight / (self.k + rank)
                texts[passage.id] = passage.text
        order = sorted(scores, key=lambda key: (scores[key], id_bytes(key)), reverse=True)
        return [eh.Passage(key, texts[key], scores[key]) for key in order]
