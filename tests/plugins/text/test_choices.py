"""Choosing by log-likelihood against the formulas of lm-evaluation-harness 0.4.13, scikit-learn and torchmetrics."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing import agree

Item = tuple[list[float], Any, list[str]]

NORMALISED = ("none", "characters", "bytes")
PROBABILITY = ("choice_probability", "choice_log_loss", "choice_brier", "choice_calibration_error")


def measured(name: str, items: Sequence[Item], **options: Any) -> eh.Rows:
    logprobs, target, choices = map(list, zip(*items, strict=True))
    metric = eh.load_metric(name, **options)
    counts = {"choice_tokens": [[1] * len(texts) for texts in choices]} if "choice_tokens" in metric.reads else {}
    return metric.measure(logprobs=logprobs, target=target, choices=choices, **counts)


def values(name: str, items: Sequence[Item], **options: Any) -> list[float]:
    return list(measured(name, items, **options).statistics["value"])


def items_of(several: bool = False) -> st.SearchStrategy[Item]:
    """Samples whose log-likelihoods differ, with one right choice or with several."""
    return st.integers(2, 6).flatmap(
        lambda count: st.tuples(
            st.lists(st.floats(-50, 0), min_size=count, max_size=count, unique=True),
            st.just([0, 1]) if several else st.integers(0, count - 1),
            st.lists(st.text(min_size=1, max_size=9), min_size=count, max_size=count),
        )
    )


def reference_accuracy(item: Item, normalise: str) -> float | None:
    """Accuracy as lm-evaluation-harness computes it; None where it would take the first of tied choices."""
    lls, gold, choices = np.array(item[0]), item[1], item[2]
    lengths = {"none": [1.0] * len(choices), "characters": [float(len(text)) for text in choices]}
    lengths["bytes"] = [float(len(text.encode("utf-8"))) for text in choices]
    scaled = lls / np.array(lengths[normalise])
    tied = (scaled == scaled.max()).sum() > 1
    pred = int(np.argmax(scaled))
    return None if tied else 1.0 if (pred in gold if isinstance(gold, list) else pred == gold) else 0.0


@pytest.mark.parametrize("normalise", NORMALISED)
@settings(max_examples=50)
@given(item=items_of() | items_of(several=True))
def test_without_ties_it_is_the_accuracy_of_the_reference_harness(normalise: str, item: Item) -> None:
    expected = reference_accuracy(item, normalise)
    if expected is not None:
        agree("choice_accuracy", values("choice_accuracy", [item], normalise=normalise), [expected])


def test_ties_are_shared_whatever_their_place() -> None:
    three = ["a", "b", "c"]
    assert values("choice_accuracy", [([-1, -1, -2], place, three) for place in range(3)]) == [0.5, 0.5, 0.0]
    assert values("choice_accuracy", [([-3.0] * 4, 3, ["a", "b", "c", "d"])]) == [0.25]
    assert values("choice_accuracy", [([-math.inf] * 2, 0, ["a", "b"])]) == [0.5]
    assert values("choice_accuracy", [([-1, -1, -1, -2], [0, 2, 3], ["a", "b", "c", "d"])]) == [pytest.approx(2 / 3)]


def test_ties_are_counted_and_shown_beside_their_samples() -> None:
    items = [([-1.0, -1.0, -2.0], 2, ["a", "b", "c"]), ([-1.0, -2.0, -3.0], 0, ["a", "b", "c"]), ([-1.0] * 3, 0, ["a", "b", "c"])]
    assert values("choice_ties", items) == [1.0, 0.0, 1.0]
    noted = measured("choice_accuracy", items).evidence
    assert noted == {
        0: [{"note": "tie: choices 0 and 1 share the highest value"}],
        2: [{"note": "tie: choices 0, 1 and 2 share the highest value"}],
    }
    assert values("choice_ties", [([-2.0, -4.0], 0, ["ab", "abcd"])], normalise="characters") == [1.0]


def test_length_changes_the_choice_where_asked() -> None:
    item = ([-2.0, -3.0], 1, ["no", "certainly"])
    assert values("choice_accuracy", [item]) == [0.0]
    assert values("choice_accuracy", [item], normalise="characters") == [1.0]


def test_bytes_and_characters_differ_outside_ascii() -> None:
    item = ([-3.0, -4.0], 0, ["東京", "abc"])
    assert values("choice_accuracy", [item], normalise="characters") == [0.0]
    assert values("choice_accuracy", [item], normalise="bytes") == [1.0]


def test_tokens_are_those_that_the_model_scored() -> None:
    metric = eh.load_metric("choice_accuracy", normalise="tokens")
    assert metric.reads == ("logprobs", "target", "choices", "choice_tokens")
    columns = {"logprobs": [[-3.0, -4.0]] * 3, "target": [1] * 3, "choices": [["a", "b"]] * 3}
    rows = metric.measure(**columns, choice_tokens=[(1, 2), (2, 2), (1,)])
    assert rows.statistics["value"][:2] == [1.0, 0.0]
    assert rows.unmeasured == {2: "log-likelihoods missing"}


def test_an_empty_choice_divides_nothing_by_zero() -> None:
    assert values("choice_accuracy", [([-1.0, -2.0], 0, ["", "abc"])], normalise="characters") == [0.0]


@pytest.mark.parametrize("name", ["choice_accuracy", "choice_margin", "choice_ties", *PROBABILITY])
@pytest.mark.parametrize(
    ("logprobs", "target", "reason"),
    [
        ([math.nan, -1.0], 0, "log-likelihoods missing"),
        ([-1.0], 0, "log-likelihoods missing"),
        ([-1.0, -2.0], 2, "target is no choice"),
        ([-1.0, -2.0], -1, "target is no choice"),
        ([-1.0, -2.0], [], "target is no choice"),
        ([-1.0, -2.0], [1, 2], "target is no choice"),
    ],
)
def test_what_cannot_be_compared_is_unmeasured(name: str, logprobs: list[float], target: Any, reason: str) -> None:
    assert measured(name, [(logprobs, target, ["a", "b"])]).unmeasured == {0: reason}


def test_the_margin_is_from_the_best_right_to_the_best_wrong_choice() -> None:
    assert values("choice_margin", [([-1.0, -4.0, -2.5], 1, ["a", "b", "c"])]) == [-3.0]
    assert values("choice_margin", [([-1.0, -4.0, -2.5], [1, 2], ["a", "b", "c"])]) == [-1.5]
    assert measured("choice_margin", [([-1.0, -4.0], [0, 1], ["a", "b"])]).unmeasured == {0: "no wrong choice"}
    units = [eh.load_metric("choice_margin", normalise=normalise).unit for normalise in ("none", "bytes", "tokens")]
    assert units == ["nats", "nats/byte", "nats/token"]


ALONE = [-1.0, -7.0]


def test_the_choices_alone_are_asked_about_once() -> None:
    metric = eh.load_metric("choice_accuracy_mutual_information", premise="Answer:", delimiter="")
    columns = {"choices": [["a", "b"]] * 2, "logprobs": [[-1.0, -2.0]] * 2, "target": [0, 1]}
    asked = metric.ask(**columns, answers=[[], [eh.Response(logprobs=(-1.0, -1.0))]])
    assert asked == [[eh.Choose(prompt="Answer:", choices=("a", "b"), delimiter="")], []]


@settings(max_examples=50)
@given(item=items_of(), seed=st.integers(0, 99))
def test_mutual_information_is_that_of_the_reference_harness(item: Item, seed: int) -> None:
    draw = random.Random(seed)
    alone = [draw.uniform(-20, 0) for _ in item[0]]
    gains = [conditional - unconditional for conditional, unconditional in zip(item[0], alone, strict=True)]
    if gains.count(max(gains)) == 1:
        expected = 1.0 if int(np.argmax(gains)) == item[1] else 0.0
        agree("choice_accuracy_mutual_information", gained([item], [alone]).statistics["value"], [expected])


def gained(items: Sequence[Item], alone: Sequence[Any]) -> eh.Rows:
    logprobs, target, choices = map(list, zip(*items, strict=True))
    answers = [[eh.Response(logprobs=None if found is None else tuple(found))] for found in alone]
    metric = eh.load_metric("choice_accuracy_mutual_information")
    return metric.measure(logprobs=logprobs, target=target, choices=choices, answers=answers)


def test_a_choice_without_a_likelihood_alone_gains_nothing_that_is_known() -> None:
    item = ([-1.0, -2.0], 0, ["a", "b"])
    rows = gained([item] * 4, [(-3.0,), None, (-1.0, -2.0), (-3.0, -1.0)])
    assert rows.unmeasured == dict.fromkeys((0, 1), "log-likelihoods missing")
    assert rows.statistics["value"][2:] == [0.5, 1.0]
    assert list(rows.evidence) == [2]
    impossible = gained([([-math.inf, -2.0], 1, ["a", "b"])], [(-math.inf, -1.0)])
    assert impossible.unmeasured == {0: "log-likelihoods missing"}


def probabilities(logprobs: list[float]) -> np.ndarray[Any, Any]:
    shifted = np.exp(np.array(logprobs) - max(logprobs))
    return shifted / shifted.sum()


@settings(max_examples=50)
@given(item=items_of())
def test_the_brier_score_is_that_of_the_reference_harness(item: Item) -> None:
    found = probabilities(item[0])
    expected = float(np.sum((found - np.eye(len(found))[item[1]]) ** 2))
    agree("choice_brier", values("choice_brier", [item]), [expected])


@settings(max_examples=25)
@given(items=st.lists(items_of(), min_size=1, max_size=8))
def test_log_loss_and_brier_score_are_those_of_scikit_learn(items: list[Item]) -> None:
    from sklearn import metrics

    for logprobs, target, choices in items:
        found, labels = probabilities(logprobs), list(range(len(choices)))
        expected = metrics.log_loss([target], [found], labels=labels)
        if found[target] > 1e-15:  # below, scikit-learn puts 2e-16 in the place of a probability
            agree("choice_log_loss", values("choice_log_loss", [(logprobs, target, choices)]), [expected], 1e-9)
        if len(choices) > 2:
            brier = metrics.brier_score_loss([target], [found], labels=labels, scale_by_half=False)
            agree("choice_brier", values("choice_brier", [(logprobs, target, choices)]), [brier])


def test_log_loss_does_not_lose_small_probabilities() -> None:
    assert values("choice_log_loss", [([-2000.0, 0.0], 0, ["a", "b"])]) == [2000.0]
    assert values("choice_log_loss", [([-math.inf, 0.0], 0, ["a", "b"])]) == [math.inf]
    assert values("choice_log_loss", [([-1.0, -3.0], [0, 1], ["a", "b"])]) == [0.0]


def test_where_no_choice_is_possible_there_are_no_probabilities() -> None:
    item = ([-math.inf] * 2, 0, ["a", "b"])
    assert [measured(name, [item]).unmeasured for name in PROBABILITY] == [{0: "no choice is possible"}] * len(PROBABILITY)
    assert measured("choice_brier", [([-1.0, -1.0], [0, 1], ["a", "b"])]).unmeasured == {0: "several right choices"}


def made_up(count: int, choices: int, seed: int) -> list[Item]:
    draw, texts = random.Random(seed), [f"choice {place}" for place in range(choices)]
    return [([draw.uniform(-9, 0) for _ in texts], draw.randrange(choices), texts) for _ in range(count)]


@pytest.mark.parametrize("bins", [1, 5, 15])
def test_the_calibration_error_is_that_of_torchmetrics(bins: int) -> None:
    import torch
    from torchmetrics.functional import classification

    items = made_up(400, 4, bins)
    logprobs, target, choices = map(list, zip(*items, strict=True))
    theirs = classification.multiclass_calibration_error(
        torch.softmax(torch.tensor(logprobs).double(), -1), torch.tensor(target), num_classes=4, n_bins=bins, norm="l1"
    )
    evaluation = eh.load_metric("choice_calibration_error", bins=bins).evaluate(logprobs=logprobs, target=target, choices=choices)
    agree("choice_calibration_error", evaluation.scores["choice_calibration_error"].value, float(theirs), tolerance=1e-6)


def test_a_reliability_diagram_shows_the_bins_that_hold_samples() -> None:
    logprobs, target, choices = map(list, zip(*made_up(50, 3, 0), strict=True))
    metric = eh.load_metric("choice_calibration_error", bins=10)
    figure = metric.evaluate(logprobs=logprobs, target=target, choices=choices).figures[0]
    assert isinstance(figure, eh.Figure)
    points = next(curve for curve in figure.curves if curve.style == "points")
    assert 3 <= len(points.x) <= 7  # of three choices the likeliest has at least a third
    assert min(points.x) > 1 / 3


def test_certainty_belongs_to_the_last_bin() -> None:
    metric = eh.load_metric("choice_calibration_error", bins=2)
    rows = metric.measure(logprobs=[[0.0, -math.inf], [0.0, 0.0]], target=[0, 1], choices=[["a", "b"]] * 2)
    assert np.array(rows.statistics["held"]).tolist() == [[0, 1], [0, 1]]
    with pytest.raises(eh.UsageError, match="from 1 to 1000"):
        eh.load_metric("choice_calibration_error", bins=0)


def test_truthful_answers_have_the_accuracy_and_the_mass_of_the_reference_harness(labelled_data: Callable[[str], Path]) -> None:
    """MC1 and MC2 on the real questions, with made-up log-likelihoods."""
    tasks = json.loads(labelled_data("truthfulqa/mc_task.json").read_text("utf-8"))
    draw = random.Random(0)
    mc1, mc2 = ([made_up_answer(task[name], draw) for task in tasks] for name in ("mc1_targets", "mc2_targets"))
    assert max(len(item[1]) for item in mc1) == 1 < max(len(item[1]) for item in mc2)
    agree("choice_accuracy", values("choice_accuracy", mc1), [reference_accuracy(item, "none") for item in mc1])
    agree("choice_probability", values("choice_probability", mc2), [reference_mass(item) for item in mc2])


def made_up_answer(targets: dict[str, int], draw: random.Random) -> Item:
    texts = list(targets)
    return [-len(text) * draw.uniform(0.2, 0.6) for text in texts], [texts.index(text) for text in texts if targets[text]], texts


def reference_mass(item: Item) -> float:
    """The normalised probability of the true answers, as process_results_mc2 computes it."""
    each = np.exp(np.array(item[0]))
    return float(np.sum((each / np.sum(each))[np.isin(np.arange(len(each)), item[1])]))


def test_mass_does_not_vanish_where_exponentials_do() -> None:
    item = ([-1000.0, -1001.0], 0, ["a", "b"])
    with np.errstate(invalid="ignore"):
        assert math.isnan(reference_mass(item))
    assert values("choice_probability", [item]) == [pytest.approx(1 / (1 + math.exp(-1)))]


TASK = """
name: choosing
version: 1
dataset: {path: items.jsonl, fields: {id: id, input: question}}
output_type: multiple_choice
system:
  name: recorded
  model: {recorded: {path: responses.jsonl}}
