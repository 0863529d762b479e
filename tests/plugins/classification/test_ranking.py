"""Rankings and selection, equal to the references under weights as well, and what their curves show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hmeasure import h_score
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

import evalharness as eh
from evalharness.testing import agree
from tests.plugins.classification.rows import PAIRS, SEEDS, binary, several, value, weights_of


def _trapezoid(y: Any, p: Any, w: Any) -> float:
    precision, recall, _ = sk.precision_recall_curve(y, p, sample_weight=w)
    return float(sk.auc(recall, precision))


def _highest(y: Any, p: Any, w: Any) -> float:
    precision, recall, _ = sk.precision_recall_curve(y, p, sample_weight=w)
    return float(-(np.diff(recall) * np.maximum.accumulate(precision)[:-1]).sum())


def _envelope(y: Any, p: Any, w: Any) -> float:
    """Return the area under the least of the lines of all thresholds, exactly: they meet at known places."""
    fpr, tpr, _ = sk.roc_curve(y, p, sample_weight=w, drop_intermediate=False)
    slope, start = 1 - tpr - fpr, fpr
    with np.errstate(divide="ignore", invalid="ignore"):
        meet = (np.subtract.outer(start, start) / np.subtract.outer(slope, slope)).ravel() * -1
    x = np.unique([0.0, 1.0, *meet[(meet > 0) & (meet < 1)]])
    return float(np.trapezoid((start + np.outer(x, slope)).min(1), x))


def _trapezoids_of_gain(y: Any, p: Any, w: Any) -> float:
    """Return the area under straight lines through the points of the curve and its crossing of recall gain 0."""
    share = float((w * y).sum() / w.sum())
    points = [(0.0, 0.0)]
    for level in np.unique(p)[::-1]:
        hits, taken = float((w * y)[p >= level].sum()), float(w[p >= level].sum())
        before, least = points[-1], (w * y).sum() * share
        if before[0] < least < hits:
            points.append((least, before[1] + (taken - hits - before[1]) * (least - before[0]) / (hits - before[0])))
        points.append((hits, taken - hits))
    kept = np.array([point for point in points if point[0] >= (w * y).sum() * share * (1 - 1e-12)])
    recall, precision = kept[:, 0] / (w * y).sum(), kept[:, 0] / kept.sum(1)
    x, height = ((gain - share) / ((1 - share) * gain) for gain in (recall, precision))
    return float(np.trapezoid(height, x))


def _gain(y: Any, p: Any, w: Any) -> float:
    """Return the area by points along the counts between thresholds, as many as make no difference."""
    levels = np.unique(p)[::-1]
    tp, fp = (np.cumsum([0.0, *((w * (y == side))[p == level].sum() for level in levels)]) for side in (1, 0))
    odds, along = tp[-1] / fp[-1], np.linspace(0, 1, 20_001)
    area = 0.0
    for place in range(len(tp) - 1):
        hits, false = (side[place] + along * (side[place + 1] - side[place]) for side in (tp, fp))
        with np.errstate(divide="ignore", invalid="ignore"):
            x, height = 1 - odds * (tp[-1] - hits) / hits, 1 - odds * false / hits
        kept = x >= 0
        area += float(np.trapezoid(height[kept], x[kept])) if kept.sum() > 1 else 0.0
    return area


OF_TWO = {
    ("auroc", ()): lambda y, p, w: sk.roc_auc_score(y, p, sample_weight=w),
    ("auroc", (("max_fpr", 0.3),)): lambda y, p, w: sk.roc_auc_score(y, p, sample_weight=w, max_fpr=0.3),
    ("average_precision", ()): lambda y, p, w: sk.average_precision_score(y, p, sample_weight=w),
    ("pr_auc", ()): _trapezoid,
    ("pr_auc", (("interpolation", "highest"),)): _highest,
    ("h_measure", ()): lambda y, p, w: h_score(np.repeat(y, w), np.repeat(p, w)),
    ("cost_curve", ()): _envelope,
    ("h_measure", (("severity_ratio", 0.5),)): lambda y, p, w: h_score(np.repeat(y, w), np.repeat(p, w), severity_ratio=0.5),
}


@given(seed=SEEDS, ties=st.booleans())
@settings(max_examples=20)
def test_of_two_classes_it_equals_the_reference_under_weights(seed: int, ties: bool) -> None:
    p, y = binary(seed, ties=ties)
    weights = np.stack([np.ones(60, int), weights_of(seed)])
    for (name, options), oracle in OF_TWO.items():
        found = value(name, weights, options=dict(options), probabilities=p, target=y)
        agree(name, found, [oracle(y, p, w) for w in weights])


@given(seed=SEEDS)
@settings(max_examples=10)
def test_precision_recall_gain_is_the_area_along_mixtures_of_thresholds(seed: int) -> None:
    p, y = binary(seed, count=20)
    weights = np.stack([np.ones(20, int), weights_of(seed, 20)])
    found = value("pr_gain", weights, probabilities=p, target=y)
    agree("pr_gain", found, [_trapezoids_of_gain(y, p, w) for w in weights])
    assert found == pytest.approx([_gain(y, p, w) for w in weights], abs=1e-3)


@given(seed=SEEDS, average=st.sampled_from(["macro", "weighted", "micro"]))
@settings(max_examples=15)
def test_of_several_classes_it_has_the_averages_of_scikit_learn(seed: int, average: str) -> None:
    p, y = several(seed)
    w = weights_of(seed)
    rows, options = np.eye(4)[y], {"classes": 4, "average": average}
    for name, oracle in {"auroc": sk.roc_auc_score, "average_precision": sk.average_precision_score}.items():
        found = value(name, w, options=options, probabilities=p, target=y)
        agree(name, found, oracle(rows, p, average=average, sample_weight=w))
    if average != "micro":
        found = value("auroc", w, options=options | {"pairs": "ovo"}, probabilities=p, target=y)
        repeated = np.repeat(y, w), np.repeat(p, w, axis=0)
        agree("auroc", found, sk.roc_auc_score(*repeated, multi_class="ovo", average=average))


NAMES = ("auroc", "average_precision", "pr_auc", "pr_gain", "h_measure")


@pytest.mark.parametrize("name", NAMES)
def test_what_ranks_all_rightly_is_1_and_one_class_alone_has_no_ranking(name: str) -> None:
    assert value(name, probabilities=[0.9, 0.8, 0.2], target=[1, 1, 0]) == pytest.approx(1.0)
    missing = {"probabilities": [0.9, 0.1, 0.3], "target": [0, 0, 0]}
    assert np.isnan(value(name, **missing))
    assert eh.load_metric(name).evaluate(**missing).scores[name].reason == "undefined for these samples"


@pytest.mark.parametrize("name", NAMES)
def test_a_replicate_without_the_class_has_no_value_and_the_others_have(name: str) -> None:
    weights = np.array([[1, 1, 1, 1], [0, 1, 0, 1], [2, 0, 1, 1]])
    found = value(name, weights, probabilities=[0.9, 0.8, 0.7, 0.1], target=[1, 0, 1, 0])
    assert np.isnan(found).tolist() == [False, True, False]


def test_equal_probabilities_rank_nothing() -> None:
    same = {"probabilities": [0.5] * 4, "target": [1, 0, 1, 0]}
    assert [value(name, **same) for name in ("auroc", "average_precision", "h_measure", "pr_gain")] == [0.5, 0.5, 0.0, 0.0]


def test_a_class_that_does_not_occur_is_left_out_of_the_mean() -> None:
    columns = {"probabilities": [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]], "target": [0, 1]}
    for options in ({}, {"pairs": "ovo"}, {"average": "weighted"}):
        assert value("auroc", options={"classes": 3, **options}, **columns) == 1.0


@given(seed=SEEDS)
@settings(max_examples=10)
def test_top_k_is_that_of_scikit_learn_without_ties(seed: int) -> None:
    p, y = several(seed)
    found = value("top_k_accuracy", options={"classes": 4, "k": (1, 2, 3)}, probabilities=p, target=y)
    for k in (1, 2, 3):
        agree("top_k_accuracy", found[f"@{k}"], sk.top_k_accuracy_score(y, p, k=k))


def test_a_tied_place_is_shared() -> None:
    columns = {"probabilities": [[0.4, 0.2, 0.2, 0.2]], "target": [2]}
    found = value("top_k_accuracy", options={"classes": 4, "k": (1, 2, 3)}, **columns)
    assert [found[f"@{k}"] for k in (1, 2, 3)] == pytest.approx([0.0, 1 / 3, 2 / 3])


def _pictures(name: str, options: dict[str, Any] | None = None, **columns: Any) -> Any:
    metric = eh.load_metric(name, **(options or {}))
    rows = metric.measure(**columns).statistics  # type: ignore[union-attr]
    return metric.figures(weights=np.ones(len(columns["target"]), int), **rows)


def test_the_roc_curve_is_that_of_scikit_learn_beside_chance() -> None:
    p, y = binary(3)
    (figure,) = _pictures("auroc", probabilities=p.tolist(), target=y.tolist())
    curve, chance = figure.curves
    fpr, tpr, _ = sk.roc_curve(y, p, drop_intermediate=False)
    assert (np.allclose(curve.x, fpr), np.allclose(curve.y, tpr)) == (True, True)
    assert (chance.x, chance.y, chance.style) == ((0.0, 1.0), (0.0, 1.0), "dashed")
    assert _pictures("auroc", probabilities=[0.1], target=[0]) == ()


def test_the_cost_curve_lies_under_that_of_a_constant_decision() -> None:
    p, y = binary(3)
    (figure,) = _pictures("cost_curve", probabilities=p.tolist(), target=y.tolist())
    curve, constant = figure.curves
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(value("cost_curve", probabilities=p, target=y), abs=1e-3)
    assert np.all(np.array(curve.y) <= np.minimum(curve.x, 1 - np.array(curve.x)) + 1e-12)
    assert constant.style == "dashed"
    assert value("cost_curve", probabilities=[0.9, 0.1], target=[1, 0]) == 0.0
    assert value("cost_curve", probabilities=[0.5, 0.5], target=[1, 0]) == 0.25


def test_the_precision_recall_curve_shows_the_share_of_the_class() -> None:
    p, y = binary(3)
    (figure,) = _pictures("average_precision", probabilities=p.tolist(), target=y.tolist())
    curve, chance = figure.curves
    precision, recall, _ = sk.precision_recall_curve(y, p)
    assert np.allclose(curve.x[1:], recall[-2::-1])
    assert np.allclose(curve.y[1:], precision[-2::-1])
    assert chance.y == (y.mean(), y.mean())


def test_several_classes_have_a_curve_each_and_many_points_are_thinned() -> None:
    p, y = several(1, count=900)
    options = {"labels": ("a", "b", "c", "d")}
    (figure,) = _pictures("auroc", options, probabilities=p.tolist(), target=y.tolist())
    assert [curve.name for curve in figure.curves] == ["a", "b", "c", "d", "chance"]
    assert max(len(curve.x) for curve in figure.curves) == 200
    assert figure.curves[0].y[-1] == 1.0


@given(pairs=PAIRS)
@settings(max_examples=20)
def test_selection_is_that_of_one_answer_after_the_other(pairs: list[tuple[float, int]]) -> None:
    p, y = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    confidence, right = np.maximum(p, 1 - p), np.where(p == 0.5, 0.5, (p > 0.5) == y)
    risks = []
    for j in range(1, len(p) + 1):
        level = np.sort(confidence)[::-1][j - 1]
        sure, tied = confidence > level, confidence == level
        risks.append((1 - right[sure]).sum() + (j - sure.sum()) * (1 - right[tied]).mean())
    expected = np.mean(np.array(risks) / np.arange(1, len(p) + 1))
    agree("aurc", value("aurc", probabilities=p, target=y), expected)
    best = np.mean(np.cumsum(np.sort(right < 0.5)) / np.arange(1, len(p) + 1))
    if 0.5 not in p:
        agree("e_aurc", value("e_aurc", probabilities=p, target=y), expected - best)
    found = value("selective_accuracy", options={"coverage": 1.0}, probabilities=p, target=y)
    agree("selective_accuracy", found, right.mean())
    if len(set(right[p != 0.5].tolist())) == 2:
        kept = p != 0.5
        agree(
            "failure_auroc",
            value("failure_auroc", probabilities=p[kept], target=y[kept]),
            sk.roc_auc_score(right[kept], confidence[kept]),
        )


def test_the_excess_is_over_a_ranking_with_the_wrong_ones_last() -> None:
    best = {"probabilities": [0.9, 0.8, 0.7, 0.6], "target": [1, 1, 1, 0]}
    assert value("e_aurc", **best) == pytest.approx(0.0, abs=1e-12)
    assert value("e_aurc", probabilities=[0.9, 0.8], target=[0, 1]) == pytest.approx((1 + 0.5) / 2 - 0.25)
    assert value("selective_accuracy", options={"coverage": 0.5}, **best) == 1.0
    assert value("aurc", probabilities=[0.9, 0.8], target=[1, 1]) == 0.0


def test_on_real_scores_it_equals_the_references(labelled_data: Any) -> None:
    import csv

    with labelled_data("xsum_hallucination/eval_scores_xsum_summaries.csv").open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["Entailment"] and line["Faithful"]]
    some = lines[::6]  # the slow definitions take time by the square
    p, faithful = (np.array([float(line[name]) for line in some]) for name in ("Entailment", "Faithful"))
    y = (faithful >= 0.5).astype(int)
    for (name, options), oracle in OF_TWO.items():
        agree(name, value(name, options=dict(options), probabilities=p, target=y), oracle(y, p, np.ones(len(y), int)))
    d = (p >= 0.5).astype(int)
    agree("f1", value("f1", probabilities=p, target=y), sk.f1_score(y, d))
    agree("mcc", value("mcc", probabilities=p, target=y), sk.matthews_corrcoef(y, d))
    agree("d2_brier", value("d2_brier", probabilities=p, target=y), sk.d2_brier_score(y, p))
