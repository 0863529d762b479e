"""What every declared loss has in common: weights, precision, checks of its tensors, compilation."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from evalharness_losses import classification, margins, regression, robust
from evalharness_losses.declaring import ABOVE_0, PerSample, per_sample
from evalharness_losses.families import LOSSES

import evalharness as eh
from evalharness import registry
from evalharness.testing import check_loss

DECLARED = [*regression.LOSSES, *robust.LOSSES, *classification.LOSSES, *margins.LOSSES]
EVERY = pytest.mark.parametrize("loss", [registry.make("loss", cls, cls.example) for cls in DECLARED], ids=lambda loss: loss.name)


@per_sample(range=(0, None), tags=("convex",), limits={"power": ABOVE_0}, formula="|e|^power")
def powered(prediction: Any, target: Any, *, power: float = 2.0) -> Any:
    """Mean power of the error, 0 or more."""
    return (prediction - target).abs() ** power


def of_sample(loss: eh.Loss, tensors: dict[str, Any], row: int) -> Any:
    return loss(**{name: value[row : row + 1] for name, value in tensors.items()})


def test_a_declared_loss_says_what_it_is() -> None:
    made: Any = registry.make("loss", powered, {"power": 3.0})
    assert (made.name, made.reads, made.tags, made.formula) == ("powered", ("prediction", "target"), ("convex",), "|e|^power")
    assert made.signature() == "powered|power:3.0"
    assert made.accepts == {"prediction": True, "target": True, "sample_weight": False}
    assert powered.__doc__.startswith("Mean power of the error, 0 or more.\n\n    Reduction: mean over samples")


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_a_loss_states_its_reduction_its_precision_and_its_range(loss: Any) -> None:
    told = " ".join(loss.__doc__.split())
    assert "Reduction: " in told
    assert "float32 or better" in told
    assert any(word in told for word in ("0 or more", "0 to", " to 0", "signed", "t least"))


def test_options_are_held_to_their_limits() -> None:
    assert ABOVE_0.holds(1e-9)
    with pytest.raises(eh.EvalharnessError, match="loss 'powered': power is nan, but must be above 0"):
        registry.make("loss", powered, {"power": math.nan})


@EVERY
def test_the_mean_is_weighted_and_its_gradient_is_each_samples_own(loss: PerSample) -> None:
    """The gradient by a sample's output is its share of the weight times the gradient of its own loss."""
    tensors = {name: value.clone() for name, value in loss.example_tensors().items()}
    weight = tensors.pop("sample_weight")
    name = loss.reads[0]
    tensors[name].requires_grad_()
    (whole,) = torch.autograd.grad(loss(**tensors, sample_weight=weight), tensors[name])
    rows = range(len(weight))
    values = torch.stack([of_sample(loss, tensors, row) for row in rows])
    (single,) = torch.autograd.grad(values.sum(), tensors[name])
    counted = loss.count(**{**tensors, "sample_weight": weight})
    assert counted is not None
    share = (weight if loss.weigh is None else counted["weight"]) / counted["weight"].sum()
    torch.testing.assert_close(whole, single * share.view(-1, *[1] * (whole.ndim - 1)), rtol=1e-9, atol=1e-12)


@EVERY
def test_what_weighs_nothing_may_hold_anything(loss: PerSample) -> None:
    tensors = {name: value.clone() for name, value in loss.example_tensors().items()}
    name = loss.reads[0]
    tensors["sample_weight"][1] = 0
    kept = {key: torch.cat([value[:1], value[2:]]) for key, value in tensors.items()}
    tensors[name][1] = math.nan
    tensors["target"][1] = -1 if "class" in loss.target else math.inf
    tensors[name].requires_grad_()
    value = loss(**tensors)
    value.backward()
    torch.testing.assert_close(value.detach(), loss(**kept).detach(), rtol=1e-12, atol=0)
    gradient = tensors[name].grad
    assert bool(torch.isfinite(gradient).all())
    assert not bool(gradient[1].any())


@EVERY
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_not_finite_is_refused_with_its_place(loss: PerSample, wrong: float) -> None:
    tensors = {name: value.clone() for name, value in loss.example_tensors().items()}
    name = loss.reads[0]
    tensors[name][2] = wrong
    word = "NaN" if math.isnan(wrong) else "infinite"
    with pytest.raises(eh.DataError, match=rf"loss '{loss.name}': '{name}' \(6.*\) is {word} in sample 2 of the batch"):
        loss(**tensors)


@EVERY
def test_half_precision_is_computed_in_float32_also_under_autocast(loss: PerSample) -> None:
    tensors = {key: value.float() if value.is_floating_point() else value for key, value in loss.example_tensors().items()}
    name = loss.reads[0]
    half = {**tensors, name: tensors[name].to(torch.bfloat16)}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(**half)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(**{**tensors, name: half[name].float()}), rtol=1e-2, atol=1e-2)


@EVERY
def test_it_compiles_as_one_graph(loss: PerSample) -> None:
    tensors = loss.example_tensors()
    torch._dynamo.reset()
    compiled = torch.compile(lambda given: loss(**given), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(tensors), loss(**tensors))


