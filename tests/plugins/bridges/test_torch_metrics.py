"""Metrics of torchmetrics in a task: equal to calling them, by the name of any class, with errors that say what to write."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
import torchmetrics.classification
import torchmetrics.regression
import torchmetrics.text
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing import agree, check_metric
from evalharness.testing.samples import ROWS

RESPONSES = [row[1] for row in ROWS if row[2]]
REFERENCES = [row[2] for row in ROWS if row[2]]
CHANCE = np.random.default_rng(7)
SIZE = 40
CLASSES = CHANCE.integers(0, 3, SIZE).tolist()
SPREAD = CHANCE.dirichlet([1.0, 1.0, 1.0], SIZE).tolist()
BINARY, SHARE = (np.array(CLASSES) > 0).astype(int).tolist(), CHANCE.random(SIZE).tolist()
NUMBERS, FOUND = CHANCE.random(SIZE).tolist(), CHANCE.random(SIZE).tolist()


def bridged(name: str, **options: Any) -> eh.Metric:
    return eh.load_metric("torchmetrics", **{"name": name, **options})


def value(metric: eh.Metric, **columns: Any) -> Any:
    statistics = metric.measure(**columns).statistics
    if metric.pool == "sum":
        return metric.score(**{name: np.sum(values, 0) for name, values in statistics.items()})
    rows = statistics["row"]
    return metric.score(weights=np.ones(len(rows), int), row=rows)


def direct(name: str, preds: Any, target: Any, **options: Any) -> Any:
    places = (torchmetrics.text, torchmetrics.classification, torchmetrics.regression)
    cls = next(getattr(place, name) for place in places if hasattr(place, name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = cls(**options)
    made.update(preds, target)
    return made.compute()


@pytest.mark.parametrize(
    ("name", "options"),
    [("BLEUScore", {"n_gram": 2}), ("BLEUScore", {"smooth": True}), ("SacreBLEUScore", {"tokenize": "char"}), ("CHRFScore", {})],
)
def test_text_against_all_references_is_that_of_the_library(name: str, options: dict[str, Any]) -> None:
    expected = direct(name, RESPONSES, REFERENCES, **options)
    agree("torchmetrics", value(bridged(name, **options), response=RESPONSES, references=REFERENCES), expected)


@pytest.mark.parametrize("name", ["WordErrorRate", "CharErrorRate", "MatchErrorRate", "WordInfoLost", "EditDistance"])
def test_text_against_one_reference_is_that_of_the_library(name: str) -> None:
    expected = direct(name, RESPONSES, [texts[0] for texts in REFERENCES])
    agree("torchmetrics", value(bridged(name), response=RESPONSES, references=REFERENCES), expected)


@given(st.lists(st.tuples(st.text(max_size=8), st.text(min_size=1, max_size=8)), min_size=1, max_size=4))
@settings(max_examples=30)
def test_any_text_has_the_value_of_the_library(pairs: list[tuple[str, str]]) -> None:
    found, wanted = map(list, zip(*pairs, strict=True))
    expected = direct("CharErrorRate", found, wanted)
    agree("torchmetrics", value(bridged("CharErrorRate"), response=found, references=[[text] for text in wanted]), expected)


@pytest.mark.parametrize(
    ("name", "options", "columns"),
    [
        ("Accuracy", {"task": "multiclass", "num_classes": 3}, {"probabilities": SPREAD, "target": CLASSES}),
        ("F1Score", {"task": "multiclass", "num_classes": 3, "average": "macro"}, {"probabilities": SPREAD, "target": CLASSES}),
        ("CalibrationError", {"task": "binary"}, {"probabilities": SHARE, "target": BINARY}),
        ("AUROC", {"task": "binary"}, {"probabilities": SHARE, "target": BINARY}),
        ("MeanSquaredError", {"squared": False}, {"prediction": FOUND, "target": NUMBERS}),
        ("SpearmanCorrCoef", {}, {"prediction": FOUND, "target": NUMBERS}),
        ("TweedieDevianceScore", {"power": 0.0, "better": "lower"}, {"prediction": FOUND, "target": NUMBERS}),
    ],
)
def test_numbers_have_the_value_of_the_library(name: str, options: dict[str, Any], columns: dict[str, Any]) -> None:
    found, target = columns.values()
    own = {key: option for key, option in options.items() if key != "better"}
    whole = torch.int64 if isinstance(target[0], int) else torch.float64
    expected = direct(name, torch.tensor(found, dtype=torch.float64), torch.tensor(target, dtype=whole), **own)
    agree("torchmetrics", value(bridged(name, **options), **columns), expected)


def test_of_two_probabilities_a_binary_metric_gets_that_of_class_1() -> None:
    pairs = [[1 - share, share] for share in SHARE]
    for metric in (bridged("AUROC", task="binary"), bridged("BinaryAUROC")):
        agree(
            "torchmetrics", value(metric, probabilities=pairs, target=BINARY), value(metric, probabilities=SHARE, target=BINARY)
        )


def test_a_query_of_retrieval_is_a_sample_with_lists() -> None:
    scores, labels = [[0.2, 0.9, 0.1], [0.5, 0.4]], [[1, 0, 0], [0, 1]]
    found = value(bridged("RetrievalMRR"), prediction=scores, target=labels)
    assert found == pytest.approx(0.5)


WEIGHTS = np.arange(len(RESPONSES)) % 3
REPEATED = np.repeat(np.arange(len(RESPONSES)), WEIGHTS)


def test_replicates_repeat_rows() -> None:
    metric = bridged("ROUGEScore", keys=["rouge1_fmeasure"], rouge_keys="rouge1")
    rows = metric.measure(response=RESPONSES, references=REFERENCES).statistics["row"]
    texts, references = [RESPONSES[row] for row in REPEATED], [REFERENCES[row] for row in REPEATED]
    expected = direct("ROUGEScore", texts, references, rouge_keys="rouge1")["rouge1_fmeasure"]
    found = metric.score(weights=np.stack([WEIGHTS, WEIGHTS * 0]), row=rows)[".rouge1_fmeasure"]
    agree("torchmetrics", found, [expected, math.nan])
    assert metric.replicates == 100


def test_what_the_library_sums_is_summed_so_that_each_sample_has_a_value() -> None:
    metric = bridged("BLEUScore", n_gram=2, range=[0, 1])
    found = metric.evaluate(response=[*RESPONSES, "x"], references=[*REFERENCES, []])
    alone = [direct("BLEUScore", [text], [texts], n_gram=2) for text, texts in zip(RESPONSES, REFERENCES, strict=True)]
    agree("torchmetrics", found.scores["BLEUScore"].value, direct("BLEUScore", RESPONSES, REFERENCES, n_gram=2))
    agree("torchmetrics", found.samples["BLEUScore"][:-1], alone)
    assert found.statuses[-1] == "no reference"
    assert found.scores["BLEUScore"].replicates == 1000
    statistics = metric.measure(response=RESPONSES, references=REFERENCES).statistics
    totals = {name: np.tensordot(np.stack([WEIGHTS, WEIGHTS * 2]), np.array(values), 1) for name, values in statistics.items()}
    texts, references = [RESPONSES[row] for row in REPEATED], [REFERENCES[row] for row in REPEATED]
    agree("torchmetrics", metric.score(**totals), [direct("BLEUScore", texts, references, n_gram=2)] * 2)


def test_several_values_are_parts() -> None:
    keys = ["rouge1_fmeasure", "rougeL_recall"]
    options: dict[str, Any] = {"rouge_keys": ["rouge1", "rougeL"]}
    metric = bridged("ROUGEScore", keys=keys, **options)
    expected = direct("ROUGEScore", RESPONSES, REFERENCES, rouge_keys=("rouge1", "rougeL"))
    found = value(metric, response=RESPONSES, references=REFERENCES)
    assert metric.parts == (".rouge1_fmeasure", ".rougeL_recall")
    agree("torchmetrics", [found[f".{key}"] for key in keys], [expected[key] for key in keys])


def test_a_mean_over_samples_has_the_value_of_each() -> None:
    metric = bridged("ROUGEScore", per_sample=True, keys=["rouge1_fmeasure"], rouge_keys="rouge1", range=[0, 1])
    found = metric.evaluate(response=["a b", "c d", "x"] * 3, references=[["a c"], ["c d"], []] * 3)
    assert found.samples["ROUGEScore.rouge1_fmeasure"] == [0.5, 1.0, None] * 3
    assert found.scores["ROUGEScore.rouge1_fmeasure"].interval == "bounded mean"
    lists = bridged("EditDistance", per_sample=True, reduction="none").evaluate(response=["ab", "c"], references=["abc", "c"])
    assert lists.samples["EditDistance"] == [1.0, 0.0]


@pytest.mark.parametrize("options", [{}, {"per_sample": True}])
def test_bridges_of_text_keep_the_contract(options: dict[str, Any]) -> None:
    check_metric(bridged("BLEUScore", range=[0, 1], **options))


def test_a_metric_with_a_model_is_not_loaded_to_be_described() -> None:
    assert (bridged("BERTScore", keys=["f1"]).pool, bridged("BERTScore").better) == ("rows", "higher")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say what of torchmetrics is meant, for example  name: BLEUScore"),
        ({"name": "BLEU"}, "torchmetrics has no 'BLEU'. Did you mean BLEUScore"),
        (
            {"name": "BLEUScore", "fields": {"pred": "response"}},
            "torchmetrics.text.BLEUScore.update has no argument 'pred'",
        ),
        ({"name": "BLEUScore", "n_grams": 3}, "torchmetrics.text.BLEUScore refuses its options: Unexpected keyword arguments"),
        ({"name": "Accuracy"}, "torchmetrics.classification.Accuracy refuses its options"),
        ({"name": "PearsonCorrCoef"}, "does not say which direction is better; write  better: higher"),
        ({"name": "KLDivergence"}, "say which field is p of torchmetrics.regression.KLDivergence:  fields: {p: FIELD}"),
    ],
)
def test_wrong_options_say_what_to_write(options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.UsageError) as caught:
        eh.load_metric("torchmetrics", **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ROUGEScore", {"rouge_keys": "rouge1"}, "gives several values; say which are wanted: keys: [rouge1_fmeasure, "),
        ("ROUGEScore", {"rouge_keys": "rouge1", "keys": ["rouge9"]}, "gives no 'rouge9'; it gives: rouge1_fmeasure"),
        ("EditDistance", {"reduction": "none"}, "gives 2 values where one is wanted"),
    ],
)
def test_what_the_library_refuses_is_the_reason_of_a_missing_score(name: str, options: dict[str, Any], message: str) -> None:
    found = bridged(name, **options).evaluate(response=["a b", "c"], references=["a", "c"])
    score = next(iter(found.scores.values()))
    assert score.value is None
    assert message in (score.reason or "")
