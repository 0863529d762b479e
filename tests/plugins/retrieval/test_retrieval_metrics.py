from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from evalharness_retrieval import contexts, evaluate_run, incomplete, metrics
from evalharness_retrieval.judged import Judged
from evalharness_retrieval.ranked import Ranked
from hypothesis import given
from hypothesis import strategies as st

import evalharness as eh

EVERY: list[Ranked] = [
    cls() for module in (metrics, incomplete, contexts) for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, Ranked) and cls is not Ranked
]  # fmt: skip
WHERE_NOTHING_IS_FOUND = {"judged": "nothing retrieved", "id_context_precision": "nothing retrieved"}


def columns(rankings: list[list[str]], relevant: list[Any]) -> dict[str, Any]:
    return {"contexts": [[eh.Passage(key, "", score=0.0) for key in ids] for ids in rankings], "relevant": relevant}


def rows(metric: eh.Metric, rankings: list[list[str]], relevant: list[dict[str, int]]) -> dict[str, list[float | None]]:
    return metric.evaluate(**columns(rankings, relevant)).samples


def test_every_metric_says_all_that_it_must() -> None:
    assert len(EVERY) == 17
    for metric in EVERY:
        assert all((metric.formula, metric.reference, metric.cite))
        assert metric.family == "ranking"


@pytest.mark.parametrize("metric", EVERY, ids=lambda metric: metric.name)
def test_an_empty_ranking_scores_lowest_and_a_perfect_one_highest(metric: Ranked) -> None:
    if metric.name == "err":
        metric = metrics.ERR(max_grade=1)
    if "k" in metric.options():
        metric = type(metric)(**{**metric.options(), "k": (2,)})
    found = metric.evaluate(**columns([[], ["a", "b"], ["c", "d"]], [{"a": 1, "b": 1, "c": 0, "d": 0}] * 3))
    (values,) = found.samples.values()
    best = {"rbp": pytest.approx(0.19), "err": pytest.approx(0.625)}.get(
        metric.name, pytest.approx(1.0, abs=1e-5 if metric.name == "inf_ap" else 1e-9)
    )
    worst = {"gm_map": 1e-5, "judged": 1.0}.get(metric.name, 0.0)
    assert found.statuses == [WHERE_NOTHING_IS_FOUND.get(metric.name), None, None]
    assert values[0] == (None if metric.name in WHERE_NOTHING_IS_FOUND else pytest.approx(worst))
    assert values[1:] == [best, pytest.approx(worst)]


@pytest.mark.parametrize("metric", EVERY, ids=lambda metric: metric.name)
def test_judged_without_relevant_passage_scores_lowest_and_unjudged_is_unmeasured(metric: Ranked) -> None:
    found = columns([["a"], ["a"], ["a", "b", "a"], ["b"], ["a"]], [{"a": 0}, {}, {"a": 1}, {"b": 2}, {"a": 1}])
    found["relevant"][3] = None
    found["contexts"][4] = None
    result = metric.measure(**found, batch=eh.Batch(found))
    assert isinstance(result, eh.Rows)
    reasons = {1: "no relevant passage", 2: "duplicate passage id", 3: "no relevant passage", 4: "no contexts"}
    if metric.name == "id_context_recall":
        reasons[0] = "no relevant passage"
    assert result.unmeasured == reasons
    if metric.name not in ("judged", "id_context_recall", "gm_map"):
        assert [column[0] for column in result.statistics.values()] == [0.0] * len(result.statistics)


def test_order_of_the_contexts_is_the_ranking_whatever_their_scores() -> None:
    contexts = [[eh.Passage("a", "", score=-5.0), eh.Passage("b", "", score=9.0), eh.Passage("c", "")]]
    assert metrics.MRR().evaluate(contexts=contexts, relevant=[{"b": 1}]).samples["mrr"] == [0.5]


def test_mrr_looks_no_further_than_k() -> None:
    rankings, relevant = [["a", "b", "c"]] * 3, [{"a": 1}, {"b": 1}, {"c": 1}]
    assert rows(metrics.MRR(k=(2,)), rankings, relevant) == {"mrr@2": [1.0, 0.5, 0.0]}


