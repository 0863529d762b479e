from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

import evalharness as eh
from evalharness.contract.options import to_spec

TEXTS = {"a": "salt mill at the river", "b": "rivers of salt", "c": "a tower of stone", "d": "milling towers", "e": "the moon"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [json.dumps({"id": key, "text": text}) for key, text in TEXTS.items()]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines))
    (tmp_path / "other.jsonl").write_text("\n".join(lines[:3]))
    return tmp_path


def specs(folder: Path, *options: dict[str, object]) -> tuple[eh.Spec, ...]:
    return tuple(to_spec({"bm25": {"corpus": "corpus.jsonl", **item}}, str(folder)) for item in options)


def two(folder: Path, **options: object) -> eh.Retriever:
    return eh.load_retriever("hybrid", of=specs(folder, {}, {"language": None}), **options)


def test_scores_are_the_weighted_sums_of_reciprocal_ranks(folder: Path) -> None:
    query, weights, k = "the salt river tower", (2.0, 0.5), 10
    rankings = [eh.load_retriever(spec).search([query], 50)[0] for spec in specs(folder, {}, {"language": None})]
    expected: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for place, passage in enumerate(ranking):
            expected[passage.id] = expected.get(passage.id, 0) + weight / (k + place + 1)
    found = two(folder, k=k, weights=weights).search([query], 50)[0]
    assert {passage.id: passage.score for passage in found} == pytest.approx(expected, abs=1e-12)
    assert [passage.id for passage in found] == sorted(expected, key=lambda key: (expected[key], key), reverse=True)
    assert all(passage.text == TEXTS[passage.id] for passage in found)


def test_equal_scores_are_ordered_by_id_in_descending_bytes(folder: Path) -> None:
    mirrored = to_spec({"hybrid": {"of": [{"bm25": {"corpus": "corpus.jsonl"}}] * 2, "weights": [1.0, 1.0]}}, str(folder))
    single = eh.load_retriever("bm25", corpus=str(folder / "corpus.jsonl"))
    fused = eh.Spec("hybrid", {"of": specs(folder, {}, {})})
    assert [p.id for p in eh.load_retriever(fused).search(["salt"], 5)[0]] == [p.id for p in single.search(["salt"], 5)[0]]
    assert eh.load_retriever(mirrored).search(["zebra", ""], 5) == [[], []]


def test_depth_limits_what_is_fused_but_never_below_top_k(folder: Path) -> None:
    assert len(two(folder, depth=1).search(["salt tower mill"], 1)[0]) == 1
    assert len(two(folder, depth=1).search(["salt tower mill"], 4)[0]) == 4


def test_relative_paths_of_the_fused_retrievers_start_from_their_file(folder: Path) -> None:
    spec = to_spec(
        {"hybrid": {"of": [{"bm25": {"corpus": "corpus.jsonl"}}, {"bm25": {"corpus": "corpus.jsonl", "b": 0.1}}]}}, str(folder)
    )
    assert [passage.id for passage in eh.load_retriever(spec).passages()] == list(TEXTS)


def test_corpora_that_differ_are_refused(folder: Path) -> None:
    retriever = eh.load_retriever("hybrid", of=specs(folder, {}, {"corpus": "other.jsonl"}))
    with pytest.raises(eh.DataError, match="do not hold the same passages"):
        list(retriever.passages())


def test_identity_follows_its_parts_and_options(folder: Path) -> None:
    same = two(folder, top_k=9).identity()
    assert same == two(folder).identity()
    others = [two(folder, k=1), two(folder, depth=9), two(folder, weights=(1.0, 2.0))]
    others.append(eh.load_retriever("hybrid", of=specs(folder, {}, {"k1": 1.0})))
    assert len({same, *(other.identity() for other in others)}) == 5


def test_index_reaches_every_part_and_pickles(folder: Path) -> None:
    retriever = two(folder)
    retriever.index([eh.Passage("z", "salt")])
    assert [passage.id for passage in retriever.search(["salt"], 5)[0]] == ["z"]
    assert pickle.loads(pickle.dumps(retriever)).search(["salt"], 5) == retriever.search(["salt"], 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": ()}, "needs two or more retrievers, not 0"),
        ({"weights": (1.0,)}, "one positive number for each of the 2 retrievers"),
        ({"weights": (1.0, 0.0)}, "one positive number for each of the 2 retrievers"),
        ({"k": -1}, "k >= 0, depth >= 1 and top_k >= 1"),
    ],
)
def test_wrong_options_are_refused(folder: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(eh.UsageError, match=message):
        eh.load_retriever("hybrid", **{"of": specs(folder, {}, {}), **options})


def test_recorded_searches_nothing_and_has_no_options() -> None:
    retriever = eh.load_retriever("recorded")
    assert type(retriever).recorded
    assert retriever.spec() == eh.Spec("recorded")
    assert list(retriever.passages()) == []
    assert pickle.loads(pickle.dumps(retriever)) == retriever
    retriever.index([])
    with pytest.raises(eh.UsageError, match="field 'contexts'"):
        retriever.search(["x"], 3)
    with pytest.raises(eh.UsageError, match="no option 'top_k'"):
        eh.load_retriever("recorded", top_k=3)