metrics:
  - choice_accuracy: {normalise: tokens}
  - choice_probability
  - choice_ties
"""


def test_numbers_of_tokens_and_several_targets_go_through_a_run_and_its_rescoring(tmp_path: Path) -> None:
    from evalharness.running.rescoring import rescore

    items = [
        {"id": "a", "question": "?", "choices": ["no", "certainly"], "target": "certainly"},
        {"id": "b", "question": "?", "choices": ["no", "yes"], "target": ["yes", 0]},
        {"id": "c", "question": "?", "choices": ["no", "yes"], "target": 0},
    ]
    replies: list[dict[str, Any]] = [
        {"id": "a", "logprobs": [-2.0, -3.0], "tokens": [1, 2]},
        {"id": "b", "logprobs": [-1.0, -1.0], "tokens": [1, 1]},
        {"id": "c", "logprobs": [-1.0, -2.0]},
    ]
    for name, rows in (("items", items), ("responses", replies)):
        (tmp_path / f"{name}.jsonl").write_text("".join(eh.canonical(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "task.yaml").write_text(TASK, encoding="utf-8")
    record = eh.run(tmp_path / "task.yaml", out=tmp_path / "run")
    assert record.scores["choice_accuracy"].value == 1.0
    assert record.scores["choice_accuracy"].unmeasured == {"no choice_tokens": 1}
    assert record.scores["choice_ties"].value == pytest.approx(1 / 3)
    assert rescore(tmp_path / "run").agrees
