"""The checks of a retriever: the order of results, ties, and that a query's results are its own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from evalharness.contract import Passage, Retriever
from evalharness.testing.every import EVERY, has_a_stable_identity, made, title
from evalharness.testing.outcomes import Broken, NotApplicable, Outcome, raise_failed, run_checks
from evalharness.testing.samples import PASSAGES, QUERIES

TOLERANCE = 1e-5
Ranking = list[Passage]


@dataclass
class RetrieverSubject:
    """A retriever, the corpus that it searches and the queries that it is asked."""

    retriever: Retriever
    passages: Sequence[Passage]
    queries: Sequence[str]
    indexed: bool = False

    def search(self, queries: Sequence[str], top_k: int) -> list[Ranking]:
        """Search, after indexing the corpus once."""
        if self.retriever.recorded:
            raise NotApplicable("its passages stand in the data")
        if not self.indexed:
            self.retriever.index(self.passages)
            self.indexed = True
        found = self.retriever.search(queries, top_k)
        if len(found) != len(queries):
            mend = "return [] for a query without results"
            raise Broken(f"one list of passages for each of {len(queries)} queries", f"{len(found)} lists", mend)
        return found


def check_retriever(
    retriever: Retriever | type[Retriever], passages: Sequence[Passage] = PASSAGES, queries: Sequence[str] = QUERIES
) -> list[Outcome]:
    """Check that a retriever keeps its contract; return the outcome of each check. Raises ConformanceError."""
    return raise_failed(retriever_outcomes(retriever, passages, queries))


def retriever_outcomes(
    retriever: Retriever | type[Retriever], passages: Sequence[Passage] = PASSAGES, queries: Sequence[str] = QUERIES
) -> list[Outcome]:
    """Return the outcome of every check of a retriever."""
    built = made("retriever", retriever)
    subject = RetrieverSubject(built, passages, queries)
    return run_checks(title(built), (*EVERY, has_a_stable_identity), built) + run_checks(title(built), CHECKS, subject)


def returns_a_list_for_each_query(subject: RetrieverSubject) -> None:
    subject.search(subject.queries, 3)
    if subject.search([], 3):
        raise Broken("no queries, no results", "a result", "loop over the queries")


def returns_at_most_top_k(subject: RetrieverSubject) -> None:
    for top_k in (1, 3, len(subject.passages) + 5):
        longest = max(map(len, subject.search(subject.queries, top_k)))
        if longest > top_k:
            raise Broken(f"at most {top_k} passages", str(longest), "cut the list at the argument top_k")


def returns_passages_of_the_corpus_once(subject: RetrieverSubject) -> None:
    known = {passage.id: passage.text for passage in subject.passages}
    for query, found in zip(subject.queries, subject.search(subject.queries, len(subject.passages)), strict=True):
        ids = [passage.id for passage in found]
        if len(set(ids)) < len(ids):
            raise Broken("no passage stands twice in a ranking", f"{ids} for {query!r}", "rank each passage once")
        strange = [passage for passage in found if known.get(passage.id) != passage.text]
        if strange:
            raise Broken("results are passages of the corpus", f"{strange[0]!r}", "return id and text as they were indexed")


def ranks_by_score_then_by_id_descending(subject: RetrieverSubject) -> None:
    found = subject.search(subject.queries, len(subject.passages))
    for query, ranking in zip(subject.queries, found, strict=True):
        for first, second in itertools.pairwise(ranking):
            if first.score is None or second.score is None:
                raise Broken("every result has the score that ranks it", repr(ranking), "give Passage(id, text, score)")
            key = [(passage.score, passage.id.encode("utf-8", "surrogatepass")) for passage in (first, second)]
            if key[0] < key[1]:
                mend = "sort by (score, id as bytes), both descending"
                raise Broken(f"best first, equal scores by id descending, for {query!r}", f"{first} before {second}", mend)


def finds_the_first_results_whatever_top_k(subject: RetrieverSubject) -> None:
    few, many = subject.search(subject.queries, 2), subject.search(subject.queries, len(subject.passages))
    for query, short, long in zip(subject.queries, few, many, strict=True):
        if _ids(short) != _ids(long)[:2]:
            mend = "rank first, then cut; break ties before cutting"
            raise Broken(
                f"the first two of {query!r} are the same for every top_k", f"{_ids(short)}, then {_ids(long)[:2]}", mend
            )


def finds_the_same_whatever_the_batch_of_queries(subject: RetrieverSubject) -> None:
    together = subject.search(subject.queries, 3)
    alone = [subject.search([query], 3)[0] for query in subject.queries]
    backwards = subject.search(subject.queries[::-1], 3)[::-1]
    for query, one, other in [
        *zip(subject.queries, together, alone, strict=True),
        *zip(subject.queries, together, backwards, strict=True),
    ]:
        if _ids(one) != _ids(other) or not _close(one, other):
            mend = "let the results of a query depend on that query only"
            raise Broken(f"{query!r} finds the same alone, among others, in any order", f"{one}, then {other}", mend)


def searches_an_empty_corpus(subject: RetrieverSubject) -> None:
    empty = RetrieverSubject(subject.retriever, (), subject.queries)
    subject.indexed = False
    found = empty.search(subject.queries, 3)
    if any(found):
        raise Broken("nothing is found in an empty corpus", repr(found), "replace the old index in index()")


def _ids(ranking: Ranking) -> list[str]:
    return [passage.id for passage in ranking]


def _close(one: Ranking, other: Ranking) -> bool:
    pairs = zip(one, other, strict=True)
    return all(abs((first.score or 0.0) - (second.score or 0.0)) <= TOLERANCE for first, second in pairs)


CHECKS = (
    returns_a_list_for_each_query, returns_at_most_top_k, returns_passages_of_the_corpus_once,
    ranks_by_score_then_by_id_descending, finds_the_first_results_whatever_top_k, finds_the_same_whatever_the_batch_of_queries,
    searches_an_empty_corpus,
)  # fmt: skip
