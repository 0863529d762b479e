"""Several losses as one, against closed forms and the authors' running moments."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import evalharness as eh
from evalharness.contract.options import to_spec
from evalharness.testing import check_loss

ROWS = 6


def combined(*of: Any, **options: Any) -> Any:
    return eh.load_loss("combine", of=[to_spec(each) for each in of], **options)


def tensors(seed: int = 0) -> dict[str, Any]:
    chance = torch.Generator().manual_seed(seed)
    found = {name: torch.randn(ROWS, generator=chance, dtype=torch.float64) for name in ("prediction", "target")}
    return {**found, "sample_weight": torch.rand(ROWS, generator=chance, dtype=torch.float64)}


def values(given: dict[str, Any]) -> tuple[Any, Any]:
    return eh.load_loss("mse")(**given), eh.load_loss("mae")(**given)


def window(loss: eh.Loss, given: dict[str, Any], totals: dict[str, Any], shared: dict[str, Any]) -> Any:
    """Return the sum of the shares of three micro-batches."""
    parts = [{name: value[rows] for name, value in given.items()} for rows in (slice(0, 1), slice(1, 3), slice(3, None))]
    return torch.stack([loss.share(totals, **part, **shared) for part in parts]).sum()


def test_a_weighted_sum_names_its_parts_and_their_weights() -> None:
    loss = combined("mse", "mae", weights=[1.0, 0.25])
    mse, mae = values(tensors())
    assert float(loss(**tensors())) == pytest.approx(float(mse + 0.25 * mae))
    assert list(loss.components) == ["mse", "mae"]
    assert loss.weighting() == {"mse": 1.0, "mae": 0.25}
    assert set(loss.statistics(**tensors())) == {"mse/loss", "mse/weight", "mae/loss", "mae/weight", "factors", "rows"}
    assert loss.reads == ("prediction", "target")


def test_parts_of_a_nested_sum_stand_beside_the_others() -> None:
    loss = combined("mse", {"combine": {"of": ["mae", "log_cosh"], "weights": [1.0, 0.5]}}, weights=[1.0, 0.2])
    assert loss.weighting() == {"mse": 1.0, "mae": 0.2, "log_cosh": pytest.approx(0.1)}
    check_loss(loss)


@pytest.mark.parametrize(
    ("schedule", "progress", "expected"),
    [
        ("constant", 0.0, 2.0),
        ("linear", 0.0, 0.0),
        ("linear", 0.1, 0.5),
        ("linear", 0.9, 2.0),
        ("cosine", 0.2, 1.0),
        ("cosine", 0.1, 1 - math.cos(math.pi / 4)),
    ],
)
def test_the_later_parts_rise_with_progress(schedule: Any, progress: float, expected: float) -> None:
    loss = combined("mse", "mae", weights=[1.0, 2.0], schedule=schedule, until=0.4)
    mse, mae = values(tensors())
    given = {**tensors(), "progress": torch.tensor(progress)}
    assert float(loss(**given)) == pytest.approx(float(mse + expected * mae))
    assert float(loss.weighting(progress=torch.tensor(progress))["mae"]) == pytest.approx(expected)


def test_uncertainty_is_the_closed_form_in_value_and_gradient(same: Any) -> None:
    loss = combined("mse", "mae", by="uncertainty", likelihoods=["mae"])
    learned = {name: torch.tensor(start) for name, start in (("log_variance_mse", 0.3), ("log_variance_mae", -0.7))}
    assert loss.learned() == dict.fromkeys(learned, 0.0)

    def closed(log_variance_mse: Any, log_variance_mae: Any, **given: Any) -> Any:
        mse, mae = values(given)
        return (
            torch.exp(-log_variance_mse) * mse / 2
            + torch.exp(-log_variance_mae) * mae
            + (log_variance_mse + log_variance_mae) / 2
        )

    given = {**tensors(), **{name: value.double() for name, value in learned.items()}}
    same(loss, closed, given)


def test_the_least_uncertainty_is_reached_at_the_log_of_the_loss() -> None:
    loss = combined("mse", "mae", by="uncertainty")
    at = {
        name: torch.tensor(float(value.log()), dtype=torch.float64, requires_grad=True)
        for name, value in zip(loss.learned(), values(tensors()), strict=True)
    }
    loss(**tensors(), **at).backward()
    assert all(abs(float(value.grad)) < 1e-12 for value in at.values() if value.grad is not None)


@pytest.mark.parametrize("options", [{}, {"by": "uncertainty"}, {"by": "variation"}, {"schedule": "linear"}])
def test_micro_batches_give_the_gradient_of_the_window_also_by_learned_tensors(options: dict[str, Any]) -> None:
    loss = combined({"quantile": {"q": 0.9}}, "barron_adaptive", weights=[1.0, 0.5], **options)
    given = tensors()
    given["prediction"].requires_grad_()
    shared = {name: torch.tensor(start, dtype=torch.float64, requires_grad=True) for name, start in loss.learned().items()}
    if "schedule" in options:
        shared["progress"] = torch.tensor(0.2)
    leaves = [given["prediction"], *(value for value in shared.values() if value.requires_grad)]
    whole = torch.autograd.grad(loss(**given, **shared), leaves)
    sums = {name: value.sum(0).detach() for name, value in loss.statistics(**given, **shared).items()}
    for one, other in zip(whole, torch.autograd.grad(window(loss, given, sums, shared), leaves), strict=True):
        torch.testing.assert_close(one, other)
    counted = loss.count(**{name: value for name, value in {**given, **shared}.items() if name != "prediction"})
    assert (counted is None) == (options.get("by") == "uncertainty")
    if counted is not None:
        totals = {name: value.double().sum(0) for name, value in counted.items()}
        torch.testing.assert_close(window(loss, given, totals, shared), loss(**given, **shared))


class Authors:
    """The running moments of github.com/rickgroen/cov-weighting, losses/covweighting_loss.py, transcribed."""

    def __init__(self, count: int, decay: float | None) -> None:
        self.decay, self.step = decay, -1
        self.mean_loss, self.mean, self.spread = (torch.zeros(count, dtype=torch.float64) for _ in range(3))
        self.deviation = torch.zeros(count, dtype=torch.float64)

    def weights(self, losses: Any) -> Any:
        self.step += 1
        ratio = losses / (losses if self.step == 0 else self.mean_loss)
        if self.step <= 1:
            found = torch.ones_like(losses) / len(losses)
        else:
            found = self.deviation / self.mean / (self.deviation / self.mean).sum()
        kept = 0.0 if self.step == 0 else self.decay if self.decay is not None else 1 - 1 / (self.step + 1)
        mean = kept * self.mean + (1 - kept) * ratio
        self.spread = self.spread + (ratio - self.mean) * (ratio - mean)
        self.mean, self.deviation = mean, (self.spread / (self.step + 1) + 1e-8).sqrt()
        self.mean_loss = kept * self.mean_loss + (1 - kept) * losses
        return found


@pytest.mark.parametrize("decay", [None, 0.9])
def test_variation_weighs_as_the_authors_do_over_a_training_run(decay: float | None) -> None:
    loss, authors = combined("mse", "mae", "log_cosh", by="variation", decay=decay), Authors(3, decay)
    carried = loss.carried()
    for step in range(12):
        given = tensors(step)
        weights = loss.weighting(**carried)
        found = {name: part(**given) for name, part in loss.components.items()}
        expected = authors.weights(torch.stack(list(found.values())))
        torch.testing.assert_close(torch.stack(list(weights.values())), expected)
        assert float(loss(**given, **carried)) == pytest.approx(float(sum(weights[name] * found[name] for name in found)))
        carried = loss.carry({name: float(value) for name, value in found.items()}, **carried)


def test_a_loss_coupled_across_the_batch_couples_the_sum() -> None:
    loss = combined("info_nce", "mse")
    assert loss.pool == "batch"
    chance = torch.Generator().manual_seed(0)
    given = {**tensors(), **{name: torch.randn(ROWS, 3, generator=chance, dtype=torch.float64) for name in ("query", "positive")}}
    expected = eh.load_loss("info_nce")(**given) + eh.load_loss("mse")(**given)
    assert float(loss(**given)) == pytest.approx(float(expected))


def test_a_missing_tensor_is_named_with_the_part_that_needs_it() -> None:
    with pytest.raises(TypeError, match="loss 'cross_entropy' needs the tensor 'logits', or 'probabilities'; it was given: "):
        combined("mse", "cross_entropy")(**tensors())


@pytest.mark.parametrize(
    ("of", "options", "message"),
    [
        (["mse", "mse"], {}, "'of' has the loss 'mse' twice; each may stand once"),
        (["mse", {"combine": {"of": ["mse"]}}], {}, "'of' has the loss 'mse' twice"),
        (["mse", {"combine": {"of": ["mae"], "by": "variation"}}], {}, "a combined loss within another must be a sum"),
        ([], {}, "'of' must name at least one loss"),
        (["mse"], {"weights": [1.0, 2.0]}, "'weights' has 2 numbers for 1 losses"),
        (["mse"], {"weights": [-1.0]}, "'weights' must be 0 or more"),
        (["mse"], {"likelihoods": ["mae"], "by": "uncertainty"}, "'likelihoods' names 'mae', which is none of: mse"),
        (["mse"], {"likelihoods": ["mse"]}, "'likelihoods' is only read with by: uncertainty, not with by: sum; leave it out"),
        (["mse"], {"decay": 0.5, "by": "uncertainty"}, "'decay' is only read with by: variation, not with by: uncertainty"),
        (["mse"], {"until": 0.0}, "'until' must be above 0"),
        (["huger"], {}, "no loss is called 'huger'. Did you mean 'huber'"),
        ([{"huber": {"delta": -1.0}}], {}, "delta is -1.0, but must be above 0"),
    ],
)
def test_what_cannot_be_combined_is_refused_at_once(of: list[Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.EvalharnessError) as raised:
        combined(*of, **options)
    assert message in str(raised.value)


@pytest.mark.parametrize("by", ["sum", "uncertainty", "variation"])
def test_it_keeps_the_contract(by: str) -> None:
    check_loss(combined("mse", {"huber": {"delta": 0.5}}, by=by))
