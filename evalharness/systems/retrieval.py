"""Search results through the store: a query that was searched before costs no index and no encoder.

What a retriever gives for one query is checked once, where it enters, and what is wrong with it is that query's failure;
failures are kept for this run only and never stored, so the next run searches again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from evalharness.contract import Failure, Passage, Retriever, canonical, digest
from evalharness.errors import EvalharnessError
from evalharness.systems.checking import blamed, ranking_fault, told
from evalharness.systems.corpus import corpus_digest
from evalharness.systems.engine import Usage, Work, identity_of
from evalharness.systems.store import Store, Stored

QUERIES_A_BLOCK = 256
Found = tuple[Passage, ...] | Failure


@dataclass
class Searcher:
    """Searches one retriever's corpus; the index is made at the first query that is not stored."""

    retriever: Retriever
    store: Store
    usage: Usage
    watch: Callable[[Work], None] = lambda work: None
    _failed: dict[str, Failure] = field(default_factory=dict)
    _identity: str = ""
    _indexed: bool = False

    def fill(self, queries: Iterable[str]) -> None:
        """Make sure that every query has a result in the store or a failure of this run."""
        keys = {self._key(query): query for query in queries}
        stored = self.store.known(list(keys))
        missing = [(key, query) for key, query in keys.items() if key not in stored and key not in self._failed]
        work = Work("retriever", total=len(keys), stored=len(stored), done=len(keys) - len(missing))
        self.watch(work)
        for start in range(0, len(missing), QUERIES_A_BLOCK):
            self._search_block(missing[start : start + QUERIES_A_BLOCK], work)

    def _search_block(self, block: list[tuple[str, str]], work: Work) -> None:
        found = list(zip([key for key, _ in block], self._found([query for _, query in block]), strict=True))
        failed = {key: result for key, result in found if isinstance(result, Failure)}
        maker = f"{self.retriever.name} {self._identity[:12]}"
        self.store.write([_to_stored(key, maker, result) for key, result in found if not isinstance(result, Failure)])
        self._failed.update(failed)
        work.errors += len(failed)
        work.done += len(block)
        self.watch(work)

    def _found(self, queries: list[str]) -> list[Found]:
        """Return a result for each query whatever the retriever does: what is wrong with one is the failure of that one."""
        try:
            self._index()
            found = self.retriever.search(queries, self.retriever.top_k)
            if len(found) != len(queries):
                raise ValueError(f"{len(found)} results for {len(queries)} queries")
            return [self._checked(ranking) for ranking in found]
        except EvalharnessError:
            raise
        except Exception as error:  # a fault of one block is a failure of its samples, never of the run
            return [Failure("plugin", f"retriever '{self.retriever.name}' failed: {told(error)}")] * len(queries)

    def _checked(self, ranking: Sequence[Passage]) -> Found:
        fault = ranking_fault(ranking)
        if fault is None and len(ranking) > self.retriever.top_k:
            fault = f"{len(ranking)} passages where top_k allows {self.retriever.top_k}"
        return tuple(ranking) if fault is None else Failure("plugin", f"retriever '{self.retriever.name}' gave {fault}")

    def read(self, queries: Sequence[str]) -> list[Found]:
        """Return the ranking of each query, or the failure that stands in its place."""
        keys = [self._key(query) for query in queries]
        stored = self.store.read(list(dict.fromkeys(keys)))
        return [_from_stored(stored[key]) if key in stored else self._failed[key] for key in keys]

    def identity(self) -> str:
        """Return the identity of the retriever and its corpus together, computed once."""
        if not self._identity:
            identity = identity_of("retriever", self.retriever)
            with blamed("retriever", self.retriever, "passages"):
                self._identity = digest([identity, corpus_digest(self.retriever.passages())])
        return self._identity

    def _key(self, query: str) -> str:
        return digest([self.identity(), query, self.retriever.top_k])

    def _index(self) -> None:
        if not self._indexed:
            self.retriever.index(list(self.retriever.passages()))
            self._indexed = True


def _to_stored(key: str, maker: str, passages: Sequence[Passage]) -> Stored:
    return Stored(key, "search", maker, canonical([[passage.id, passage.text, passage.score] for passage in passages]))


def _from_stored(stored: Stored) -> tuple[Passage, ...]:
    return tuple(Passage(*parts) for parts in json.loads(stored.value))