def test_predictions_of_several_numbers_are_averaged_within_a_sample() -> None:
    tensors = {"prediction": torch.tensor([[1.0, 3.0], [0.0, 2.0]]), "target": torch.zeros(2, 2)}
    assert float(powered()(**tensors)) == pytest.approx(3.5)
    assert float(powered()(**tensors, sample_weight=torch.tensor([1.0, 3.0]))) == pytest.approx((5 + 3 * 2) / 4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"target": torch.zeros(3, 1)},
            r"'target' \(3, 1\) must be of the shape of 'prediction'; it was given: 'prediction' \(3,\)",
        ),
        ({"sample_weight": torch.ones(2)}, r"'sample_weight' \(2,\) must be \(batch,\), one number a sample"),
        ({"sample_weight": torch.tensor([1.0, -1.0, 1.0])}, r"'sample_weight' \(3,\) is -1, which is not 0 or more, in sample 1"),
        ({"sample_weight": torch.tensor([1.0, 1.0, math.nan])}, r"'sample_weight' \(3,\) is NaN in sample 2"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(changed: dict[str, Any], message: str) -> None:
    """A target of shape (batch, 1) would otherwise be compared with every prediction."""
    with pytest.raises(eh.DataError, match=message):
        powered()(**{"prediction": torch.zeros(3), "target": torch.zeros(3), **changed})


@pytest.mark.parametrize(
    ("name", "options", "prediction", "target"),
    [
        ("mse", {}, 1e30, 0.0),
        ("poisson", {}, 100.0, 1.0),
        ("tweedie", {"power": 1.0}, 100.0, 1.0),
        ("penalised_mse", {}, -1e30, 0.0),
    ],
)
def test_a_loss_that_overflows_is_refused_with_its_place(
    name: str, options: dict[str, Any], prediction: float, target: float
) -> None:
    tensors = {"prediction": torch.tensor([1.0, prediction]), "target": torch.tensor([1.0, target])}
    with pytest.raises(eh.DataError, match=rf"loss '{name}': 'prediction' \(2,\) gives no finite loss in sample 1 of the batch"):
        eh.load_loss(name, **options)(**tensors)
    weighed = eh.load_loss(name, **options)(**tensors, sample_weight=torch.tensor([1.0, 0.0]))
    assert math.isfinite(float(weighed))


def test_a_batch_in_which_nothing_weighs_is_refused_and_is_no_part_of_a_window() -> None:
    tensors = {"prediction": torch.ones(3), "target": torch.zeros(3), "sample_weight": torch.zeros(3)}
    with pytest.raises(eh.DataError, match=r"loss 'powered': 'sample_weight' \(3,\) gives no sample of the batch a weight"):
        powered()(**tensors)
    assert float(powered().share({"weight": torch.tensor(2.0)}, **tensors)) == 0
    only = eh.load_loss("cross_entropy", class_weights=(0.0, 1.0), normaliser="weights")
    with pytest.raises(eh.DataError, match=r"loss 'cross_entropy': 'target' \(2,\) gives no sample of the batch a weight"):
        only(logits=torch.zeros(2, 2), target=torch.tensor([0, 0]))


def test_totals_are_counted_before_classes_are_checked() -> None:
    loss = eh.load_loss("cross_entropy", class_weights=(0.5, 1.0), normaliser="weights")
    counted = loss.count(target=torch.tensor([0, 9]))
    assert counted is not None
    with pytest.raises(eh.DataError, match="is 9, which is no class from 0 to 1, in sample 1"):
        loss(logits=torch.zeros(2, 2), target=torch.tensor([0, 9]))


WEIGHED: dict[str, Any] = {"class_weights": (0.5, 1.0, 2.0, 4.0), "normaliser": "weights"}
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *(("barron", {"alpha": alpha}) for alpha in (-2.0, 0.0, 0.5, 1.5, 2.0, 3.0)),
    *(("tweedie", {"power": power}) for power in (1.0, 1.9)),
    ("poisson", {"full": True}),
    ("binary_cross_entropy", {"pos_weight": 3.0, "neg_weight": 0.5, "normaliser": "weights", "label_smoothing": 0.1}),
    ("cross_entropy", {**WEIGHED, "label_smoothing": 0.1, "prior": (0.4, 0.3, 0.2, 0.1), "temperature": 0.5}),
    *(("focal", {"gamma": gamma, "alpha": None}) for gamma in (0.0, 0.5)),
    *(("focal_softmax", {**WEIGHED, "gamma": gamma}) for gamma in (0.0, 0.5)),
    ("class_balanced", {"counts": (100.0, 10.0, 5.0, 1.0), "beta": 1.0, "normaliser": "weights"}),
    ("poly1", {"epsilon": -1.0}),
    ("generalised_cross_entropy", {"q": 0.1}),
    ("weston_watkins", {"over": "mean"}),
]


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=[f"{name}-{options}" for name, options in VARIANTS])
def test_tags_and_totals_hold_under_other_options_too(name: str, options: dict[str, Any]) -> None:
    check_loss(eh.load_loss(name, **options))