def test_ndcg_counts_grades_that_a_level_would_not() -> None:
    expected = (1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3))
    assert rows(metrics.NDCG(k=(2,)), [["a", "b"]], [{"a": 1, "b": 3}])["ndcg@2"] == pytest.approx([expected], abs=1e-12)
    exponential = (1 + 7 / np.log2(3)) / (7 + 1 / np.log2(3))
    found = rows(metrics.NDCG(k=(), gain="exponential"), [["a", "b"]], [{"a": 1, "b": 3}])
    assert found == {"ndcg": [pytest.approx(exponential, abs=1e-12)]}


def test_f_weighs_recall_by_beta() -> None:
    rankings, relevant = [["a", "x", "y", "z"]], [{"a": 1, "b": 1}]
    precision, recall = 1 / 4, 1 / 2
    for beta in (0.5, 1.0, 2.0):
        expected = (1 + beta**2) * precision * recall / (beta**2 * precision + recall)
        assert rows(metrics.RetrievalF(k=(4,), beta=beta), rankings, relevant)["retrieval_f@4"] == [pytest.approx(expected)]


def test_gm_map_is_a_mean_of_logarithms_over_the_samples() -> None:
    found = metrics.GeometricMAP().evaluate(**columns([["a"], ["x", "a"], ["x"], ["a"]], [{"a": 1}] * 3 + [{}]))
    assert found.scores["gm_map"].value == pytest.approx((1 * 0.5 * 1e-5) ** (1 / 3))
    assert found.samples["gm_map"] == [pytest.approx(1), pytest.approx(0.5), pytest.approx(1e-5), None]


def test_a_grade_above_the_highest_leaves_err_unmeasured() -> None:
    found = metrics.ERR(max_grade=2).evaluate(**columns([["a"], ["a"]], [{"a": 3}, {"a": 2}]))
    assert found.statuses == ["grade above max_grade", None]
    assert found.samples["err"] == [None, 0.75]


def test_codes_below_zero_are_not_judged() -> None:
    rankings, relevant = [["a", "b", "c"]], [{"a": -1, "b": -2, "c": 1, "d": 0}]
    assert rows(incomplete.JudgedShare(k=(3,)), rankings, relevant) == {"judged@3": [pytest.approx(1 / 3)]}
    assert rows(incomplete.BPref(), rankings, relevant) == {"bpref": [1.0]}
    assert rows(metrics.NDCG(k=()), rankings, relevant) == {"ndcg": [0.5]}


def test_context_precision_is_blind_to_what_is_missed_and_map_is_not() -> None:
    rankings, relevant = [["x", "a"]], [{"a": 1, "b": 1}]
    assert rows(contexts.ContextPrecision(), rankings, relevant) == {"context_precision": [0.5]}
    assert rows(metrics.MAP(), rankings, relevant) == {"map": [0.25]}


def test_one_matrix_serves_all_metrics_of_a_batch() -> None:
    found = columns([["a", "b"]], [{"b": 1}])
    batch = eh.Batch(found)
    for metric in EVERY:
        metric.measure(**found, batch=batch)
    assert len(batch.memo) == 1


ids = st.lists(st.sampled_from([f"d{number}" for number in range(8)]), unique=True, max_size=8)


@given(st.lists(st.tuples(ids, st.dictionaries(st.sampled_from(["d0", "d3", "d5", "x"]), st.integers(-1, 3))), min_size=1))
def test_rows_do_not_depend_on_the_rows_beside_them(cases: list[tuple[list[str], dict[str, int]]]) -> None:
    whole = judged_of(cases)
    for row, case in enumerate(cases):
        alone = judged_of([case])
        for metric in EVERY:
            assert metric.unmeasured(alone).get(0) == metric.unmeasured(whole).get(row)
            expected = {name: column[row] for name, column in metric.statistics(whole).items()}
            assert {name: column[0] for name, column in metric.statistics(alone).items()} == expected, metric.name


def judged_of(cases: list[tuple[list[str], dict[str, int]]]) -> Judged:
    return Judged.of([[eh.Passage(key, "") for key in ids] for ids, _ in cases], [grades for _, grades in cases])


def test_matrices_hold_nan_where_nothing_is_judged() -> None:
    judged = Judged.of([[eh.Passage("a", ""), eh.Passage("b", "")], []], [{"b": 2, "c": -1}, {"a": 1}])
    np.testing.assert_array_equal(judged.grades, [[np.nan, 2], [np.nan, np.nan]])
    np.testing.assert_array_equal(judged.ideal, [[2, -1], [1, np.nan]])
    assert judged.found.tolist() == [2, 0]


