"""A loss over columns: from Python, in a chain, and why some losses are none over data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import evalharness as eh
from evalharness import registry
from evalharness.contract.columns import OverColumns, over_columns
from evalharness.scoring import Chain

torch = pytest.importorskip("torch")


def notes(name: str, **columns: Any) -> tuple[Any, str]:
    found = eh.load_loss(name).evaluate(**columns)
    return found.statuses, " ".join(found.notes)


def test_a_loss_evaluates_columns() -> None:
    found = eh.load_loss("huber").evaluate(prediction=[1, 2.5, None, 4], target=[1.0, 2, 3, 9])
    assert found.samples["huber"] == [0.0, 0.125, None, 4.5]
    assert found.statuses == [None, None, "no prediction", None]
    score = found.scores["huber"]
    assert score.value == pytest.approx((0 + 0.125 + 4.5) / 3)
    assert (score.better, score.range, score.signature) == ("lower", [0, None], "huber|delta:1.0")


def test_whole_numbers_are_no_whole_predictions() -> None:
    assert eh.load_loss("mse").evaluate(prediction=[1, 2], target=[1.5, 2]).scores["mse"].value == pytest.approx(0.125)
    assert eh.load_loss("mse").evaluate(prediction=[1.5, 2], target=[1, 2]).scores["mse"].value == pytest.approx(0.125)


def test_probabilities_are_read_where_there_are_no_logits() -> None:
    target, logits = [1, 0, 1], [[0.0, 1.0], [2.0, 1.0], [0.5, 0.0]]
    probabilities = torch.tensor(logits).double().softmax(1).tolist()
    loss = eh.load_loss("cross_entropy")
    one, other = (loss.evaluate(target=target, **given) for given in ({"logits": logits}, {"probabilities": probabilities}))
    assert one.samples["cross_entropy"] == pytest.approx(other.samples["cross_entropy"])
    missing = loss.evaluate(target=target, probabilities=[probabilities[0], None, probabilities[2]])
    assert missing.statuses == [None, "no probabilities", None]


def test_columns_of_weights_are_taken_where_they_are_there() -> None:
    found = eh.load_loss("mse").evaluate(prediction=[1.0, 3.0], target=[0.0, 0.0], sample_weight=[3.0, 1.0])
    assert found.scores["mse"].value == pytest.approx((3 + 9) / 4)


def test_a_bad_row_costs_itself_alone() -> None:
    statuses, said = notes("cross_entropy", logits=[[0.0, 1.0]] * 4, target=[0, 1, 7, 0])
    assert statuses == [None, None, "error: plugin", None]
    assert "'target' (1,) is 7, which is no class from 0 to 1" in said
    statuses, said = notes("mse", prediction=["four", 2.0, math.nan], target=[1.0, 2.0, 3.0])
    assert statuses == ["error: plugin", None, "error: plugin"]
    assert "cannot read the column 'prediction': it must hold numbers, or lists of numbers of one length, not 'four'" in said


def test_both_columns_that_would_do_are_named_where_neither_is_there() -> None:
    statuses, said = notes("cross_entropy", target=[0, 1])
    assert statuses == ["error: plugin"] * 2
    assert "loss 'cross_entropy' reads the column 'logits' or 'probabilities'; the data has: target" in said


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("supervised", "'supervised' is a loss over 'labels', which only training has; over data a loss reads columns such as"),
        ("moe_switch", "'moe_switch' is a loss over 'router_logits', which only training has"),
        ("info_nce", "'info_nce' couples the samples of a training batch and is no score over data; use it as a loss"),
    ],
)
def test_losses_over_what_no_data_has_are_refused(name: str, message: str) -> None:
    with pytest.raises(eh.EvalharnessError) as raised:
        Chain.build([(None, eh.load_loss(name))])
    assert message in str(raised.value)


def test_a_loss_is_found_where_a_metric_is_named_and_none_has_the_name() -> None:
    made = eh.load_metric("quantile", q=0.9)
    assert isinstance(made, OverColumns)
    assert made == over_columns(eh.load_loss("quantile", q=0.9))
    assert registry.installed().find("metric", "quantile").source == registry.installed().find("loss", "quantile").source
    with pytest.raises(eh.EvalharnessError, match=r"no metric is called 'hubert'\. Did you mean 'huber'"):
        eh.load_metric("hubert")


@pytest.mark.parametrize("name", ["huber", "cross_entropy", "combine"])
def test_the_score_broadcasts_over_replicates(name: str) -> None:
    options: dict[str, Any] = {"of": [eh.Spec("mse"), eh.Spec("mae")]} if name == "combine" else {}
    metric = over_columns(eh.load_loss(name, **options))
    columns: dict[str, list[Any]] = {"prediction": [1.0, 2.0, 4.0], "logits": [[0.0, 1.0]] * 3, "target": [0, 1, 1]}
    found = metric.measure(batch=eh.Batch(columns), **{field: columns[field] for field in metric.reads})
    rows = found.statistics if isinstance(found, eh.Rows) else found
    weights = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]])
    sums = {key: np.tensordot(weights, values, 1) for key, values in rows.items()}
    values = metric.score(**sums)
    each = [metric.score(**{key: sums[key][draw] for key in sums}) for draw in range(2)]
    np.testing.assert_allclose(values, each, rtol=1e-12)


def test_a_combined_loss_is_a_score_with_values_of_each_sample() -> None:
    loss = eh.load_loss("combine", of=[eh.Spec("mse"), eh.Spec("mae")], weights=[1.0, 0.5])
    found = loss.evaluate(prediction=[1.0, 3.0], target=[0.0, 0.0])
    assert found.samples["combine"] == pytest.approx([1.5, 10.5])
    assert found.scores["combine"].value == pytest.approx(6.0)
