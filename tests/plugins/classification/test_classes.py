"""Metrics of classes: equal to scikit-learn's, for every number of classes, and honest at the edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve

import evalharness as eh
from evalharness.testing import check_metric

ALL = ("accuracy", "average_precision", "balanced_accuracy", "brier", "calibration_error", "log_loss", "mcc")
SEEDS = st.integers(0, 10_000)


def value(name: str, probabilities: Any, target: Any, **options: Any) -> float | None:
    """Return the score of a metric on these rows."""
    columns = {"probabilities": np.asarray(probabilities).tolist(), "target": np.asarray(target).tolist()}
    return eh.load_metric(name, **options).evaluate(**columns).scores[name].value


def binary(seed: int, count: int = 60, ties: bool = True) -> tuple[Any, Any]:
    """Return probabilities of class 1, and classes that follow them loosely; both classes occur."""
    rng = np.random.default_rng(seed)
    probabilities = rng.random(count)
    target = (rng.random(count) < probabilities**2).astype(int)
    target[:2] = 0, 1
    return (probabilities.round(1) if ties else probabilities), target


def several(seed: int, classes: int = 4, count: int = 60) -> tuple[Any, Any]:
    """Return one probability of each class, and classes of which all occur."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.5), count)
    target = np.array([rng.choice(classes, p=row) for row in probabilities])
    target[:classes] = range(classes)
    return probabilities, target


BINARY = {
    "accuracy": lambda p, y: reference.accuracy_score(y, p >= 0.5),
    "average_precision": lambda p, y: reference.average_precision_score(y, p),
    "balanced_accuracy": lambda p, y: reference.balanced_accuracy_score(y, p >= 0.5),
    "brier": lambda p, y: reference.brier_score_loss(y, p),
    "log_loss": lambda p, y: reference.log_loss(y, p),
    "mcc": lambda p, y: reference.matthews_corrcoef(y, p >= 0.5),
}
SEVERAL = {
    "accuracy": lambda p, y: reference.accuracy_score(y, p.argmax(1)),
    "average_precision": lambda p, y: reference.average_precision_score(np.eye(p.shape[1])[y], p, average="macro"),
    "balanced_accuracy": lambda p, y: reference.balanced_accuracy_score(y, p.argmax(1)),
    "brier": lambda p, y: reference.brier_score_loss(y, p),
    "log_loss": lambda p, y: reference.log_loss(y, p),
    "mcc": lambda p, y: reference.matthews_corrcoef(y, p.argmax(1)),
}


@pytest.mark.parametrize("name", BINARY)
@given(seed=SEEDS)
def test_of_two_classes_it_equals_scikit_learn(name: str, seed: int) -> None:
    probabilities, target = binary(seed)
    expected = pytest.approx(BINARY[name](probabilities, target), abs=1e-12)
    assert value(name, probabilities, target) == expected
    assert value(name, np.stack([1 - probabilities, probabilities], 1), target) == expected


@pytest.mark.parametrize("name", SEVERAL)
@given(seed=SEEDS)
def test_of_several_classes_it_equals_scikit_learn(name: str, seed: int) -> None:
    probabilities, target = several(seed)
    assert value(name, probabilities, target, classes=4) == pytest.approx(SEVERAL[name](probabilities, target), abs=1e-12)


@given(seed=SEEDS, weights=st.lists(st.integers(0, 3), min_size=60, max_size=60))
def test_average_precision_weighs_samples_as_scikit_learn_does(seed: int, weights: list[int]) -> None:
    probabilities, target = binary(seed)
    weights[:2] = 1, 1
    metric = eh.load_metric("average_precision")
    rows = metric.measure(probabilities=probabilities.tolist(), target=target.tolist()).statistics
    found = metric.score(weights=np.array([weights, [1] * 60]), **rows)
    expected = reference.average_precision_score(target, probabilities, sample_weight=weights)
    assert found == pytest.approx([expected, reference.average_precision_score(target, probabilities)], abs=1e-12)


@given(seed=SEEDS, threshold=st.sampled_from([0.1, 0.3, 0.75]))
def test_a_threshold_decides_for_class_1_from_there_on(seed: int, threshold: float) -> None:
    probabilities, target = binary(seed)
    decided = probabilities >= threshold
    assert value("mcc", probabilities, target, threshold=threshold) == pytest.approx(
        reference.matthews_corrcoef(target, decided), abs=1e-12
    )
    assert value("accuracy", probabilities, target, threshold=threshold) == pytest.approx((decided == target).mean())


@given(seed=SEEDS, bins=st.sampled_from([1, 4, 10]))
def test_calibration_error_has_the_bins_of_scikit_learn_where_they_are_equal(seed: int, bins: int) -> None:
    probabilities, target = binary(seed, ties=False)
    confidence = np.maximum(probabilities, 1 - probabilities)
    right = (probabilities >= 0.5) == target
    shares, means = calibration_curve(right, confidence, n_bins=bins, strategy="quantile")
    assert value("calibration_error", probabilities, target, bins=bins) == pytest.approx(np.abs(shares - means).mean(), abs=1e-9)


