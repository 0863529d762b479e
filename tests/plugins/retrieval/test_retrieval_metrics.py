from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytrec_eval
from evalharness_retrieval.metrics import MRR, NDCG, RetrievalPrecision, RetrievalRecall
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh

IDS = [f"d{number}" for number in range(8)]
ranking = st.lists(st.sampled_from(IDS), unique=True, max_size=8)
judgements = st.dictionaries(st.sampled_from(IDS), st.integers(0, 3), min_size=1, max_size=8)
CUTS = (1, 2, 3, 5, 10)


def columns(rankings: list[list[str]], relevant: list[dict[str, int]]) -> dict[str, Any]:
    contexts = [[eh.Passage(key, "", score=0.0) for key in ids] for ids in rankings]
    return {"contexts": contexts, "relevant": relevant}


def rows(metric: eh.Metric, rankings: list[list[str]], relevant: list[dict[str, int]]) -> dict[str, list[float]]:
    found = columns(rankings, relevant)
    result = metric.measure(**found, batch=eh.Batch(found))
    assert isinstance(result, eh.Rows)
    assert not result.unmeasured
    return {metric.name + part: np.asarray(column).tolist() for part, column in result.statistics.items()}


def by_trec_eval(
    rankings: list[list[str]], relevant: list[dict[str, int]], measures: set[str], level: int
) -> list[dict[str, float]]:
    run = {str(row): {key: float(-place) for place, key in enumerate(ids)} for row, ids in enumerate(rankings)}
    qrels = {str(row): grades for row, grades in enumerate(relevant)}
    found = pytrec_eval.RelevanceEvaluator(qrels, measures, relevance_level=level).evaluate(run)
    return [found[str(row)] for row in range(len(rankings))]


def agree(rankings: list[list[str]], relevant: list[dict[str, int]], cuts: tuple[int, ...], level: int) -> None:
    listed = ",".join(map(str, cuts))
    expected = by_trec_eval(rankings, relevant, {f"P.{listed}", f"recall.{listed}", f"ndcg_cut.{listed}", "recip_rank"}, level)
    ours = {
        **rows(RetrievalPrecision(k=cuts, level=level), rankings, relevant),
        **rows(RetrievalRecall(k=cuts, level=level), rankings, relevant),
        **rows(NDCG(k=cuts), rankings, relevant),
    }
    names = {"retrieval_precision": "P", "retrieval_recall": "recall", "ndcg": "ndcg_cut"}
    for name, values in ours.items():
        metric, cut = name.split("@")
        assert values == pytest.approx([row[f"{names[metric]}_{cut}"] for row in expected], abs=1e-9), name
    (reciprocal,) = rows(MRR(level=level), rankings, relevant).values()
    assert reciprocal == pytest.approx([row["recip_rank"] for row in expected], abs=1e-9)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(ranking.filter(bool), judgements), min_size=1, max_size=5), st.integers(1, 3))
def test_random_rankings_agree_with_trec_eval(cases: list[tuple[list[str], dict[str, int]]], level: int) -> None:
    agree([ids for ids, _ in cases], [grades for _, grades in cases], CUTS, level)


@pytest.mark.parametrize(("qrels", "level"), [("qrels.test", 1), ("qrels.rel_level", 1), ("qrels.rel_level", 2)])
def test_trec_evals_own_data_agrees(labelled_data: Callable[[str], Path], qrels: str, level: int) -> None:
    relevant: dict[str, dict[str, int]] = defaultdict(dict)
    for line in labelled_data(f"trec_eval_tests/{qrels}").read_text().splitlines():
        topic, _, document, grade = line.split()
        relevant[topic][document] = int(grade)
    run: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for line in labelled_data("trec_eval_tests/results.test").read_text().splitlines():
        topic, _, document, _, score, _ = line.split()
        run[topic].append((float(score), document))
    topics = sorted(run)
    rankings = [[document for _, document in sorted(run[topic], reverse=True)] for topic in topics]
    agree(rankings, [relevant[topic] for topic in topics], (5, 10, 100, 500), level)


