"""Searching through the store: what was found once costs no index; what a retriever does wrong is one query's failure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import evalharness as eh
from evalharness.systems.engine import Usage, Work
from evalharness.systems.retrieval import QUERIES_A_BLOCK, Searcher
from evalharness.systems.store import Store

CALLS: list[Any] = []
CORPUS = (eh.Passage("p1", "salt"), eh.Passage("p2", "salt water"), eh.Passage("p3", "sugar"))
GIVEN: dict[str, Callable[[], Any]] = {}


def instead(name: str, usual: Callable[[], Any]) -> Any:
    return GIVEN.get(name, usual)()


class Shelf(eh.Retriever):
    """Finds the passages that hold a query's text; `GIVEN` says what it gives or does instead."""

    name = "shelf"
    top_k: int = 2
    corpus: str = "all"

    def identity(self) -> str:
        return instead("identity", lambda: "shelf")

    def passages(self) -> Iterable[eh.Passage]:
        return instead("passages", lambda: CORPUS if self.corpus == "all" else CORPUS[1:])

    def index(self, passages: Sequence[eh.Passage]) -> None:
        CALLS.append("index")
        instead("index", lambda: None)

    def search(self, queries: Sequence[str], top_k: int) -> list[list[eh.Passage]]:
        CALLS.append(list(queries))
        if "search" in GIVEN:
            return GIVEN["search"]()
        return [GIVEN[query]() if query in GIVEN else self._holding(query)[:top_k] for query in queries]

    def _holding(self, query: str) -> list[eh.Passage]:
        return [eh.Passage(passage.id, passage.text, 1.5) for passage in self.passages() if query in passage.text]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    CALLS.clear()
    GIVEN.clear()
    with Store(tmp_path / "s.sqlite") as opened:
        yield opened


def ids(found: Any) -> list[str]:
    return [passage.id for passage in found]


def message(found: Any) -> str:
    assert isinstance(found, eh.Failure)
    assert found.kind == "plugin"
    assert found.infrastructure
    return found.message


def search(store: Store, *queries: str, retriever: Shelf | None = None) -> list[Any]:
    searcher = Searcher(retriever or Shelf(), store, Usage())
    searcher.fill(queries)
    return list(searcher.read(queries))


def raising(error: Exception) -> Callable[[], Any]:
    def fault() -> Any:
        raise error

    return fault


def test_each_query_has_its_ranking_and_is_searched_once(store: Store) -> None:
    salt, none, again = search(store, "salt", "pepper", "salt")
    assert salt == again == (eh.Passage("p1", "salt", 1.5), eh.Passage("p2", "salt water", 1.5))
    assert none == ()
    assert CALLS == ["index", ["salt", "pepper"]]


def test_stored_results_cost_no_index(store: Store) -> None:
    first = search(store, "salt", "pepper")
    CALLS.clear()
    assert search(store, "pepper", "salt") == first[::-1]
    assert CALLS == []


def test_only_what_is_not_stored_is_searched(store: Store) -> None:
    search(store, "salt")
    CALLS.clear()
    seen: list[tuple[int, int, int]] = []

    def watch(work: Work) -> None:
        seen.append((work.total, work.stored, work.done))

    searcher = Searcher(Shelf(), store, Usage(), watch)
    searcher.fill(["salt", "sugar", "water"])
    assert CALLS == ["index", ["sugar", "water"]]
    assert seen == [(3, 1, 1), (3, 1, 3)]


@pytest.mark.parametrize("other", [Shelf(top_k=1), Shelf(corpus="rest")])
def test_another_depth_or_corpus_is_another_question(store: Store, other: Shelf) -> None:
    assert [ids(found) for found in search(store, "salt")] == [["p1", "p2"]]
    assert [ids(found) for found in search(store, "salt", retriever=other)] != [["p1", "p2"]]


def test_another_identity_is_another_question(store: Store) -> None:
    search(store, "salt")
    GIVEN["identity"] = lambda: "shelf 2"
    search(store, "salt")
    assert CALLS == ["index", ["salt"]] * 2