@given(seed=SEEDS)
def test_calibration_error_of_several_classes_looks_at_the_likeliest(seed: int) -> None:
    probabilities, target = several(seed)
    found = value("calibration_error", probabilities, target, classes=4, bins=6)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == target
    parts = np.split(np.argsort(confidence), 6)
    assert found == pytest.approx(np.mean([abs(confidence[part].mean() - right[part].mean()) for part in parts]), abs=1e-9)


@given(seed=SEEDS)
def test_calibration_error_does_not_depend_on_the_order_of_equal_confidences(seed: int) -> None:
    probabilities, target = binary(seed)
    shuffled = np.random.default_rng(seed).permutation(len(target))
    found = value("calibration_error", probabilities, target, bins=7)
    assert value("calibration_error", probabilities[shuffled], target[shuffled], bins=7) == pytest.approx(found, abs=1e-12)


def test_calibration_error_takes_replicates_of_weights_at_once() -> None:
    probabilities, target = binary(3)
    metric = eh.load_metric("calibration_error")
    rows = metric.measure(probabilities=probabilities.tolist(), target=target.tolist()).statistics
    weights = np.random.default_rng(0).poisson(1.0, (5, 60))
    together = metric.score(weights=weights, **rows)
    assert together.tolist() == [float(metric.score(weights=row, **rows)) for row in weights]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("options", [{}, {"classes": 3}], ids=str)
def test_it_keeps_its_contract(name: str, options: dict[str, Any]) -> None:
    probabilities, target = several(1, classes=3) if options else binary(1)
    check_metric(
        eh.load_metric(name, **options), {"probabilities": probabilities.tolist(), "target": [int(number) for number in target]}
    )


@pytest.mark.parametrize("name", ALL)
def test_it_describes_itself(name: str) -> None:
    metric = eh.load_metric(name)
    assert " to 1" in (metric.__doc__ or "").splitlines()[0] or "0 or more" in (metric.__doc__ or "").splitlines()[0]
    assert metric.cite
    assert metric.reference


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("probabilities", "target", "reason"),
    [
        ([0.2, 0.3, 0.5], 1, "not one probability of each of 2 classes"),
        ("0.5", 1, "not one probability of each of 2 classes"),
        (1.5, 1, "probabilities are not from 0 to 1 with the sum 1"),
        (float("nan"), 1, "probabilities are not from 0 to 1 with the sum 1"),
        ([0.9, 0.9], 1, "probabilities are not from 0 to 1 with the sum 1"),
        (0.5, 2, "target is none of 2 classes"),
        (0.5, -1, "target is none of 2 classes"),
        (0.5, 0.5, "target is none of 2 classes"),
        (0.5, "yes", "target is none of 2 classes"),
    ],
)
def test_a_row_that_cannot_be_read_is_unmeasured_with_the_reason(name: str, probabilities: Any, target: Any, reason: str) -> None:
    rows = {"probabilities": [0.9, probabilities, 0.1], "target": [1, target, 0]}
    score = eh.load_metric(name).evaluate(**rows).scores[name]
    assert (score.samples, score.unmeasured) == (2, {reason: 1})


def test_a_target_may_be_a_whole_number_written_as_float() -> None:
    assert value("accuracy", [0.9, 0.1], [1.0, 0.0]) == 1.0


def test_decisions_for_one_class_alone_have_no_correlation() -> None:
    assert value("mcc", [0.1, 0.2, 0.3], [0, 1, 0]) == 0.0
    assert value("balanced_accuracy", [0.1, 0.2, 0.3], [0, 1, 0]) == 0.5


def test_what_needs_both_classes_is_undefined_where_one_is_missing() -> None:
    assert value("mcc", [0.1, 0.9, 0.3], [0, 0, 0]) is None
    assert value("average_precision", [0.1, 0.9, 0.3], [0, 0, 0]) is None
    assert value("balanced_accuracy", [0.1, 0.9, 0.3], [0, 0, 0]) == pytest.approx(2 / 3)


def test_average_precision_of_several_classes_leaves_out_one_that_does_not_occur() -> None:
    probabilities, target = [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]], [0, 1]
    assert value("average_precision", probabilities, target, classes=3) == 1.0


def test_a_sure_and_wrong_probability_costs_no_more_than_36_nats() -> None:
    assert value("log_loss", [0.0, 1.0], [1, 1]) == pytest.approx(-np.log(np.finfo(float).eps) / 2)


def test_the_brier_score_of_several_classes_reaches_2() -> None:
    assert value("brier", [[1.0, 0.0, 0.0]], [1], classes=3) == 2.0
    assert (eh.load_metric("brier").range, eh.load_metric("brier", classes=3).range) == ((0, 1), (0, 2))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("accuracy", {"classes": 1}),
        ("brier", {"classes": 5000}),
        ("mcc", {"threshold": 0.0}),
        ("mcc", {"classes": 3, "threshold": 0.4}),
        ("calibration_error", {"bins": 0}),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=next(reversed(options))):
        eh.load_metric(name, **options)
