"""Dense retrieval: exact, the same whatever is asked together, ties by passage id."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from evalharness_hf import dense, encoder
from evalharness_hf.dense import Dense, Index

import evalharness as eh
from evalharness.testing import check_retriever

TEXTS = {
    "bread": "Bread is baked from flour, water and salt.", "sea": "The tide comes in twice a day.", "fox": "A fox sleeps by day.",
    "ünï": "مرحبا بالعالم", "zh": "长城很长", "emoji": "😀😀", "empty": "",
}  # fmt: skip


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    weights = eh.resolve_weights("all-minilm-l6-v2")
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "weights").mkdir(parents=True)
    (tmp_path / "cache" / "weights" / weights.name).symlink_to(weights)
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps({"id": key, "text": text}) + "\n" for key, text in TEXTS.items()), "utf-8")
    return path


def test_it_keeps_its_contract(corpus: Path) -> None:
    check_retriever(Dense(corpus=eh.File(str(corpus))))


def test_it_finds_by_meaning_and_reads_its_corpus_by_itself(corpus: Path) -> None:
    retriever = eh.load_retriever("dense", corpus=str(corpus))
    found = retriever.search(["How do I make a loaf?", "ocean"], top_k=2)
    assert [ranking[0].id for ranking in found] == ["bread", "sea"]
    assert found[0][0].text == TEXTS["bread"]
    assert 1 >= found[0][0].score > found[0][1].score >= -1


def test_scores_are_cosines_of_sentence_transformers(corpus: Path) -> None:
    retriever = Dense(corpus=eh.File(str(corpus)))
    (found,) = retriever.search(["a fox"], top_k=len(TEXTS))
    model = encoder.encoder("all-minilm-l6-v2").model
    for passage in found:
        cosine = float(model.similarity(model.encode("a fox"), model.encode(passage.text)))
        assert passage.score == pytest.approx(cosine, abs=2e-6)


def test_embeddings_of_a_corpus_are_computed_once(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Dense(corpus=eh.File(str(corpus))).search(["salt"], 3)
    calls: list[int] = []
    embed = encoder.Encoder.embed
    monkeypatch.setattr(encoder.Encoder, "embed", lambda self, texts: (calls.append(len(texts)), embed(self, texts))[1])
    assert Dense(corpus=eh.File(str(corpus))).search(["salt"], 3) == first
    assert calls == [1]
    (stored,) = (eh.cache_folder("index")).glob("dense-*.npy")
    stored.write_bytes(b"damaged")
    assert Dense(corpus=eh.File(str(corpus))).search(["salt"], 3) == first
    assert calls == [1, len(TEXTS), 1]


def test_equal_scores_are_ordered_by_id_descending_also_where_the_list_is_cut() -> None:
    passages = [eh.Passage(key, "same") for key in ("b", "a", "é", "z", "c")]
    retriever = Dense(corpus=eh.File("unused.jsonl"))
    retriever.index(passages)
    for top_k in range(1, 6):
        (found,) = retriever.search(["query"], top_k)
        assert [passage.id for passage in found] == ["é", "z", "c", "b", "a"][:top_k]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    vectors = random.integers(-3, 4, (57, 4)).astype(np.float32)  # small whole numbers: many ties
    queries = random.integers(-3, 4, (11, 4)).astype(np.float32)
    index = Index(tuple(eh.Passage(f"{row:03}", "") for row in range(57)), vectors)
    whole = list(index.best(queries, 9))
    for query, ranking in zip(queries, whole, strict=True):
        scores = vectors @ query
        expected = sorted(range(57), key=lambda row: (-scores[row], row))[:9]
        assert [int(passage.id) for passage in ranking] == expected
    monkeypatch.setattr(dense, "PASSAGES_A_BLOCK", 5)
    monkeypatch.setattr(dense, "QUERIES_A_BLOCK", 2)
    assert list(index.best(queries, 9)) == whole


def test_the_identity_follows_the_weights_alone(corpus: Path, tmp_path: Path) -> None:
    one, other = Dense(corpus=eh.File(str(corpus))), Dense(corpus=eh.File("elsewhere.jsonl"), top_k=9)
    (tmp_path / "config.json").write_text("{}", "utf-8")
    assert one.identity() == other.identity() != Dense(corpus=eh.File("x"), weights=str(tmp_path)).identity()


def test_wrong_options_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(eh.UsageError, match="top_k"):
        eh.load_retriever("dense", corpus="x.jsonl", top_k=0)
    with pytest.raises(eh.DataError, match="no such corpus file"):
        list(eh.load_retriever("dense", corpus=str(tmp_path / "absent.jsonl")).passages())
