from __future__ import annotations

import math
import pickle
from collections import Counter
from pathlib import Path

import pytest
from evalharness_retrieval import bm25
from evalharness_retrieval.bm25 import BM25
from evalharness_retrieval.words import analyser
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh

WORDS = ["tide", "river", "salt", "mill", "tower", "Ünder", "stone", "42", "the", "日本", "rivers"]
text = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))


def passages(*texts: str) -> list[eh.Passage]:
    return [eh.Passage(f"p{number}", body) for number, body in enumerate(texts)]


def indexed(found: list[eh.Passage], **options: object) -> BM25:
    retriever = BM25(corpus=eh.File("absent.jsonl"), **options)  # type: ignore[arg-type]
    retriever.index(found)
    return retriever


def by_the_formula(query: str, corpus: list[eh.Passage], k1: float, b: float) -> list[tuple[str, float]]:
    terms = analyser("english")
    documents = [terms(passage.text) for passage in corpus]
    mean = sum(map(len, documents)) / len(documents)
    scores: dict[str, float] = {}
    for passage, words in zip(corpus, documents, strict=True):
        counts = Counter(words)
        for term in terms(query):
            if counts[term]:
                df = sum(term in other for other in documents)
                idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
                gain = idf * counts[term] / (counts[term] + k1 * (1 - b + b * len(words) / mean))
                scores[passage.id] = scores.get(passage.id, 0.0) + gain
    return sorted(scores.items(), key=lambda item: (item[1], item[0].encode()), reverse=True)


@settings(deadline=None, max_examples=150)
@given(st.lists(text, min_size=1, max_size=9), text, st.sampled_from([0.0, 1.2, 1.5]), st.sampled_from([0.0, 0.75, 1.0]))
def test_scores_are_those_of_the_written_formula(texts: list[str], query: str, k1: float, b: float) -> None:
    corpus = passages(*texts)
    found = indexed(corpus, k1=k1, b=b).search([query], 100)[0]
    expected = by_the_formula(query, corpus, k1, b)
    assert [passage.score for passage in found] == pytest.approx([score for _, score in expected], abs=1e-9)
    assert {passage.id for passage in found} == {key for key, _ in expected}


def test_equal_scores_are_ordered_by_id_in_descending_bytes() -> None:
    ids = ["a", "b", "ab", "10", "9", "é", "z", "Z"]
    found = indexed([eh.Passage(key, "salt mill") for key in ids] + [eh.Passage("x", "tower")]).search(["mill"], 5)[0]
    assert [passage.id for passage in found] == sorted(ids, key=str.encode, reverse=True)[:5]


@settings(deadline=None, max_examples=60)
@given(st.lists(text, min_size=1, max_size=12), text, st.integers(1, 12))
def test_top_k_is_the_start_of_the_whole_ranking_in_any_order_of_the_corpus(texts: list[str], query: str, k: int) -> None:
    corpus = passages(*texts)
    whole = indexed(corpus).search([query], 100)[0]
    assert indexed(corpus[::-1]).search([query, "", query], k) == [whole[:k], [], whole[:k]]


def test_queries_without_a_known_word_find_nothing() -> None:
    retriever = indexed(passages("The tide comes.", "日本 の 塩", "", "🙂"))
    assert retriever.search(["", "   ", "zebra", "the of a", "🙂", "\ud800"], 3) == [[]] * 6
    assert retriever.search([], 3) == []
    assert retriever.search(["tide"], 0) == [[]]


def test_passages_without_any_word_find_nothing() -> None:
    assert indexed(passages("", "…", "🙂 🙂")).search(["tide"], 3) == [[]]


def test_text_is_matched_across_case_stems_compatibility_forms_and_scripts() -> None:
    retriever = indexed(passages("STRAẞE der Flüsse", "ﬁshing boats", "مدينة قديمة", "cafe\u0301 noir"))
    queries = ["strasse", "fishes boat", "مدينة", "CAFÉ"]
    assert [[passage.id for passage in found] for found in retriever.search(queries, 1)] == [["p0"], ["p1"], ["p2"], ["p3"]]


def test_language_chooses_stemmer_and_stop_words() -> None:
    corpus = passages("die Häuser am Fluss", "the houses")
    assert indexed(corpus, language="german").search(["Haus die"], 5)[0][0].id == "p0"
    assert indexed(corpus, language=None).search(["house"], 5) == [[]]
    assert [passage.id for passage in indexed(corpus, language=None).search(["the"], 5)[0]] == ["p1"]


def test_search_indexes_the_corpus_option_when_nothing_was_indexed(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"id": "a", "text": "salt"}\n{"id": "b", "text": "tide"}\n')
    retriever = eh.load_retriever("bm25", corpus=str(path))
    assert [passage.id for passage in retriever.search(["tides"], 3)[0]] == ["b"]


def test_large_corpora_are_indexed_once_and_a_damaged_index_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = passages("salt mill", "tide mill", "stone tower")
    plain = indexed(corpus).search(["mill tower"], 3)
    assert not (tmp_path / "cache" / "index").exists()
    monkeypatch.setattr(bm25, "CACHED_FROM", 2)
    assert indexed(corpus).search(["mill tower"], 3) == plain
    (folder,) = (tmp_path / "cache" / "index").iterdir()
    monkeypatch.setattr(bm25, "_made_scorer", lambda *_: pytest.fail("the index is in the cache"))
    assert indexed(corpus).search(["mill tower"], 3) == plain
    monkeypatch.undo()
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(bm25, "CACHED_FROM", 2)
    (folder / "data.csc.index.npy").write_bytes(b"")
    assert indexed(corpus).search(["mill tower"], 3) == plain
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]
    indexed(corpus, k1=1.2)
    assert len(list(folder.parent.iterdir())) == 2


def test_identity_holds_the_options_that_change_a_ranking_but_no_corpus() -> None:
    base = BM25(corpus=eh.File("a.jsonl"))
    assert base.identity() == BM25(corpus=eh.File("b.jsonl"), top_k=9).identity()
    others = [{"k1": 1.2}, {"b": 0.5}, {"language": None}]
    assert len({base.identity(), *(BM25(corpus=eh.File("a"), **options).identity() for options in others)}) == 4  # type: ignore[arg-type]


def test_pickles_with_its_index_and_equality_ignores_it() -> None:
    retriever = indexed(passages("salt", "tide"))
    copy = pickle.loads(pickle.dumps(retriever))
    assert copy == retriever == BM25(corpus=eh.File("absent.jsonl"))
    assert copy.search(["tide"], 2) == retriever.search(["tide"], 2)


@pytest.mark.parametrize("options", [{"k1": -1.0}, {"b": 1.5}, {"top_k": 0}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(eh.UsageError, match="retriever 'bm25': needs k1 >= 0, 0 <= b <= 1 and top_k >= 1"):
        eh.load_retriever("bm25", corpus="c.jsonl", **options)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    indexed(passages("salt", "tide")).search(["tide"], 2)
    assert capfd.readouterr() == ("", "")
