"""Lexical search with the bm25s library."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import evalharness as eh
from evalharness_retrieval.ranking import best_rows, id_order
from evalharness_retrieval.words import Language, analyser

CACHED_FROM = 10_000  # passages; smaller corpora are indexed faster than a cached index is looked after


class BM25(eh.Retriever):
    """Okapi BM25 over words, as Lucene computes it: idf `log(1 + (N - df + 0.5) / (df + 0.5))`, no constant factor.

    `language` chooses stemmer and stop words, null turns both off. `k1` is how soon a repeated word stops adding, `b`
    how much long passages are marked down. Only passages that share a word with the query are returned, so a query
    that is empty or has no known word finds nothing. Equal scores are ordered by passage id, descending bytes.
    Scripts without spaces between words are matched by whole runs of letters: use `dense` for them.

    Source: Robertson and Zaragoza, The Probabilistic Relevance Framework (2009); Lù, BM25S (2024).

    >>> search = BM25(corpus=eh.File("unused.jsonl"))
    >>> search.index([eh.Passage("a", "The lake froze."), eh.Passage("b", "A river of ice."), eh.Passage("c", "Sand.")])
    >>> [passage.id for passage in search.search(["frozen lakes and rivers"], top_k=3)[0]]
    ['b', 'a']
    """

    name = "bm25"
    example = {"corpus": "corpus.jsonl"}
    corpus: eh.File
    k1: float = 1.5
    b: float = 0.75
    language: Language | None = "english"
    _index: ClassVar[Index | None] = None  # shadowed on the instance by `index`; no option, no part of equality

    def __post_init__(self) -> None:
        if self.k1 < 0 or not 0 <= self.b <= 1 or self.top_k < 1:
            raise ValueError(f"needs k1 >= 0, 0 <= b <= 1 and top_k >= 1, not k1 {self.k1}, b {self.b}, top_k {self.top_k}")

    def identity(self) -> str:
        return eh.digest([self.name, self.k1, self.b, self.language])

    def passages(self) -> Iterable[eh.Passage]:
        return eh.read_corpus(self.corpus)

    def index(self, passages: Sequence[eh.Passage]) -> None:
        passages = tuple(passages)
        scorer = _stored_scorer(self, passages) if len(passages) >= CACHED_FROM else _made_scorer(self, passages)
        object.__setattr__(self, "_index", Index(passages, id_order(passages), scorer))

    def search(self, queries: Sequence[str], top_k: int) -> list[list[eh.Passage]]:
        if self._index is None:
            self.index(list(self.passages()))
        assert self._index is not None
        terms = analyser(self.language)
        return [self._index.best(terms(query), top_k) for query in queries]


@dataclass(frozen=True)
class Index:
    """A searchable corpus: `scorer` is None where no passage holds a word, `order` ranks the ids, last one first."""

    passages: tuple[eh.Passage, ...]
    order: Any
    scorer: Any

    def best(self, terms: list[str], top_k: int) -> list[eh.Passage]:
        """Return at most `top_k` passages that hold one of the terms, best first."""
        known = self.scorer.get_tokens_ids(terms) if self.scorer else []
        if not known:
            return []
        scores = self.scorer.get_scores_from_ids(known)
        rows = [(self.passages[row], float(scores[row])) for row in best_rows(scores, self.order, top_k)]
        return [eh.Passage(passage.id, passage.text, score) for passage, score in rows if score > 0]


def _made_scorer(options: BM25, passages: Sequence[eh.Passage]) -> Any:
    import bm25s

    terms = analyser(options.language)
    vocabulary: dict[str, int] = {}
    ids = [[vocabulary.setdefault(term, len(vocabulary)) for term in terms(passage.text)] for passage in passages]
    if not vocabulary:
        return None
    scorer = bm25s.BM25(k1=options.k1, b=options.b, method="lucene", dtype="float64", backend="numpy")
    scorer.index((ids, vocabulary), show_progress=False)
    return scorer


def _stored_scorer(options: BM25, passages: Sequence[eh.Passage]) -> Any:
    """Return the scorer of a large corpus from the cache, or make it and keep it there."""
    import bm25s

    key = eh.digest([options.identity(), eh.corpus_digest(passages), bm25s.__version__])
    folder = eh.cache_folder("index") / f"bm25-{key}"
    try:
        return bm25s.BM25.load(str(folder), show_progress=False)
    except (OSError, EOFError, ValueError, KeyError):  # absent or damaged
        scorer = _made_scorer(options, passages)
    if scorer is not None:
        _keep(scorer, folder)
    return scorer


def _keep(scorer: Any, folder: Path) -> None:
    """Write the scorer whole under a temporary name and rename it; another process may have been faster."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        scorer.save(str(temporary), show_progress=False)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except OSError:  # a full disk or a faster process: the index in memory serves this run
        shutil.rmtree(temporary, ignore_errors=True)
