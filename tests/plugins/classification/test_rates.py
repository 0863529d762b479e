"""Rates and agreement of decisions, equal to scikit-learn's and torchmetrics', where classes are missing as well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from torchmetrics.functional import classification as tm

import evalharness as eh
from evalharness.testing import agree
from tests.plugins.classification.rows import PAIRS, SEEDS, quietly, several, value

NAN = np.nan


def _ratio(top: float, bottom: float) -> float:
    return float(np.divide(top, bottom)) if bottom else (NAN if not top else np.inf)


def _counts(y: Any, d: Any) -> tuple[int, int, int, int]:
    tn, fp, fn, tp = sk.confusion_matrix(y, d, labels=[0, 1]).ravel().tolist()
    return tp, fp, fn, tn


def _informed(y: Any, d: Any) -> float:
    tp, fp, fn, tn = _counts(y, d)
    return _ratio(tp, tp + fn) + _ratio(tn, tn + fp) - 1


OF_TWO = {
    "accuracy": sk.accuracy_score,
    "precision": lambda y, d: sk.precision_score(y, d, zero_division=NAN),
    "recall": lambda y, d: sk.recall_score(y, d, zero_division=NAN),
    "f1": lambda y, d: sk.f1_score(y, d, zero_division=NAN),
    "fbeta": lambda y, d: sk.fbeta_score(y, d, beta=1, zero_division=NAN),
    "specificity": lambda y, d: sk.recall_score(y, d, pos_label=0, zero_division=NAN),
    "fpr": lambda y, d: 1 - sk.recall_score(y, d, pos_label=0, zero_division=NAN),
    "fnr": lambda y, d: 1 - sk.recall_score(y, d, zero_division=NAN),
    "npv": lambda y, d: sk.precision_score(y, d, pos_label=0, zero_division=NAN),
    "fdr": lambda y, d: 1 - sk.precision_score(y, d, zero_division=NAN),
    "false_omission_rate": lambda y, d: 1 - sk.precision_score(y, d, pos_label=0, zero_division=NAN),
    "informedness": _informed,
    "cohen_kappa": lambda y, d: sk.cohen_kappa_score(y, d, labels=[0, 1]),
    "g_mean": lambda y, d: np.prod([sk.recall_score(y, d, pos_label=c) for c in set(y)]) ** (1 / len(set(y))),
    "balanced_accuracy": sk.balanced_accuracy_score,
    "expected_cost": lambda y, d: 1 - sk.accuracy_score(y, d),
    "net_benefit": lambda y, d: (_counts(y, d)[0] - _counts(y, d)[1]) / len(y),
}


@given(pairs=PAIRS)
@settings(max_examples=20)
def test_of_two_classes_it_equals_the_reference(pairs: list[tuple[float, int]]) -> None:
    p, y = np.array([pair[0] for pair in pairs]), [pair[1] for pair in pairs]
    d = (p >= 0.5).astype(int).tolist()
    for name, oracle in OF_TWO.items():
        agree(name, value(name, probabilities=p, target=y), quietly(lambda oracle=oracle: oracle(y, d)))
        options = {"of": "prediction", "classes": 2}
        agree(name, value(name, options=options, prediction=d, target=y), value(name, probabilities=p, target=y))
    if len(set(y)) == 2:
        agree("mcc", value("mcc", probabilities=p, target=y), quietly(lambda: sk.matthews_corrcoef(y, d)))
        ratios = quietly(lambda: sk.class_likelihood_ratios(y, d, replace_undefined_by=NAN))
        for side, expected in zip(("positive", "negative"), ratios, strict=True):
            found = value(f"{side}_likelihood_ratio", probabilities=p, target=y)
            agree(f"{side}_likelihood_ratio", found if np.isfinite(found) else NAN, expected)


RATES = {
    "precision": lambda y, d, **how: sk.precision_score(y, d, zero_division=NAN, **how),
    "recall": lambda y, d, **how: sk.recall_score(y, d, zero_division=NAN, **how),
    "f1": lambda y, d, **how: sk.f1_score(y, d, zero_division=NAN, **how),
    "fbeta": lambda y, d, **how: sk.fbeta_score(y, d, beta=2.0, zero_division=NAN, **how),
}


@given(seed=SEEDS, average=st.sampled_from(["macro", "micro", "weighted"]), few=st.booleans())
@settings(max_examples=20)
def test_averages_over_classes_are_those_of_the_references(seed: int, average: str, few: bool) -> None:
    count = 3 if few and average != "weighted" else 60  # where all weights are 0, scikit-learn takes the plain mean
    rng = np.random.default_rng(seed)
    y, d = rng.integers(0, 4, count), rng.integers(0, 5, count)  # class 4 is none of the four
    options: dict[str, Any] = {"of": "prediction", "classes": 4, "average": average}
    for name, oracle in RATES.items():
        own = options | ({"beta": 2.0} if name == "fbeta" else {})
        occur = sorted({*y.tolist(), *d.tolist()} - {4})
        expected = quietly(lambda oracle=oracle, occur=occur: oracle(y, d, average=average, labels=occur))
        agree(name, value(name, options=own, prediction=d, target=y), expected)
    theirs = {"specificity": tm.multiclass_specificity, "npv": tm.multiclass_negative_predictive_value}
    for name, oracle in theirs.items() if count > 3 else ():
        expected = float(oracle(torch.tensor(d % 4), torch.tensor(y), num_classes=4, average=average))
        agree(name, value(name, options=options, prediction=d % 4, target=y), expected, 1e-6)


@given(seed=SEEDS, average=st.sampled_from(["macro", "micro", "weighted", "samples"]), scores=st.booleans())
@settings(max_examples=20)
def test_samples_with_several_labels_have_the_averages_of_scikit_learn(seed: int, average: str, scores: bool) -> None:
    rng = np.random.default_rng(seed)
    p, y = rng.random((40, 3)).round(1), rng.integers(0, 2, (40, 3))
    d = (p >= 0.6).astype(int)
    options: dict[str, Any] = {"classes": 3, "multilabel": True}
    given_: dict[str, Any] = {"probabilities": p} if scores else {"prediction": d}
    options |= {"threshold": 0.6} if scores else {"of": "prediction"}
    for name, oracle in RATES.items():
        own = options | {"average": average} | ({"beta": 2.0} if name == "fbeta" else {})
        agree(name, value(name, options=own, target=y, **given_), quietly(lambda oracle=oracle: oracle(y, d, average=average)))
    agree("accuracy", value("accuracy", options=options, target=y, **given_), sk.accuracy_score(y, d))


@pytest.mark.parametrize("zero", [0.0, 1.0])
def test_a_rate_of_no_sample_counts_as_zero_division_says(zero: float) -> None:
    nothing = {"probabilities": [0.1, 0.2], "target": [0, 0]}
    assert np.isnan(value("precision", **nothing))
    assert value("precision", options={"zero_division": zero}, **nothing) == zero
    how: dict[str, Any] = {"average": "macro", "zero_division": zero}
    given_, target = [0, 0, 1, 1], [0, 2, 1, 1]
    found = value("precision", options={"of": "prediction", "classes": 3, **how}, prediction=given_, target=target)
    agree("precision", found, sk.precision_score(target, given_, **how))


def test_a_likelihood_ratio_without_false_positives_is_infinite() -> None:
    score = eh.load_metric("positive_likelihood_ratio").evaluate(probabilities=[0.9, 0.1], target=[1, 0])
    assert score.scores["positive_likelihood_ratio"].reason == "infinite for these samples"


def test_each_class_is_a_part() -> None:
    options = {"labels": ("cat", "dog", "bird"), "of": "response", "average": "classes"}
    metric = eh.load_metric("recall", **options)
    columns = {"response": ["cat", " dog ", "a cat", "bird"], "target": ["cat", "dog", "cat", "cat"]}
    scores = metric.evaluate(**columns).scores
    assert [scores[f"recall.{name}"].value for name in ("cat", "dog", "bird")] == [pytest.approx(1 / 3), 1.0, None]


@given(seed=SEEDS)
@settings(max_examples=15)
def test_kappa_weighs_disagreements_as_scikit_learn_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, d = rng.integers(0, 4, 30), rng.integers(0, 4, 30)
    for distance in ("none", "linear", "quadratic"):
        options = {"of": "prediction", "classes": 4, "distance": distance}
        weights = None if distance == "none" else distance
        found = value("cohen_kappa", options=options, prediction=d, target=y)
        agree("cohen_kappa", found, sk.cohen_kappa_score(y, d, weights=weights, labels=range(4)))


@given(seed=SEEDS)
@settings(max_examples=15)
def test_texts_without_labels_are_classes_of_their_own(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = np.array(["yes", "نعم", "はい", "e\u0301", "🙂"])
    y, d = words[rng.integers(0, 4, 30)], words[rng.integers(0, 5, 30)]
    weights = rng.poisson(1.0, (2, 30))
    weights[:, 0] = 1
    columns = {"response": d, "target": y}
    for name, oracle in {
        "f1": lambda w: sk.f1_score(np.repeat(y, w), np.repeat(d, w), average="macro", zero_division=NAN),
        "mcc": lambda w: sk.matthews_corrcoef(np.repeat(y, w), np.repeat(d, w)),
        "cohen_kappa": lambda w: sk.cohen_kappa_score(np.repeat(y, w), np.repeat(d, w)),
        "balanced_accuracy": lambda w: sk.balanced_accuracy_score(np.repeat(y, w), np.repeat(d, w)),
    }.items():
        options = {"of": "response", **({"average": "macro"} if name == "f1" else {})}
        agree(name, value(name, weights, options=options, **columns), [quietly(lambda w=w, o=oracle: o(w)) for w in weights])
    assert value("accuracy", options={"of": "response"}, **columns) == np.mean(y == d)


def test_adjusted_balanced_accuracy_is_0_by_chance() -> None:
    p, y = several(3)
    found = value("balanced_accuracy", options={"classes": 4, "adjusted": True}, probabilities=p, target=y)
    agree("balanced_accuracy", found, sk.balanced_accuracy_score(y, p.argmax(1), adjusted=True))
    assert value("balanced_accuracy", options={"adjusted": True}, probabilities=[0.1, 0.1], target=[0, 1]) == 0.0


def test_a_response_that_is_no_label_is_wrong_and_has_a_column_of_its_own() -> None:
    metric = eh.load_metric("confusion_matrix", of="response", labels=("no", "yes"), normalise="targets")
    columns = {"response": ["yes", "no", "perhaps", "Yes"], "target": ["yes", "yes", "no", 1]}
    found = metric.evaluate(**columns)
    assert found.scores["confusion_matrix"].value == 0.25
    (picture,) = found.figures
    assert isinstance(picture, eh.Matrix)
    assert (picture.row_labels, picture.column_labels) == (("no", "yes"), ("no", "yes", "none of these"))
    assert np.allclose(picture.values, [[0, 0, 1], [1 / 3, 1 / 3, 1 / 3]])


@given(seed=SEEDS)
@settings(max_examples=10)
def test_the_table_is_that_of_scikit_learn(seed: int) -> None:
    p, y = several(seed)
    for normalise, theirs in {"none": None, "targets": "true", "decisions": "pred", "all": "all"}.items():
        metric = eh.load_metric("confusion_matrix", classes=4, normalise=normalise)
        (picture,) = metric.evaluate(probabilities=p, target=y).figures
        agree("confusion_matrix", picture.values, sk.confusion_matrix(y, p.argmax(1), normalize=theirs))  # type: ignore[union-attr]


OF_MANY: list[tuple[str, dict[str, Any], Any]] = [
    ("f1", {"average": "macro"}, lambda y, d: sk.f1_score(y, d, average="macro", labels=sorted({*y, *d}))),
    ("precision", {"average": "weighted", "zero_division": 0}, lambda y, d: sk.precision_score(y, d, average="weighted")),
    ("recall", {"average": "micro"}, lambda y, d: sk.recall_score(y, d, average="micro")),
    ("balanced_accuracy", {}, sk.balanced_accuracy_score),
    ("cohen_kappa", {}, sk.cohen_kappa_score),
    ("cohen_kappa", {"distance": "linear"}, lambda y, d: sk.cohen_kappa_score(y, d, weights="linear", labels=range(1000))),
    ("mcc", {}, sk.matthews_corrcoef),
]


@pytest.mark.parametrize(("name", "options", "oracle"), OF_MANY)
def test_of_many_classes_it_is_the_reference_from_two_numbers_a_sample(name: str, options: dict[str, Any], oracle: Any) -> None:
    rng = np.random.default_rng(5)
    y = rng.integers(0, 999, 800)
    d = np.where(rng.random(800) < 0.6, y, rng.integers(0, 1000, 800))
    found = eh.load_metric(name, of="prediction", classes=1000, **options).measure(prediction=d.tolist(), target=y.tolist())
    held = sum(np.asarray(rows)[0].size for rows in found.statistics.values())  # type: ignore[union-attr]
    assert held == (3 * 1000 + 3 if "distance" in options else 2)
    chosen = {"of": "prediction", "classes": 1000, **options}
    agree(name, value(name, options=chosen, prediction=d, target=y), quietly(lambda: oracle(y.tolist(), d.tolist())))
    if "distance" not in options:
        weights = rng.poisson(1.0, (2, 800))
        both = value(name, weights, options=chosen, prediction=d, target=y)
        for row, one in zip(weights, both, strict=True):
            agree(name, one, quietly(lambda row=row: oracle(np.repeat(y, row).tolist(), np.repeat(d, row).tolist())))


def test_each_of_many_classes_is_a_part_and_a_decision_for_none_of_them_is_wrong() -> None:
    metric = eh.load_metric("recall", of="response", labels=tuple(f"c{n}" for n in range(101)), average="classes")
    found = metric.evaluate(response=["c0", "none", "c100"], target=["c0", "c0", "c100"]).scores
    assert [found[f"recall.c{n}"].value for n in (0, 1, 100)] == [0.5, None, 1.0]


def test_costs_are_those_of_the_table_and_none_of_the_labels_costs_most() -> None:
    columns = {"response": ["yes", "no", "?", "no"], "target": ["no", "no", "yes", "yes"]}
    options = {"of": "response", "labels": ("no", "yes"), "cost": ((0, 1), (5, 0))}
    assert value("expected_cost", options=options, **columns) == (1 + 0 + 5 + 5) / 4
    agree("expected_cost_skill", value("expected_cost_skill", options=options, **columns), 1 - 11 / 2)
    assert eh.load_metric("expected_cost", **options).range == (0, 5)
    assert np.isnan(value("expected_cost_skill", probabilities=[0.1, 0.9], target=[0, 0]))


def test_the_best_constant_decision_saves_nothing() -> None:
    assert value("expected_cost_skill", probabilities=[0.1, 0.1, 0.1], target=[0, 0, 1]) == 0.0
    assert value("expected_cost_skill", probabilities=[0.1, 0.1, 0.9], target=[0, 0, 1]) == 1.0


def test_a_false_positive_costs_the_odds_of_the_threshold() -> None:
    columns = {"probabilities": [0.9, 0.3, 0.3, 0.1], "target": [1, 0, 0, 1]}
    assert value("net_benefit", options={"threshold": 0.25}, **columns) == pytest.approx((1 - 2 / 3) / 4)
    assert eh.load_metric("net_benefit", of="refusal", harm=3.0).range == (-3.0, 1)


def test_refusals_are_decisions_on_whether_there_is_an_answer() -> None:
    columns = {
        "response": ["I do not know.", "Paris", "I do not know.", "Rome"],
        "references": [[], ["Paris"], ["Berlin"], []],
    }
    for name in ("precision", "recall", "f1", "accuracy"):
        assert eh.load_metric(name, of="refusal").evaluate(**columns).scores[name].value == 0.5


def test_numbers_name_labels_that_are_numbers() -> None:
    options = {"of": "prediction", "labels": ("1", "2", "3")}
    assert value("accuracy", options=options, prediction=[1, 2, 3], target=["1", "2", 3]) == 1.0


def test_several_labels_may_be_given_by_name() -> None:
    options = {"of": "prediction", "labels": ("sport", "law"), "multilabel": True}
    columns = {"prediction": [["law"], ["sport", "art"], [], "law"], "target": [["law"], ["sport"], ["art"], ["law"]]}
    metric = eh.load_metric("f1", average="micro", **options)
    assert metric.evaluate(**columns).scores["f1"].unmeasured == {"prediction names no labels": 1, "target names no labels": 1}
    columns = {name: column[:2] for name, column in columns.items()}
    assert metric.evaluate(**columns).scores["f1"].value == 1.0
    assert eh.load_metric("accuracy", **options).evaluate(**columns).scores["accuracy"].value == 0.5


def test_entities_are_whole_and_of_their_type() -> None:
    options = {"of": "entities", "labels": ("MISC", "PER")}
    columns = {
        "target": [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]],
        "prediction": [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]],
    }
    for average in ("micro", "macro", "weighted", "samples"):  # seqeval's own example, 0.5 each
        assert eh.load_metric("f1", average=average, **options).evaluate(**columns).scores["f1"].value == 0.5
    each = eh.load_metric("recall", average="classes", **options).evaluate(**columns).scores
    assert (each["recall.MISC"].value, each["recall.PER"].value) == (0.0, 1.0)


def test_entities_that_cannot_be_counted_say_why() -> None:
    columns = {
        "target": [["B-PER", "O"], ["B-LOC"], ["O"], "O", ["B-PER"]],
        "prediction": [["B-PER", "S-LOC"], ["O"], ["O", "O"], ["O"], ["I-PER"]],
    }
    metric = eh.load_metric("precision", of="entities", labels=("ORG", "PER"), average="micro")
    score = metric.evaluate(**columns).scores["precision"]
    assert score.value == 1.0  # an entity of another type is none of these
    assert score.unmeasured == {
        "prediction is no list of as many tags as target": 1,
        "target is no list of tags with these labels": 2,
    }


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("", []),
        ("I-A I-A O I-A", [("A", 0, 2), ("A", 3, 4)]),
        ("B-A B-A I-B", [("A", 0, 1), ("A", 1, 2), ("B", 2, 3)]),
        ("B-A I-A E-A S-A E-A", [("A", 0, 3), ("A", 3, 4), ("A", 4, 5)]),
    ],
)
def test_entities_begin_and_end_as_conlleval_says(tags: str, found: list[tuple[str, int, int]]) -> None:
    from evalharness_classification.entities import entities_in

    assert sorted(entities_in(tags.split()), key=lambda entity: entity[1]) == found