def test_the_index_is_made_once_for_many_blocks(store: Store) -> None:
    queries = [f"salt {number}" for number in range(2 * QUERIES_A_BLOCK + 1)]
    assert search(store, *queries) == [()] * len(queries)
    assert [len(call) for call in CALLS] == [len("index"), QUERIES_A_BLOCK, QUERIES_A_BLOCK, 1]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([CORPUS[0], CORPUS[1], eh.Passage("p1", "again")][::2], "gave one ranking with the passage id 'p1' twice"),
        (list(CORPUS), "gave 3 passages where top_k allows 2"),
        (["p1"], "gave a ranking that holds 'p1' in place of a Passage"),
        ("p1", "gave 'p1' in place of a ranking of passages"),
        (None, "gave None in place of a ranking of passages"),
        ([eh.Passage("p1", "t\ud800wo")], "gave the passage 'p1', whose id and text are not both text"),
        ([eh.Passage("p1", "salt", math.nan)], "gave the passage 'p1', whose id and text are not both text, or whose score"),
    ],
)
def test_an_unsound_ranking_fails_its_own_query_and_is_asked_again(store: Store, given: Any, told: str) -> None:
    GIVEN["odd"] = lambda: given
    good, odd, last = search(store, "salt", "odd", "sugar")
    assert (ids(good), ids(last)) == (["p1", "p2"], ["p3"])
    assert message(odd).startswith(f"retriever 'shelf' {told}")
    CALLS.clear()
    GIVEN.clear()
    assert search(store, "salt", "odd", "sugar") == [good, (), last]
    assert CALLS == ["index", ["odd"]]


@pytest.mark.parametrize(
    ("step", "given", "told"),
    [
        ("index", raising(MemoryError("too large")), "failed: MemoryError: too large"),
        ("search", raising(RuntimeError("no \ud800")), r"failed: RuntimeError: no \ud800"),
        ("search", lambda: [[]], "failed: ValueError: 1 results for 2 queries"),
        ("search", lambda: None, "failed: TypeError: "),
    ],
)
def test_a_retriever_that_fails_fails_the_queries_of_the_block(
    store: Store, step: str, given: Callable[[], Any], told: str
) -> None:
    GIVEN[step] = given
    assert all(message(found).startswith(f"retriever 'shelf' {told}") for found in search(store, "salt", "sugar"))
    GIVEN.clear()
    assert [ids(found) for found in search(store, "salt", "sugar")] == [["p1", "p2"], ["p3"]]


def test_a_failure_is_not_asked_again_in_the_same_run_and_is_counted_as_an_error(store: Store) -> None:
    GIVEN["odd"] = lambda: None
    seen: list[int] = []

    def watch(work: Work) -> None:
        seen.append(work.errors)

    searcher = Searcher(Shelf(), store, Usage(), watch)
    searcher.fill(["odd", "salt"])
    searcher.fill(["odd", "salt"])
    assert CALLS == ["index", ["odd", "salt"]]
    assert seen == [0, 1, 0]


@pytest.mark.parametrize(("step", "given"), [("identity", raising(KeyError("x"))), ("passages", raising(OSError("gone")))])
def test_a_retriever_without_identity_or_passages_is_named(store: Store, step: str, given: Callable[[], Any]) -> None:
    GIVEN[step] = given
    with pytest.raises(eh.PluginError, match=rf"^retriever 'shelf' failed in {step}\(\): (KeyError|OSError): "):
        search(store, "salt")


@pytest.mark.parametrize(("step", "given"), [("identity", lambda: 7), ("passages", lambda: ["p1"])])
def test_an_identity_or_passages_of_the_wrong_type_are_the_plugins_fault(
    store: Store, step: str, given: Callable[[], Any]
) -> None:
    GIVEN[step] = given
    with pytest.raises(eh.PluginError, match=rf"^retriever 'shelf' failed in {step}\(\): "):
        search(store, "salt")


@pytest.mark.parametrize("step", ["identity", "passages", "index", "search"])
def test_an_error_that_explains_itself_passes_unchanged(store: Store, step: str) -> None:
    GIVEN[step] = raising(eh.DataError("corpus.jsonl: there is no such corpus file"))
    with pytest.raises(eh.DataError, match=r"^corpus\.jsonl: there is no such corpus file$"):
        search(store, "salt")
