"""Scores of the probabilities themselves and their calibration, equal to the references, and what their pictures show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve
from torchmetrics.functional import classification as tm

import evalharness as eh
from evalharness.testing import agree, check_metric
from tests.plugins.classification.rows import SEEDS, binary, several, value

PROPER = {
    "brier": sk.brier_score_loss,
    "log_loss": sk.log_loss,
    "d2_brier": sk.d2_brier_score,
    "d2_log_loss": sk.d2_log_loss_score,
}


@given(seed=SEEDS)
@settings(max_examples=20)
def test_proper_scores_and_their_skill_equal_those_of_scikit_learn(seed: int) -> None:
    for p, y in (binary(seed), several(seed)):
        options = {} if p.ndim == 1 else {"classes": 4}
        for name, oracle in PROPER.items():
            agree(name, value(name, options=options, probabilities=p, target=y), oracle(y, p))


def test_skill_beside_one_class_is_undefined() -> None:
    for name in ("d2_brier", "d2_log_loss"):
        assert np.isnan(value(name, probabilities=[0.1, 0.2], target=[0, 0]))


@given(seed=SEEDS, bins=st.sampled_from([1, 4, 10]))
@settings(max_examples=20)
def test_calibration_error_has_the_bins_of_scikit_learn_where_they_are_equal(seed: int, bins: int) -> None:
    p, y = binary(seed, ties=False)
    shares, means = calibration_curve((p >= 0.5) == y, np.maximum(p, 1 - p), n_bins=bins, strategy="quantile")
    found = value("calibration_error", options={"bins": bins}, probabilities=p, target=y)
    agree("calibration_error", found, np.abs(shares - means).mean())


@given(seed=SEEDS, norm=st.sampled_from(["l1", "l2", "max"]), bins=st.sampled_from([1, 5, 15]))
@settings(max_examples=20)
def test_bins_of_equal_width_have_the_error_of_torchmetrics(seed: int, norm: str, bins: int) -> None:
    options: dict[str, Any] = {"cut": "width", "norm": norm, "bins": bins}
    p, y = (torch.tensor(column) for column in several(seed))
    found = value("calibration_error", options=options | {"classes": 4}, probabilities=p, target=y)
    theirs = tm.multiclass_calibration_error(p, y, 4, n_bins=bins, norm=norm)  # type: ignore[arg-type]
    agree("calibration_error", found, float(theirs), 1e-6)
    p, y = (torch.tensor(column) for column in binary(seed, ties=False))
    found = value("calibration_error", options=options | {"per": "class"}, probabilities=p, target=y)
    agree("calibration_error", found, float(tm.binary_calibration_error(p, y, n_bins=bins, norm=norm)), 1e-6)  # type: ignore[arg-type]


@given(seed=SEEDS)
@settings(max_examples=10)
def test_the_error_of_classes_is_the_mean_of_that_of_each(seed: int) -> None:
    p, y = several(seed)
    options: dict[str, Any] = {"per": "class", "bins": 5, "cut": "width"}
    each = [value("calibration_error", options=options, probabilities=p[:, c], target=(y == c).astype(int)) for c in range(4)]
    assert value("calibration_error", options=options | {"classes": 4}, probabilities=p, target=y) == pytest.approx(np.mean(each))


@given(seed=SEEDS)
@settings(max_examples=10)
def test_calibration_error_of_several_classes_looks_at_the_likeliest(seed: int) -> None:
    p, y = several(seed)
    parts = np.split(np.argsort(p.max(1)), 6)
    expected = np.mean([abs(p.max(1)[part].mean() - (p.argmax(1) == y)[part].mean()) for part in parts])
    agree("calibration_error", value("calibration_error", options={"classes": 4, "bins": 6}, probabilities=p, target=y), expected)


@given(seed=SEEDS, cut=st.sampled_from(["mass", "width"]))
@settings(max_examples=10)
def test_calibration_error_depends_on_no_order_and_takes_replicates_at_once(seed: int, cut: str) -> None:
    p, y = binary(seed)
    weights, order = np.random.default_rng(seed).poisson(1.0, (3, 60)), np.random.default_rng(seed).permutation(60)
    weights[0] = 0
    options = {"bins": 7, "cut": cut}
    found = value("calibration_error", weights, options=options, probabilities=p, target=y)
    shuffled = value("calibration_error", weights[:, order], options=options, probabilities=p[order], target=y[order])
    alone = [value("calibration_error", row, options=options, probabilities=p, target=y) for row in weights]
    repeated = value(
        "calibration_error", options=options, probabilities=np.repeat(p, weights[1]), target=np.repeat(y, weights[1])
    )
    assert np.isnan(found[0])
    assert np.allclose(found, shuffled, equal_nan=True, rtol=0, atol=1e-12)
    assert np.allclose(found, alone, equal_nan=True, rtol=0, atol=1e-12)
    assert found[1] == pytest.approx(repeated, abs=1e-12)


def test_a_confidence_on_a_cut_lies_in_the_bin_below_it() -> None:
    columns = {"probabilities": [0.5, 0.6], "target": [1, 0]}
    found = value("calibration_error", options={"cut": "width", "bins": 2, "per": "class"}, **columns)
    assert found == pytest.approx((0.5 + 0.6) / 2)


def test_the_reliability_diagram_shows_bins_their_diagonal_and_how_many_samples_they_hold() -> None:
    metric = eh.load_metric("calibration_error", cut="width", bins=2, per="class")
    columns = {"probabilities": [0.2, 0.4, 0.9, 0.9], "target": [0, 1, 1, 1]}
    rows = metric.measure(**columns).statistics  # type: ignore[union-attr]
    reliability, counts = metric.figures(weights=np.ones(4, int), **rows)
    assert isinstance(reliability, eh.Figure)
    assert isinstance(counts, eh.Figure)
    bars, diagonal = reliability.curves
    assert (bars.style, diagonal.style, diagonal.y) == ("bars", "dashed", (0.0, 1.0))
    assert np.allclose([bars.x, bars.y, counts.curves[0].y], [[0.3, 0.9], [0.5, 1.0], [2, 2]])


@given(seed=SEEDS)
@settings(max_examples=20)
def test_the_terms_of_the_brier_score_add_up_to_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, y = rng.choice([0.05, 0.35, 0.65, 1.0], 50), rng.integers(0, 2, 50)
    three = p[:, None] * [0.5, 0.3, 0.2] + (1 - p[:, None]) * [0.1, 0.2, 0.7]
    for options, likely, target in (({}, p, y), ({"classes": 3, "bins": 100}, three, rng.integers(0, 3, 50))):
        terms = {
            name: value(f"brier_{name}", options=options, probabilities=likely, target=target)
            for name in ("reliability", "resolution", "uncertainty")
        }
        expected = sk.brier_score_loss(target, likely)
        rest = expected - terms["uncertainty"]
        agree("brier_reliability", terms["reliability"], rest + terms["resolution"])
        agree("brier_resolution", terms["resolution"], terms["reliability"] - rest)
        share = np.bincount(target) / 50
        agree("brier_uncertainty", terms["uncertainty"], (share * (1 - share)).sum() / (2 if likely.ndim == 1 else 1))


def test_stated_confidence_is_held_against_another_score() -> None:
    from evalharness.scoring.measuring import ParentValues

    metric = eh.load_metric("calibration_error", of="response", right="exact_match", bins=1)
    assert (metric.reads, metric.uses) == (("response",), ("exact_match",))
    right = ParentValues([1.0, 0.0, 1.0, 0.0], [None] * 4, [True] * 4, {})
    texts = ["Paris (90%)", "Rome, about 70 percent", "I am sure", "Oslo 120%"]
    rows = metric.measure(values={"exact_match": right}, response=texts)
    assert rows.statistics["confidence"][:2, 0].tolist() == [0.9, 0.7]  # type: ignore[union-attr]
    assert set(rows.unmeasured) == {2, 3}  # type: ignore[union-attr]
    check_metric(metric, {"response": texts})


def test_sets_of_classes_hold_the_right_one_or_not() -> None:
    columns = {"prediction": [["a", "b"], [], ["c"], "c", ["d"]], "target": ["a", "b", 2, "c", "a"]}
    coverage = eh.load_metric("conformal_coverage", of="prediction", labels=("a", "b", "c")).evaluate(**columns)
    assert coverage.samples["conformal_coverage"] == [1.0, 0.0, 1.0, None, None]
    size = eh.load_metric("conformal_set_size", of="prediction", labels=("a", "b", "c")).evaluate(**columns)
    assert size.samples["conformal_set_size"] == [2.0, 0.0, 1.0, None, None]
    likely = {"probabilities": [[0.5, 0.4, 0.1], [0.9, 0.1, 0.0]], "target": [2, 0]}
    assert value("conformal_coverage", options={"classes": 3, "threshold": 0.1}, **likely) == 1.0
    assert value("conformal_set_size", options={"classes": 3, "threshold": 0.1}, **likely) == 2.5


@given(seed=SEEDS)
@settings(max_examples=10)
def test_sets_from_a_threshold_are_counted(seed: int) -> None:
    p, y = several(seed)
    options, columns = {"classes": 4, "threshold": 0.2}, {"probabilities": p, "target": y}
    agree("conformal_coverage", value("conformal_coverage", options=options, **columns), np.mean(p[np.arange(60), y] >= 0.2))
    agree("conformal_set_size", value("conformal_set_size", options=options, **columns), (p >= 0.2).sum(1).mean())


def test_a_sure_and_wrong_probability_costs_no_more_than_36_nats() -> None:
    assert value("log_loss", probabilities=[0.0, 1.0], target=[1, 1]) == pytest.approx(-np.log(np.finfo(float).eps) / 2)


def test_the_brier_score_of_several_classes_reaches_2() -> None:
    assert value("brier", options={"classes": 3}, probabilities=[[1.0, 0.0, 0.0]], target=[1]) == 2.0
    assert (eh.load_metric("brier").range, eh.load_metric("brier", classes=3).range) == ((0, 1), (0, 2))
