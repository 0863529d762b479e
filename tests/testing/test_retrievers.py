"""The kit on retrievers: what it passes, and what it catches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from evalharness import Passage, Retriever, digest
from evalharness.testing import check_retriever
from evalharness.testing.retrievers import retriever_outcomes

INDEX: dict[str, list[Passage]] = {}


class Overlap(Retriever):
    """Ranks passages by the number of words that they share with the query."""

    name = "overlap"

    def identity(self) -> str:
        return digest([self.name])

    def index(self, passages: Sequence[Passage]) -> None:
        INDEX[self.name] = list(passages)

    def search(self, queries: Sequence[str], top_k: int) -> list[list[Passage]]:
        return [self.ranked(query)[:top_k] for query in queries]

    def ranked(self, query: str) -> list[Passage]:
        words = set(query.lower().split())
        scored = [Passage(each.id, each.text, float(len(words & set(each.text.lower().split())))) for each in INDEX[self.name]]
        return sorted(scored, key=lambda passage: (passage.score, passage.id.encode()), reverse=True)


class TiesAscending(Overlap):
    """Breaks ties the wrong way."""

    def ranked(self, query: str) -> list[Passage]:
        return sorted(super().ranked(query), key=lambda passage: (-(passage.score or 0), passage.id))


class Generous(Overlap):
    """Ignores top_k."""

    def search(self, queries: Sequence[str], top_k: int) -> list[list[Passage]]:
        return super().search(queries, top_k + 1)


class BatchDependent(Overlap):
    """Gives the first query of a batch another score."""

    def search(self, queries: Sequence[str], top_k: int) -> list[list[Passage]]:
        found = super().search(queries, top_k)
        return [
            [Passage(each.id, each.text, (each.score or 0) + (row > 0)) for each in ranking] for row, ranking in enumerate(found)
        ]


class Unscored(Overlap):
    """Leaves scores out."""

    def ranked(self, query: str) -> list[Passage]:
        return [Passage(each.id, each.text) for each in super().ranked(query)]


class Stuttering(Overlap):
    """Returns passages twice."""

    def ranked(self, query: str) -> list[Passage]:
        return [passage for each in super().ranked(query) for passage in (each, each)]


class Inventing(Overlap):
    """Changes the text."""

    def ranked(self, query: str) -> list[Passage]:
        return [Passage(each.id, each.text.upper(), each.score) for each in super().ranked(query)]


class CutFirst(Overlap):
    """Cuts before ranking."""

    def search(self, queries: Sequence[str], top_k: int) -> list[list[Passage]]:
        whole = INDEX[self.name]
        INDEX[self.name] = whole[:top_k]
        found = super().search(queries, top_k)
        INDEX[self.name] = whole
        return found


class Stale(Overlap):
    """Adds to the old index."""

    def index(self, passages: Sequence[Passage]) -> None:
        known = INDEX.get(self.name, [])
        INDEX[self.name] = known + [each for each in passages if each not in known]


class Silent(Overlap):
    """Leaves out queries without a word."""

    def search(self, queries: Sequence[str], top_k: int) -> list[list[Passage]]:
        return super().search([query for query in queries if query], top_k)


BREACHES: list[tuple[Any, str, str]] = [
    (TiesAscending, "ranks by score then by id descending", "equal scores by id descending"),
    (Generous, "returns at most top k", "at most 1 passages"),
    (BatchDependent, "finds the same whatever the batch of queries", "depend on that query only"),
    (Unscored, "ranks by score then by id descending", "has the score"),
    (Stuttering, "returns passages of the corpus once", "twice in a ranking"),
    (Inventing, "returns passages of the corpus once", "as they were indexed"),
    (CutFirst, "finds the first results whatever top k", "rank first, then cut"),
    (Stale, "searches an empty corpus", "replace the old index"),
    (Silent, "returns a list for each query", "5 lists"),
]


def test_a_retriever_that_keeps_the_contract_passes() -> None:
    assert {outcome.status for outcome in check_retriever(Overlap)} == {"passed", "skipped"}


@pytest.mark.parametrize(("retriever", "check", "message"), BREACHES, ids=[cls.__name__ for cls, *_ in BREACHES])
def test_each_breach_is_caught_by_its_check(retriever: Any, check: str, message: str) -> None:
    failed = {outcome.check: outcome.message for outcome in retriever_outcomes(retriever) if outcome.status == "failed"}
    assert check in failed, failed
    assert message in failed[check]
