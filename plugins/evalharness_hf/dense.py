"""Dense retrieval: exact search over sentence embeddings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import evalharness as eh

QUERIES_A_BLOCK = 256
PASSAGES_A_BLOCK = 65_536
DECIMALS = 6  # of a score; finer differences are rounding noise of the encoder's batches


class Dense(eh.Retriever):
    """Cosine similarity of query and passage embeddings, -1 to 1, searched exactly.

    `weights` names an encoder, as `evalharness weights list` shows them, a local folder or OWNER/NAME@REVISION. Texts
    are encoded as they are, without an instruction before them, and cut at the encoder's limit (256 tokens for
    all-minilm-l6-v2). Scores are rounded to 6 decimals, so that what is retrieved does not depend on which queries are
    encoded together; equal scores are ordered by passage id, descending bytes. The embeddings of a corpus are kept in
    the user's cache.

    Source: Reimers and Gurevych, Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks, EMNLP 2019.
    """

    name = "dense"
    needs = "hf"
    example = {"corpus": "corpus.jsonl"}
    corpus: eh.File
    weights: str = "all-minilm-l6-v2"
    _index: ClassVar[Index | None] = None  # shadowed on the instance by `index`; no option, no part of equality

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise ValueError(f"option 'top_k' must be at least 1, not {self.top_k}")

    def identity(self) -> str:
        return eh.digest([self.name, 1, eh.weights_digest(self.weights)])

    def passages(self) -> Iterable[eh.Passage]:
        return eh.read_corpus(self.corpus)

    def index(self, passages: Sequence[eh.Passage]) -> None:
        order = sorted(range(len(passages)), key=lambda row: passages[row].id.encode("utf-8", "surrogatepass"), reverse=True)
        vectors = self._vectors(passages)[order]
        object.__setattr__(self, "_index", Index(tuple(passages[row] for row in order), vectors))

    def search(self, queries: Sequence[str], top_k: int) -> list[list[eh.Passage]]:
        from evalharness_hf.encoder import encoder

        if self._index is None:
            self.index(list(self.passages()))
        assert self._index is not None
        return list(self._index.best(encoder(self.weights).embed(queries), top_k))

    def _vectors(self, passages: Sequence[eh.Passage]) -> Any:
        """Return the passages' embeddings in their order, from the cache where it has them."""
        import numpy as np

        from evalharness_hf.encoder import encoder

        path = eh.cache_folder("index") / f"dense-{eh.digest([self.identity(), eh.corpus_digest(passages)])}.npy"
        try:
            vectors = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):  # absent or damaged
            vectors = None
        if vectors is None or len(vectors) != len(passages):
            vectors = encoder(self.weights).embed([passage.text for passage in passages])
            _keep(vectors, path)
        return vectors


@dataclass(frozen=True)
class Index:
    """Passages ordered by id, descending, and their embeddings, float32 (passages, width)."""

    passages: tuple[eh.Passage, ...]
    vectors: Any

    def best(self, queries: Any, top_k: int) -> Iterator[list[eh.Passage]]:
        """Yield for each query embedding the passages with the highest scores."""
        for start in range(0, len(queries), QUERIES_A_BLOCK):
            for scores, rows in self._best_of_block(queries[start : start + QUERIES_A_BLOCK], top_k):
                found = [(self.passages[row], float(score)) for score, row in zip(scores, rows, strict=True)]
                yield [eh.Passage(passage.id, passage.text, score) for passage, score in found]

    def _best_of_block(self, queries: Any, top_k: int) -> list[tuple[Any, Any]]:
        import numpy as np

        best = [(np.zeros(0), np.zeros(0, np.int64)) for _ in queries]
        for start in range(0, len(self.passages), PASSAGES_A_BLOCK):
            block = self.vectors[start : start + PASSAGES_A_BLOCK]
            scores = np.round((queries @ block.T).astype(np.float64), DECIMALS)
            rows = np.arange(start, start + scores.shape[1])
            best = [
                _best(np.concatenate([had[0], new]), np.concatenate([had[1], rows]), top_k)
                for had, new in zip(best, scores, strict=True)
            ]
        return best


def _best(scores: Any, rows: Any, top_k: int) -> tuple[Any, Any]:
    """Return the `top_k` highest scores, best first, with their rows; equal scores keep their order."""
    import numpy as np

    if top_k < len(scores):
        lowest = np.partition(scores, len(scores) - top_k)[len(scores) - top_k]
        kept = np.flatnonzero(scores >= lowest)
        scores, rows = scores[kept], rows[kept]
    order = np.argsort(-scores, kind="stable")[:top_k]
    return scores[order], rows[order]


def _keep(vectors: Any, path: Path) -> None:
    """Write the embeddings whole under a temporary name and rename them."""
    import numpy as np

    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            np.save(stream, vectors, allow_pickle=False)
        temporary.replace(path)
    except OSError:  # a full disk: the vectors in memory serve this run
        temporary.unlink(missing_ok=True)