def test_trec_evals_printed_figures_are_reached(labelled_data: Callable[[str], Path]) -> None:
    printed: dict[str, float] = {}
    for line in labelled_data("trec_eval_tests/out.test.aq").read_text().splitlines():
        measure, topic, value = line.split()
        if topic == "301" and measure in ("P_10", "recall_100", "recip_rank", "ndcg_cut_10"):
            printed[measure] = float(value)
    relevant = {
        document: int(grade)
        for topic, _, document, grade in map(str.split, labelled_data("trec_eval_tests/qrels.test").read_text().splitlines())
        if topic == "301"
    }
    lines = map(str.split, labelled_data("trec_eval_tests/results.test").read_text().splitlines())
    ids = [document for _, document in sorted(((float(p[4]), p[2]) for p in lines if p[0] == "301"), reverse=True)]
    ours = {
        "P_10": rows(RetrievalPrecision(k=(10,)), [ids], [relevant])["retrieval_precision@10"][0],
        "recall_100": rows(RetrievalRecall(k=(100,)), [ids], [relevant])["retrieval_recall@100"][0],
        "ndcg_cut_10": rows(NDCG(k=(10,)), [ids], [relevant])["ndcg@10"][0],
        "recip_rank": rows(MRR(), [ids], [relevant])["mrrvalue"][0],
    }
    assert printed == pytest.approx(ours, abs=5e-5)


def test_an_empty_ranking_scores_zero_and_a_full_one_one() -> None:
    for metric in (RetrievalPrecision(k=(2,)), RetrievalRecall(k=(2,)), NDCG(k=(2,)), MRR()):
        (values,) = rows(metric, [[], ["a", "b"], ["c", "d"]], [{"a": 1, "b": 1}] * 3).values()
        assert values == [0.0, 1.0, 0.0]


def test_order_of_the_contexts_is_the_ranking_whatever_their_scores() -> None:
    contexts = [[eh.Passage("a", "", score=-5.0), eh.Passage("b", "", score=9.0), eh.Passage("c", "")]]
    result = MRR().measure(contexts=contexts, relevant=[{"b": 1}], batch=eh.Batch({"contexts": contexts}))
    assert isinstance(result, eh.Rows)
    assert result.statistics["value"].tolist() == [0.5]


def test_judged_without_relevant_passage_scores_zero_and_unjudged_is_unmeasured() -> None:
    found = columns([["a"], ["a"], ["a", "b", "a"], ["b"], ["a"]], [{"a": 0}, {}, {"a": 1}, {"b": 2}, {"a": 1}])
    found["relevant"][3] = None
    found["contexts"][4] = None
    for metric in (RetrievalPrecision(k=(1,)), RetrievalRecall(k=(1,)), NDCG(k=(1,)), MRR()):
        result = metric.measure(**found, batch=eh.Batch(found))
        assert isinstance(result, eh.Rows)
        reasons = {1: "no relevant passage", 2: "duplicate passage id", 3: "no relevant passage", 4: "no contexts"}
        assert result.unmeasured == reasons
        (column,) = result.statistics.values()
        assert column[0] == 0.0


def test_mrr_looks_no_further_than_k() -> None:
    rankings, relevant = [["a", "b", "c"]] * 3, [{"a": 1}, {"b": 1}, {"c": 1}]
    assert rows(MRR(k=2), rankings, relevant)["mrrvalue"] == [1.0, 0.5, 0.0]


def test_ndcg_counts_grades_that_a_level_would_not() -> None:
    expected = (1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3))
    assert rows(NDCG(k=(2,)), [["a", "b"]], [{"a": 1, "b": 3}])["ndcg@2"] == pytest.approx([expected], abs=1e-12)


def test_one_matrix_serves_all_metrics_of_a_batch() -> None:
    found = columns([["a", "b"]], [{"b": 1}])
    batch = eh.Batch(found)
    for metric in (RetrievalPrecision(), RetrievalRecall(), NDCG(), MRR()):
        metric.measure(**found, batch=batch)
    assert len(batch.memo) == 1


def test_parts_follow_k_and_metrics_pickle() -> None:
    metric = RetrievalRecall(k=(1, 10), level=2)
    assert metric.parts == ("@1", "@10")
    assert metric.reads == ("contexts", "relevant")
    assert metric.signature() == "retrieval_recall|k:1,10|level:2"
    assert pickle.loads(pickle.dumps(metric)) == metric


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ndcg", {"k": ()}, "different whole numbers from 1, at least one"),
        ("retrieval_recall", {"k": (0, 1)}, "different whole numbers from 1"),
        ("retrieval_precision", {"k": (1, 1)}, "different whole numbers from 1"),
        ("retrieval_precision", {"level": 0}, "option 'level' must be a whole number from 1"),
        ("mrr", {"k": 0}, "option 'k' must be null or a whole number from 1"),
    ],
)
def test_wrong_options_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.UsageError, match=message):
        eh.load_metric(name, **options)
