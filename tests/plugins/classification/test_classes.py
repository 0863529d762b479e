"""What all metrics of classes share: how rows are read, what cannot be, which options are refused, and their contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from evalharness_classification import evalharness_metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

import evalharness as eh
from evalharness.testing import check_metric
from tests.plugins.classification.rows import SEEDS, binary, several, value

CLASSES = {metric.name: metric for metric in evalharness_metrics()}
OF_PROBABILITIES = sorted(set(CLASSES) - {"net_benefit"})


@pytest.mark.parametrize(
    "name", ["accuracy", "auroc", "balanced_accuracy", "calibration_error", "f1", "h_measure", "net_benefit"]
)
def test_it_keeps_its_contract_on_two_classes(name: str) -> None:
    probabilities, target = binary(1)
    check_metric(eh.load_metric(name), {"probabilities": probabilities.tolist(), "target": target.tolist()})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("f1", {"of": "response", "average": "macro"}),
        ("mcc", {"of": "response"}),
        ("recall", {"of": "response", "labels": ("Paris", "yes", "no"), "average": "classes"}),
        ("cohen_kappa", {"of": "prediction", "classes": 3, "distance": "linear"}),
        ("fbeta", {"of": "refusal", "beta": 2.0}),
        ("accuracy", {"of": "response"}),
    ],
)
def test_it_keeps_its_contract_on_texts(name: str, options: dict[str, Any]) -> None:
    check_metric(eh.load_metric(name, **options))


@pytest.mark.parametrize("average", ["samples", "micro"])
def test_it_keeps_its_contract_on_several_labels(average: str) -> None:
    rng = np.random.default_rng(0)
    columns = {"probabilities": rng.random((12, 3)).tolist(), "target": rng.integers(0, 2, (12, 3)).tolist()}
    check_metric(eh.load_metric("precision", classes=3, multilabel=True, average=average), columns)


@pytest.mark.parametrize("name", CLASSES)
def test_it_describes_itself(name: str) -> None:
    metric = CLASSES[name]
    first = (metric.__doc__ or "").splitlines()[0]
    assert any(words in first for words in (" to 1", "0 or more", "at most 1", "0 to 0.25")), first
    assert ">>>" in (metric.__doc__ or "")
    assert metric.cite
    assert metric.formula
    assert metric.reference


@pytest.mark.parametrize("name", OF_PROBABILITIES)
def test_a_row_that_cannot_be_read_is_unmeasured_with_the_reason(name: str) -> None:
    wrong: dict[str, list[tuple[Any, Any]]] = {
        "3 numbers, not one probability of each of 2 classes": [([0.2, 0.3, 0.5], 1), ("[0.2, 0.3, 0.5]", 1)],
        "no numbers, not one probability of each of 2 classes": [("half", 1), ({"a": 1.0}, 1)],
        "probabilities are not from 0 to 1 with the sum 1": [(1.5, 1), (float("nan"), 1), ([0.9, 0.9], 1)],
        "target is none of 2 classes": [(0.5, 2), (0.5, -1), (0.5, 0.5), (0.5, "yes"), (0.5, []), (0.5, float("nan"))],
    }
    rows = [(reason, *row) for reason, found in wrong.items() for row in found]
    columns = {"probabilities": [row[1] for row in rows] + [0.9, 0.1], "target": [row[2] for row in rows] + [1, 0]}
    found = eh.load_metric(name).measure(**columns)
    assert found.unmeasured == {place: row[0] for place, row in enumerate(rows)}  # type: ignore[union-attr]


def test_cells_of_a_csv_file_are_read_as_the_numbers_that_they_spell() -> None:
    numbers = {"probabilities": [0.9, [0.2, 0.8], 0.1], "target": [1, 0, 0]}
    cells = {"probabilities": ["0.9", "[0.2, 0.8]", "0.1"], "target": ["1", "0", " 0"]}
    scores = [eh.load_metric("brier").evaluate(**columns).samples["brier"] for columns in (numbers, cells)]
    assert scores[0] == scores[1]


@given(seed=SEEDS, threshold=st.sampled_from([0.1, 0.3, 0.75]))
@settings(max_examples=15)
def test_a_threshold_decides_for_class_1_from_there_on(seed: int, threshold: float) -> None:
    probabilities, target = binary(seed)
    found = value("mcc", options={"threshold": threshold}, probabilities=probabilities, target=target)
    assert found == pytest.approx(sk.matthews_corrcoef(target, probabilities >= threshold), abs=1e-12)


@given(seed=SEEDS)
@settings(max_examples=10)
def test_both_probabilities_say_what_that_of_class_1_does(seed: int) -> None:
    p, y = binary(seed)
    for name in ("accuracy", "average_precision", "auroc", "brier", "calibration_error", "log_loss", "mcc"):
        both = value(name, probabilities=np.stack([1 - p, p], 1), target=y)
        assert both == pytest.approx(value(name, probabilities=p, target=y), abs=1e-12)


def test_labels_name_the_target() -> None:
    p, y = several(2)
    labels = ("a", "b", "c", "d")
    named = value("log_loss", options={"labels": labels}, probabilities=p, target=np.array(labels)[y])
    assert named == value("log_loss", options={"classes": 4}, probabilities=p, target=y)


def test_a_target_may_be_a_whole_number_written_as_float_or_the_only_one_of_a_list() -> None:
    assert value("accuracy", probabilities=[0.9, 0.1, 0.9], target=[1.0, 0.0, 1.0]) == 1.0
    assert eh.load_metric("accuracy").evaluate(probabilities=[0.9], target=[[1]]).scores["accuracy"].value == 1.0


def test_arrays_are_read_as_lists_are() -> None:
    p, y = several(2)
    found = eh.load_metric("accuracy", classes=4).evaluate(probabilities=p, target=y).scores["accuracy"].value
    assert found == np.mean(p.argmax(1) == y)


def test_decisions_for_one_class_alone_have_no_correlation() -> None:
    columns = {"probabilities": [0.1, 0.2, 0.3], "target": [0, 1, 0]}
    assert (value("mcc", **columns), value("balanced_accuracy", **columns)) == (0.0, 0.5)


def test_what_needs_both_classes_is_undefined_where_one_is_missing() -> None:
    columns = {"probabilities": [0.1, 0.9, 0.3], "target": [0, 0, 0]}
    assert eh.load_metric("mcc").evaluate(**columns).scores["mcc"].value is None
    assert value("balanced_accuracy", **columns) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("accuracy", {"classes": 1}, "classes is 1"),
        ("brier", {"classes": 5000}, "classes is 5000"),
        ("confusion_matrix", {"classes": 64}, "from 2 to 63"),
        ("accuracy", {"labels": ("a", "a")}, "'a' twice"),
        ("accuracy", {"labels": ("a", "b "), "of": "response"}, "white space"),
        ("accuracy", {"labels": ("a", "b"), "classes": 3}, "leave out classes"),
        ("mcc", {"threshold": 0.0}, "threshold is 0.0"),
        ("mcc", {"classes": 3, "threshold": 0.4}, "threshold"),
        ("mcc", {"of": "response", "threshold": 0.4}, "leave it out"),
        ("f1", {"of": "refusal", "labels": ("a", "b")}, "leave out labels"),
        ("f1", {"classes": 3}, "write average: macro"),
        ("f1", {"of": "response"}, "write average: macro"),
        ("f1", {"of": "response", "average": "classes"}, "name them with labels"),
        ("f1", {"average": "samples"}, "multilabel: true"),
        ("f1", {"average": "micro", "multilabel": True, "of": "response"}, "multilabel reads"),
        ("f1", {"average": "micro", "multilabel": True, "of": "prediction"}, "multilabel needs labels"),
        ("accuracy", {"multilabel": True}, "multilabel needs labels"),
        ("f1", {"of": "entities", "average": "micro"}, "needs labels"),
        ("f1", {"of": "entities", "labels": ("A", "B")}, "write average: macro"),
        ("specificity", {"of": "entities", "labels": ("A", "B"), "average": "micro"}, "no true negatives"),
        ("f1", {"zero_division": 0.5}, "zero_division is 0.5"),
        ("cohen_kappa", {"of": "response", "distance": "linear"}, "name them with labels"),
        ("confusion_matrix", {"of": "response"}, "name them with labels"),
        ("expected_cost", {"of": "response"}, "name them with labels"),
        ("expected_cost", {"cost": ((0, 1),)}, "2 rows of 2 numbers"),
        ("expected_cost", {"cost": ((0, -1), (1, 0))}, "0 or more"),
        ("net_benefit", {"classes": 3}, "class 1 of two"),
        ("net_benefit", {"of": "refusal", "harm": 0.0}, "harm is 0"),
        ("auroc", {"max_fpr": 0.0}, "max_fpr is 0"),
        ("auroc", {"pairs": "ovo"}, "more than two classes"),
        ("top_k_accuracy", {"k": (2,)}, "from 1 to 1"),
        ("calibration_error", {"bins": 0}, "bins is 0"),
        ("calibration_error", {"of": "confidence"}, "needs right"),
        ("calibration_error", {"right": "exact_match"}, "right goes with"),
        ("calibration_error", {"of": "confidence", "right": "exact_match", "per": "class"}, "leave it out"),
        ("brier_resolution", {"bins": 5000}, "bins is 5000"),
        ("selective_accuracy", {"coverage": 0.0}, "coverage is 0"),
        ("conformal_coverage", {"threshold": 1.5}, "threshold is 1.5"),
        ("h_measure", {"severity_ratio": 0.0}, "severity_ratio is 0"),
        ("fbeta", {"beta": -1.0}, "beta is -1"),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(Exception, match=told):
        eh.load_metric(name, **options)