def test_parts_follow_k_and_metrics_pickle() -> None:
    metric = metrics.RetrievalRecall(k=(1, 10), level=2)
    assert metric.parts == ("@1", "@10")
    assert metrics.RetrievalRecall(k=()).parts == ()
    assert metric.reads == ("contexts", "relevant")
    assert metric.signature() == "retrieval_recall|k:1,10|level:2"
    assert pickle.loads(pickle.dumps(metric)) == metric


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("retrieval_recall", {"k": (0, 1)}, "different whole numbers from 1"),
        ("retrieval_precision", {"k": (1, 1)}, "different whole numbers from 1"),
        ("retrieval_precision", {"level": 0}, "option 'level' must be a whole number from 1"),
        ("retrieval_f", {"beta": 0.0}, "option 'beta' must be above 0"),
        ("rbp", {"p": 1.0}, "option 'p' must lie between 0 and 1"),
        ("err", {"max_grade": 0}, "option 'max_grade' must be a whole number from 1"),
        ("err", {"max_grade": 51}, "option 'max_grade' must be a whole number from 1 to 50, not 51"),
    ],
)
def test_wrong_options_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.UsageError, match=message):
        eh.load_metric(name, **options)


QRELS = {"1": {"a": 1, "b": 0}, "2": {"c": 2}, "3": {}}
RUN = {"1": {"a": 0.5, "b": 0.9}, "9": {"z": 1.0}}


def test_a_run_of_dictionaries_is_scored_and_says_what_it_left_out() -> None:
    found = evaluate_run(QRELS, RUN, ["mrr", "ndcg@2", "gm_map", eh.load_metric("retrieval_recall", k=[1, 2])])
    assert found.topics == ("1", "2", "3")
    assert (found.missing, found.ignored) == (("2", "3"), ("9",))
    assert found.scores["mrr"] == 0.25
    assert found.scores["gm_map"] == pytest.approx((0.5 * 1e-5) ** 0.5)
    np.testing.assert_array_equal(found.values["mrr"], [0.5, 0, np.nan])
    assert list(found.scores) == ["mrr", "ndcg@2", "gm_map", "retrieval_recall@1", "retrieval_recall@2"]
    assert found.unmeasured["mrr"] == {"3": "no relevant passage"}


def test_missing_topics_may_be_left_out() -> None:
    found = evaluate_run(QRELS, RUN, ["mrr"], missing="unmeasured")
    assert found.scores == {"mrr": 0.5}
    assert found.unmeasured["mrr"] == {"2": "topic not in the run", "3": "no relevant passage"}
    assert evaluate_run({"5": {"a": 1}}, {}, ["mrr"], missing="unmeasured").scores == {"mrr": None}


def test_equal_scores_go_by_id_and_precision_is_that_of_the_version() -> None:
    run = {"1": {"b": 1.0, "ü": 1.0, "z": 1.0, "a": 2.0}}
    ranked = [evaluate_run({"1": {key: 1}}, run, ["mrr"]).scores["mrr"] for key in ("a", "ü", "z", "b")]
    assert ranked == [1.0, 1 / 2, 1 / 3, 1 / 4]
    near = {"1": {"a": 1.0 + 1e-12, "b": 1.0}}
    assert evaluate_run({"1": {"a": 1}}, near, ["mrr"]).scores["mrr"] == 1.0
    assert evaluate_run({"1": {"a": 1}}, near, ["mrr"], rules="9.0.8").scores["mrr"] == 0.5


@pytest.mark.parametrize(
    ("qrels", "run", "measure", "message"),
    [
        ({}, {}, "mrr", "the judgements hold no topic"),
        ({"1": {"a": 1}}, {"1": {"a": 1.0, "b": float("nan")}}, "mrr", "the score of document 'b' is no number"),
        ({"1": {"a": 1}}, {}, "mmr", "Did you mean 'mrr'"),
        ({"1": {"a": 1}}, {}, "mrr@ten", "after @ stands a whole number"),
        ({"1": {"a": 1}}, {}, "token_f1", "is no metric of a ranking alone"),
    ],
)
def test_what_cannot_be_scored_is_told(qrels: Any, run: Any, measure: str, message: str) -> None:
    with pytest.raises(eh.EvalharnessError, match=message):
        evaluate_run(qrels, run, [measure])
