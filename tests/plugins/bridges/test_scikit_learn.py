"""Scores of scikit-learn in a task: equal to calling them, replicates by weights, and errors that say what to write."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing import agree, check_metric

CHANCE = np.random.default_rng(5)
SIZE = 60
CLASSES = CHANCE.integers(0, 3, SIZE).tolist()
DECIDED = [int(value) for value in np.where(CHANCE.random(SIZE) < 0.6, CLASSES, CHANCE.integers(0, 3, SIZE))]
SPREAD = CHANCE.dirichlet([1.0, 1.0, 1.0], SIZE).tolist()
BINARY, SHARE = (np.array(CLASSES) > 0).astype(int).tolist(), CHANCE.random(SIZE).tolist()
NUMBERS, FOUND = (CHANCE.random(SIZE) + 0.1).tolist(), (CHANCE.random(SIZE) + 0.1).tolist()

CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("f1_score", {"average": "macro"}, {"target": CLASSES, "prediction": DECIDED}),
    ("precision_score", {"average": "weighted", "labels": [0, 1]}, {"target": CLASSES, "prediction": DECIDED}),
    ("balanced_accuracy_score", {}, {"target": CLASSES, "prediction": DECIDED}),
    ("matthews_corrcoef", {}, {"target": CLASSES, "prediction": DECIDED}),
    ("zero_one_loss", {}, {"target": CLASSES, "prediction": DECIDED}),
    ("roc_auc_score", {"multi_class": "ovr"}, {"target": CLASSES, "probabilities": SPREAD}),
    ("roc_auc_score", {}, {"target": BINARY, "probabilities": SHARE}),
    ("average_precision_score", {}, {"target": BINARY, "probabilities": SHARE}),
    ("log_loss", {"labels": [0, 1, 2]}, {"target": CLASSES, "probabilities": SPREAD}),
    ("brier_score_loss", {}, {"target": BINARY, "probabilities": SHARE}),
    ("mean_squared_error", {}, {"target": NUMBERS, "prediction": FOUND}),
    ("median_absolute_error", {}, {"target": NUMBERS, "prediction": FOUND}),
    ("mean_tweedie_deviance", {"power": 1.5}, {"target": NUMBERS, "prediction": FOUND}),
    ("r2_score", {}, {"target": NUMBERS, "prediction": FOUND}),
    ("max_error", {}, {"target": NUMBERS, "prediction": FOUND}),
    ("adjusted_rand_score", {}, {"target": CLASSES, "prediction": DECIDED}),
]


def bridged(name: str, **options: Any) -> eh.Metric:
    return eh.load_metric("sklearn", **{"name": name, **options})


@pytest.mark.parametrize(("name", "options", "columns"), CASES, ids=[f"{name} {options}" for name, options, _ in CASES])
def test_values_are_those_of_the_library_and_weights_count_rows(
    name: str, options: dict[str, Any], columns: dict[str, Any]
) -> None:
    metric, (truth, found) = bridged(name, **options), columns.values()
    rows = metric.measure(**columns).statistics["row"]
    weights = np.stack([np.ones(SIZE, int), np.arange(SIZE) % 3])
    repeated = [[values[place] for place in np.repeat(np.arange(SIZE), weights[1])] for values in (truth, found)]
    function = getattr(sklearn.metrics, name)
    expected = [function(truth, found, **options), function(*repeated, **options)]
    agree("sklearn", metric.score(weights=weights, row=rows), expected)
    agree("sklearn", metric.score(weights=weights[0], row=rows), expected[0])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=8))
@settings(max_examples=30)
def test_any_decisions_have_the_value_of_the_library(pairs: list[tuple[int, int]]) -> None:
    truth, found = map(list, zip(*pairs, strict=True))
    options = {"average": "macro", "zero_division": 0}
    metric = bridged("f1_score", **options)
    rows = metric.measure(target=truth, prediction=found).statistics["row"]
    expected = sklearn.metrics.f1_score(truth, found, **options)
    agree("sklearn", metric.score(weights=np.ones(len(pairs), int), row=rows), expected)


def test_a_whole_evaluation_has_interval_and_replicates() -> None:
    score = bridged("f1_score", average="macro", range=[0, 1]).evaluate(target=CLASSES, prediction=DECIDED).scores["f1_score"]
    assert score.value == pytest.approx(sklearn.metrics.f1_score(CLASSES, DECIDED, average="macro"), abs=1e-12)
    assert score.low is not None
    assert score.high is not None
    assert 0 <= score.low < score.value < score.high <= 1
    assert (score.replicates, score.better) == (100, "higher")


def test_labels_may_be_text_and_come_from_references() -> None:
    fields = {"y_true": "references", "y_pred": "response"}
    metric = bridged("accuracy_score", fields=fields)
    found = metric.evaluate(response=["yes", "no", "no"], references=[["yes", "yeah"], ["no"], []])
    assert metric.reads == ("references", "response")
    assert found.scores["accuracy_score"].value == 1.0
    assert found.statuses == [None, None, "no reference"]


def test_of_two_probabilities_that_of_class_1_is_passed() -> None:
    pairs = [[1 - share, share] for share in SHARE]
    found = bridged("roc_auc_score").evaluate(target=BINARY, probabilities=pairs).scores["roc_auc_score"].value
    agree("sklearn", found, sklearn.metrics.roc_auc_score(BINARY, SHARE))


def test_a_mean_over_samples_has_the_value_of_each() -> None:
    found = bridged("mean_absolute_error", per_sample=True, range=[0, None]).evaluate(target=[1.0, 2.0], prediction=[2.0, 2.5])
    assert found.samples == {"mean_absolute_error": [1.0, 0.5]}
    assert found.scores["mean_absolute_error"].value == 0.75
    assert found.scores["mean_absolute_error"].replicates == 1000


def test_arrays_of_numpy_are_columns_too() -> None:
    found = bridged("accuracy_score").evaluate(target=np.array([1, 0]), prediction=np.array([1, 1]))
    assert found.scores["accuracy_score"].value == 0.5


def test_a_missing_number_leaves_out_its_row() -> None:
    found = bridged("mean_squared_error").evaluate(target=[1.0, 2.0], prediction=[float("nan"), 2.5])
    assert (found.scores["mean_squared_error"].value, found.statuses) == (0.25, ["not a number", None])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say what of sklearn.metrics is meant, for example  name: f1_score"),
        ({"name": "f1"}, "sklearn.metrics has no 'f1'. Did you mean f1_score"),
        ({"name": "f1_score", "averag": "macro"}, "sklearn.metrics.f1_score has no argument 'averag'; it has: y_true, y_pred"),
        ({"name": "f1_score", "y_pred": "response"}, "write  fields: {y_pred: FIELD}"),
        ({"name": "f1_score", "fields": {"y_pred": 3}}, "fields.y_pred must name a field, such as response, not 3"),
        ({"name": "silhouette_score"}, "say which field is X of sklearn.metrics.silhouette_score:  fields: {X: FIELD}"),
        ({"name": "class_likelihood_ratios"}, "does not say which direction is better; write  better: higher"),
        ({"name": "f1_score", "range": [1, 0]}, "range is [1.0, 0.0], but must be [LOW, HIGH]"),
        ({"name": "f1_score", "better": "up"}, "option 'better' of metric 'sklearn' must be"),
    ],
)
def test_wrong_options_say_what_to_write(options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.UsageError) as caught:
        eh.load_metric("sklearn", **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("f1_score", {}, "sklearn.metrics.f1_score: ValueError: Target is multiclass but average='binary'"),
        ("f1_score", {"average": None}, "sklearn.metrics.f1_score gives 3 values where one is wanted; choose an average"),
        ("confusion_matrix", {"better": "higher"}, "gives 3 values where one is wanted"),
        ("f1_score", {"average": "macro", "keys": ["f1"]}, "gives one value without a key; leave 'keys' out"),
        ("classification_report", {"output_dict": True, "better": "higher"}, "say which are wanted: keys: [0, 1, 2, accuracy"),
    ],
)
def test_what_the_library_refuses_is_the_reason_of_a_missing_score(name: str, options: dict[str, Any], message: str) -> None:
    found = bridged(name, **options).evaluate(target=CLASSES, prediction=DECIDED).scores
    (score,) = found.values()
    assert score.value is None
    assert message in (score.reason or "")


@pytest.mark.parametrize(
    ("name", "better"),
    [("accuracy_score", "higher"), ("hamming_loss", "lower"), ("max_error", "lower"), ("davies_bouldin_score", "lower")],
)
def test_the_direction_follows_from_the_name(name: str, better: str) -> None:
    assert bridged(name, fields={"X": "embedding", "labels": "target"} if "davies" in name else {}).better == better


def test_every_registered_scorer_has_the_direction_that_its_name_says() -> None:
    for scorer in map(sklearn.metrics.get_scorer, sklearn.metrics.get_scorer_names()):
        name = scorer._score_func.__name__
        if hasattr(sklearn.metrics, name):
            assert bridged(name).better == {1: "higher", -1: "lower"}[scorer._sign], name


def test_functions_with_weights_get_them() -> None:
    assert not bridged("max_error").weighs  # type: ignore[attr-defined]
    assert bridged("r2_score").weighs  # type: ignore[attr-defined]
    assert "sample_weight" in inspect.signature(sklearn.metrics.r2_score).parameters


def test_its_name_in_a_chain_is_the_function_and_its_spec_the_bridge() -> None:
    metric = bridged("f1_score", average="macro")
    assert (metric.name, metric.spec().name) == ("f1_score", "sklearn")
    assert metric.signature().startswith("sklearn|better:higher|")
    assert '"average":"macro"' in metric.signature()


def test_a_mean_over_samples_keeps_the_contract() -> None:
    check_metric(bridged("mean_absolute_error", per_sample=True, range=[0, None]))
