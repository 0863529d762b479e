"""Classification and hinge losses against torch, scikit-learn and closed forms, in value and gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import hinge_loss, log_loss
from torch.nn import functional

import evalharness as eh

Same = Callable[..., Any]
Compute = Callable[..., Any]
ROWS, CLASSES = 9, 4
WEIGHTS = (0.5, 1.0, 2.0, 4.0)
PRIOR = (0.4, 0.3, 0.2, 0.1)


def binary(seed: int = 0) -> dict[str, Any]:
    chance = torch.Generator().manual_seed(seed)
    logits = torch.randn(ROWS, generator=chance, dtype=torch.float64) * 3
    return {"logits": logits, "target": (torch.rand(ROWS, generator=chance) > 0.6).double()}


def several(seed: int = 0) -> dict[str, Any]:
    chance = torch.Generator().manual_seed(seed)
    logits = torch.randn(ROWS, CLASSES, generator=chance, dtype=torch.float64) * 3
    return {"logits": logits, "target": torch.randint(CLASSES, (ROWS,), generator=chance)}


def weights(values: tuple[float, ...] = WEIGHTS) -> Any:
    return torch.tensor(values, dtype=torch.float64)


def true(logits: Any, target: Any) -> Any:
    return logits.softmax(1).gather(1, target[:, None]).squeeze(1)


def torchvision_focal(logits: Any, target: Any, alpha: float = 0.25, gamma: float = 2.0) -> Any:
    """Return torchvision.ops.sigmoid_focal_loss, transcribed from torchvision/ops/focal_loss.py (0.29), reduction "mean"."""
    p = torch.sigmoid(logits)
    ce_loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    p_t = p * target + (1 - p) * (1 - target)
    loss = ce_loss * ((1 - p_t) ** gamma)
    if alpha >= 0:
        loss = (alpha * target + (1 - alpha) * (1 - target)) * loss
    return loss.mean()


def bce(**options: Any) -> Compute:
    return lambda logits, target: functional.binary_cross_entropy_with_logits(logits, target, **options)


def entropy(**options: Any) -> Compute:
    return lambda logits, target: functional.cross_entropy(logits, target, **options)


def against_prior(logits: Any, target: Any) -> Any:
    shares = 0.8 * functional.one_hot(target, CLASSES).double() + 0.2 * weights(PRIOR)
    return functional.cross_entropy(logits, shares)


def effective(logits: Any, target: Any) -> Any:
    each = torch.tensor([(1 - 0.99) / (1 - 0.99**count) for count in (100, 50, 10, 1)], dtype=torch.float64)
    return functional.cross_entropy(logits, target, weight=each / each.sum() * CLASSES, reduction="sum") / ROWS


def against_best_other(logits: Any, target: Any) -> Any:
    """Return torch's hinge loss of two classes: a sample's own, and the best of the others."""
    own = functional.one_hot(target, logits.shape[1]).bool()
    pairs = torch.stack([logits[own], logits.masked_fill(own, -math.inf).amax(1)], 1)
    return 2 * functional.multi_margin_loss(pairs, torch.zeros_like(target))


BINARY: list[tuple[str, dict[str, Any], Compute]] = [
    ("binary_cross_entropy", {}, bce()),
    ("binary_cross_entropy", {"pos_weight": 3.0}, bce(pos_weight=torch.tensor(3.0))),
    ("binary_cross_entropy", {"label_smoothing": 0.2}, lambda logits, target: bce()(logits, 0.8 * target + 0.1)),
    ("binary_cross_entropy", {"label_smoothing": 0.2, "prior": 0.05}, lambda logits, target: bce()(logits, 0.8 * target + 0.01)),
    ("focal", {}, torchvision_focal),
    ("focal", {"gamma": 0.5, "alpha": None}, lambda logits, target: torchvision_focal(logits, target, -1, 0.5)),
    ("focal", {"gamma": 0.0, "alpha": None}, bce()),
    ("hinge", {}, lambda logits, target: functional.relu(1 - (2 * target - 1) * logits).mean()),
    ("squared_hinge", {}, lambda logits, target: (functional.relu(1 - (2 * target - 1) * logits) ** 2).mean()),
]
SEVERAL: list[tuple[str, dict[str, Any], Compute]] = [
    ("cross_entropy", {}, entropy()),
    ("cross_entropy", {"class_weights": WEIGHTS, "normaliser": "weights"}, entropy(weight=weights())),
    ("cross_entropy", {"class_weights": WEIGHTS}, lambda *given: entropy(weight=weights(), reduction="sum")(*given) / ROWS),
    ("cross_entropy", {"label_smoothing": 0.1}, entropy(label_smoothing=0.1)),
    (
        "cross_entropy",
        {"label_smoothing": 0.1, "class_weights": WEIGHTS, "normaliser": "weights"},
        entropy(label_smoothing=0.1, weight=weights()),
    ),
    ("cross_entropy", {"label_smoothing": 0.2, "prior": PRIOR}, against_prior),
    ("cross_entropy", {"temperature": 2.0}, lambda logits, target: functional.cross_entropy(logits / 2, target)),
    ("focal_softmax", {}, lambda logits, target: (-((1 - true(logits, target)) ** 2) * true(logits, target).log()).mean()),
    ("focal_softmax", {"gamma": 0.0, "class_weights": WEIGHTS, "normaliser": "weights"}, entropy(weight=weights())),
    ("poly1", {"epsilon": 2.0}, lambda logits, target: entropy()(logits, target) + 2 * (1 - true(logits, target)).mean()),
    ("polynomial", {"coefficients": (1.0, 0.0, 3.0)}, lambda *of: ((1 - true(*of)) + 3 * (1 - true(*of)) ** 3).mean()),
    (
        "logit_adjustment",
        {"priors": PRIOR, "tau": 1.5},
        lambda logits, target: entropy()(logits + 1.5 * weights(PRIOR).log(), target),
    ),
    ("class_balanced", {"counts": (100.0, 50.0, 10.0, 1.0), "beta": 0.99}, effective),
    ("generalised_cross_entropy", {"q": 0.7}, lambda *given: ((1 - true(*given) ** 0.7) / 0.7).mean()),
    ("symmetric_cross_entropy", {}, lambda *given: 0.1 * entropy()(*given) + (4 * (1 - true(*given))).mean()),
    ("weston_watkins", {"over": "mean"}, lambda *given: functional.multi_margin_loss(*given)),
    ("weston_watkins", {}, lambda *given: functional.multi_margin_loss(*given) * CLASSES),
    ("crammer_singer", {}, against_best_other),
]


def by_name(compute: Compute) -> Compute:
    return lambda logits, target: compute(logits, target)


@pytest.mark.parametrize(("name", "options", "oracle"), BINARY, ids=[f"{name}-{options}" for name, options, _ in BINARY])
@pytest.mark.parametrize("seed", range(2))
def test_binary_losses_are_those_of_the_reference(name: str, options: Any, oracle: Compute, seed: int, same: Same) -> None:
    found = binary(seed)
    loss = eh.load_loss(name, **options)
    same(
        lambda logits: loss(logits=logits, target=found["target"]),
        lambda logits: oracle(logits, found["target"]),
        {"logits": found["logits"]},
    )


@pytest.mark.parametrize(("name", "options", "oracle"), SEVERAL, ids=[f"{name}-{options}" for name, options, _ in SEVERAL])
@pytest.mark.parametrize("seed", range(2))
def test_losses_of_several_classes_are_those_of_the_reference(
    name: str, options: Any, oracle: Compute, seed: int, same: Same
) -> None:
    same(eh.load_loss(name, **options), by_name(oracle), several(seed))


def test_the_normaliser_of_class_weights_is_named_and_matters() -> None:
    """Survey and torch differ here; neither is silent."""
    samples, by_weights = (
        eh.load_loss("cross_entropy", class_weights=WEIGHTS, normaliser=name) for name in ("samples", "weights")
    )
    mean = weights()[several()["target"]].mean()
    assert float(samples(**several())) == pytest.approx(float(by_weights(**several()) * mean))
    assert abs(float(mean) - 1) > 0.1


def test_binary_weights_divide_by_what_is_named() -> None:
    found = binary()
    plain, weighted = (
        eh.load_loss("binary_cross_entropy", pos_weight=3.0, neg_weight=0.5, normaliser=name)(**found)
        for name in ("samples", "weights")
    )
    mean = torch.where(found["target"] == 1, 3.0, 0.5).mean()
    assert float(plain) == pytest.approx(float(weighted * mean))


def test_soft_targets_are_those_of_torch(same: Same) -> None:
    found = several()
    shares = torch.rand(ROWS, CLASSES, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).softmax(1)
    loss = eh.load_loss("cross_entropy", class_weights=WEIGHTS, label_smoothing=0.1)
    oracle = entropy(weight=weights(), label_smoothing=0.1)
    same(lambda logits: loss(logits=logits, target=shares), lambda logits: oracle(logits, shares), {"logits": found["logits"]})


def test_multi_label_terms_are_added_over_labels(same: Same) -> None:
    found = several()
    labels = functional.one_hot(found["target"], CLASSES).double()
    loss = eh.load_loss("multilabel_cross_entropy", pos_weight=WEIGHTS)
    oracle = bce(pos_weight=weights(), reduction="sum")
    same(
        lambda logits: loss(logits=logits, target=labels),
        lambda logits: oracle(logits, labels) / ROWS,
        {"logits": found["logits"]},
    )


@given(st.lists(st.tuples(st.floats(-20, 20), st.booleans()), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_binary_cross_entropy_and_hinge_are_those_of_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    logits = torch.tensor([value for value, _ in rows], dtype=torch.float64)
    target = torch.tensor([float(label) for _, label in rows], dtype=torch.float64)
    entropy_, hinge_ = (float(eh.load_loss(name)(logits=logits, target=target)) for name in ("binary_cross_entropy", "hinge"))
    assert entropy_ == pytest.approx(log_loss(target.numpy(), logits.sigmoid().numpy(), labels=[0, 1]), rel=1e-6, abs=1e-9)
    if len(set(target.tolist())) > 1:
        assert hinge_ == pytest.approx(hinge_loss(target.numpy(), logits.numpy()), rel=1e-9)


def test_crammer_singer_is_that_of_scikit_learn() -> None:
    found = several()
    expected = hinge_loss(found["target"].numpy(), found["logits"].numpy(), labels=np.arange(CLASSES))
    assert float(eh.load_loss("crammer_singer")(**found)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ["focal", "focal_softmax"])
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_losses_keep_a_gradient_where_a_sample_is_known_for_certain(name: str, gamma: float) -> None:
    logits = torch.tensor([40.0, 1.0]) if name == "focal" else torch.tensor([[-40.0, 40.0], [0.0, 1.0]])
    logits.requires_grad_()
    eh.load_loss(name, gamma=gamma)(logits=logits, target=torch.tensor([1, 1])).backward()
    assert bool(torch.isfinite(logits.grad).all())
    assert bool(logits.grad[1].any())


def test_the_polynomial_converges_to_cross_entropy() -> None:
    found = {**several(), "logits": several()["logits"] / 4}
    long = eh.load_loss("polynomial", coefficients=tuple(1 / power for power in range(1, 2000)))
    assert float(long(**found)) == pytest.approx(float(eh.load_loss("cross_entropy")(**found)), rel=1e-6)


def test_generalised_cross_entropy_lies_between_cross_entropy_and_the_error() -> None:
    found = several()
    near, error = (float(eh.load_loss("generalised_cross_entropy", q=q)(**found)) for q in (1e-7, 1.0))
    assert near == pytest.approx(float(eh.load_loss("cross_entropy")(**found)), rel=1e-5)
    assert error == pytest.approx(float((1 - true(found["logits"], found["target"])).mean()))


def test_negative_log_likelihood_reads_probabilities(same: Same) -> None:
    found = several()
    loss = eh.load_loss("negative_log_likelihood")
    same(
        lambda probabilities: loss(probabilities=probabilities, target=found["target"]),
        lambda probabilities: functional.nll_loss(probabilities.log(), found["target"]),
        {"probabilities": found["logits"].softmax(1)},
    )


@pytest.mark.parametrize("name", ["binary_cross_entropy", "focal"])
def test_binary_probabilities_stand_in_for_logits(name: str) -> None:
    found = binary()
    loss = eh.load_loss(name)
    value = loss(probabilities=found["logits"].sigmoid(), target=found["target"])
    assert float(value) == pytest.approx(float(loss(**found)), rel=1e-9)


@pytest.mark.parametrize(
    "name", ["cross_entropy", "focal_softmax", "poly1", "generalised_cross_entropy", "symmetric_cross_entropy"]
)
def test_probabilities_of_classes_stand_in_for_logits(name: str) -> None:
    found = several()
    loss = eh.load_loss(name)
    value = loss(probabilities=found["logits"].softmax(1), target=found["target"])
    assert float(value) == pytest.approx(float(loss(**found)), rel=1e-9)


def test_a_probability_of_0_costs_much_and_not_everything() -> None:
    value = eh.load_loss("cross_entropy")(probabilities=torch.tensor([[1.0, 0.0]]), target=torch.tensor([1]))
    assert float(value) == pytest.approx(-math.log(torch.finfo(torch.float32).tiny), rel=1e-6)
    value = eh.load_loss("binary_cross_entropy")(probabilities=torch.tensor([1.0]), target=torch.tensor([0.0]))
    assert float(value) == pytest.approx(87.3365, rel=1e-4)


@pytest.mark.parametrize("name", [name for name, _, _ in SEVERAL])
def test_logits_of_any_finite_size_are_finite(name: str) -> None:
    options = next(options for each, options, _ in SEVERAL if each == name)
    logits = torch.tensor([[1e30, 0.0, -1e30, 5.0], [-1e30, 0.0, 1e30, 5.0]], requires_grad=True)
    value = eh.load_loss(name, **options)(logits=logits, target=torch.tensor([0, 0]))
    value.backward()
    assert math.isfinite(float(value.detach()))
    assert bool(torch.isfinite(logits.grad).all())


def test_a_masked_class_has_no_influence() -> None:
    found = several()
    masked = torch.cat([found["logits"], torch.full((ROWS, 1), -math.inf, dtype=torch.float64)], 1)
    loss = eh.load_loss("cross_entropy")
    assert float(loss(logits=masked, target=found["target"])) == pytest.approx(float(loss(**found)))


def test_a_dear_mistake_must_be_led_by_a_wider_margin(same: Same) -> None:
    cost = ((0.0, 1.0, 5.0, 0.0), (2.0, 0.0, 1.0, 1.0), (1.0, 1.0, 0.0, 3.0), (0.5, 1.0, 1.0, 0.0))

    def closed(logits: Any, target: Any) -> Any:
        # max over y' of cost + s(y'), less s(y): the structured hinge, whose own class costs nothing.
        return ((2 * weights(cost)[target] + logits).amax(1) - logits.gather(1, target[:, None])[:, 0]).mean()

    found = several()
    same(eh.load_loss("crammer_singer", margin=2.0, cost=cost), closed, found)
    plain = tuple(tuple(float(row != column) for column in range(CLASSES)) for row in range(CLASSES))
    same(eh.load_loss("crammer_singer", cost=plain), eh.load_loss("crammer_singer"), found)


@pytest.mark.parametrize("name", ["cross_entropy", "focal_softmax", "poly1", "weston_watkins", "crammer_singer"])
def test_a_masked_class_is_taken_where_it_is_not_the_samples_own(name: str) -> None:
    logits = torch.tensor([[1.0, 0.0, -math.inf], [-math.inf, 0.0, 1.0]], requires_grad=True)
    value = eh.load_loss(name)(logits=logits, target=torch.tensor([0, 1]))
    value.backward()
    assert math.isfinite(float(value.detach()))
    assert bool(torch.isfinite(logits.grad).all())
    with pytest.raises(eh.DataError, match=rf"loss '{name}': 'logits' \(2, 3\) gives no finite loss in sample 1 of the batch"):
        eh.load_loss(name)(logits=logits, target=torch.tensor([0, 0]))
    with pytest.raises(eh.DataError, match=rf"loss '{name}': 'logits' \(2, 3\) gives no finite loss in sample 0 of the batch"):
        eh.load_loss(name)(logits=torch.full((2, 3), -math.inf), target=torch.tensor([0, 0]))


@pytest.mark.parametrize("name", ["binary_cross_entropy", "focal", "hinge", "squared_hinge"])
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_a_binary_logit_of_minus_infinity_is_refused(name: str, target: float) -> None:
    tensors = {"logits": torch.tensor([0.0, -math.inf]), "target": torch.tensor([0.0, target])}
    with pytest.raises(eh.DataError, match=rf"loss '{name}': 'logits' \(2,\) is infinite in sample 1 of the batch"):
        eh.load_loss(name)(**tensors)


@pytest.mark.parametrize(
    ("options", "target"), [({}, [[1.0, 0.0], [1.0, 0.0]]), ({"label_smoothing": 0.1}, [1, 0])], ids=["shares", "smoothed"]
)
def test_a_masked_class_that_has_a_share_of_the_target_is_refused(options: dict[str, Any], target: Any) -> None:
    tensors = {"logits": torch.tensor([[0.0, 1.0], [0.0, -math.inf]]), "target": torch.tensor(target)}
    with pytest.raises(eh.DataError, match=r"loss 'cross_entropy': 'logits' \(2, 2\) gives no finite loss in sample 1"):
        eh.load_loss("cross_entropy", **options)(**tensors)


FAULTS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    (
        "cross_entropy",
        {},
        {"target": [0, 4, 1]},
        r"'target' \(3,\) is 4, which is no class from 0 to 3, in sample 1 of the batch",
    ),
    ("cross_entropy", {}, {"target": [0, -1, 1]}, r"is -1, which is no class from 0 to 3, in sample 1"),
    ("cross_entropy", {}, {"target": [[0.5, 0.2, 0.2, 0.2]] * 3}, r"'target' \(3,\) adds up to 1.1, not to 1, in sample 0"),
    ("poly1", {}, {"target": [0.0, 1.0, 2.0]}, r"'target' \(3,\) must be class numbers \(batch,\), int64; it was given"),
    ("crammer_singer", {"cost": ((0.0, 1.0), (1.0, 0.0))}, {}, r"'cost' must have 4 rows of 4 numbers, one a class of 'logits'"),
    ("cross_entropy", {}, {"target": [True, False, True]}, r"'target' \(3,\) is bool, but must be class numbers, int64"),
    ("cross_entropy", {}, {"logits": [[True] * 4] * 3}, r"'logits' \(3, 4\) is bool, but must be numbers"),
    ("cross_entropy", {}, {"logits": [[1.0]] * 3}, r"'logits' \(3, 1\) must be \(batch, classes\) of more than one class"),
    ("cross_entropy", {}, {"logits": [1.0, 2.0, 3.0]}, r"must be \(batch, classes\); .* binary_cross_entropy"),
    ("cross_entropy", {}, {"target": [0, 1]}, r"'target' \(2,\) must be \(batch,\), one class a sample; .* 'logits' \(3, 4\)"),
    ("cross_entropy", {"class_weights": (1.0, 2.0)}, {}, r"'logits' \(3, 4\) must be of 2 classes, as many as 'class_weights'"),
    ("cross_entropy", {}, {"logits": [[0.0] * 4, [0.0, math.nan, 0.0, 0.0], [0.0] * 4]}, r"'logits' \(3, 4\) is NaN in sample 1"),
    (
        "cross_entropy",
        {},
        {"logits": [[0.0] * 4, [0.0] * 4, [0.0, math.inf, 0.0, 0.0]]},
        r"'logits' \(3, 4\) is infinite in sample 2",
    ),
    (
        "binary_cross_entropy",
        {},
        {"logits": [0.0] * 3, "target": [0.0, 2.0, 1.0]},
        r"is 2, which is not between 0 and 1, in sample 1",
    ),
    ("hinge", {}, {"logits": [0.0] * 3, "target": [0, 1, -1]}, r"'target' \(3,\) is -1, which is not 0 or 1, in sample 2"),
    ("multilabel_cross_entropy", {}, {"logits": [0.0] * 3, "target": [0.0] * 3}, r"'logits' \(3,\) must be \(batch, labels\)"),
]


@pytest.mark.parametrize(
    ("name", "options", "changed", "message"), FAULTS, ids=[f"{fault[0]}-{fault[3][:40]}" for fault in FAULTS]
)
def test_a_fault_names_the_tensor_its_shape_and_the_sample(name: str, options: Any, changed: Any, message: str) -> None:
    given_tensors = {"logits": [[0.0] * CLASSES] * 3, "target": [0, 1, 2], **changed}
    with pytest.raises(eh.DataError, match=message):
        eh.load_loss(name, **options)(**{key: torch.tensor(value) for key, value in given_tensors.items()})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cross_entropy", {"prior": (0.5, 0.3)}, "prior adds up to 0.8, but must add up to 1"),
        ("cross_entropy", {"prior": (1.0, 0.0)}, "prior is 0.0, but must be above 0"),
        ("binary_cross_entropy", {"prior": 0.0}, "prior is 0.0, but must be more than 0 and less than 1"),
        ("crammer_singer", {"cost": ((0.0, -1.0), (1.0, 0.0))}, "cost is -1.0, but must be 0 or more"),
        ("class_balanced", {"counts": (0.5, 10.0)}, "counts is 0.5, but must be 1 or more"),
    ],
)
def test_options_without_meaning_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.EvalharnessError, match=message):
        eh.load_loss(name, **options)


@pytest.mark.parametrize(
    ("rows", "message"), [([[0.9, 0.2], [0.5, 0.5]], "adds up to 1.1"), ([[1.5, -0.5]] * 2, "is 1.5, which is not")]
)
def test_probabilities_that_are_none_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(eh.DataError, match=rf"'probabilities' .*{message}.* in sample 0"):
        eh.load_loss("cross_entropy")(probabilities=torch.tensor(rows), target=torch.tensor([0, 1]))


def test_without_logits_and_probabilities_both_are_named() -> None:
    with pytest.raises(
        TypeError, match="loss 'cross_entropy' needs the tensor 'logits', or 'probabilities'; it was given: target"
    ):
        eh.load_loss("cross_entropy")(target=torch.tensor([0]))
    with pytest.raises(TypeError, match="needs the tensor 'logits'; it was given: probabilities, target"):
        eh.load_loss("hinge")(probabilities=torch.tensor([0.5]), target=torch.tensor([0]))


def test_a_wrong_label_costs_at_most_the_end_of_the_range_of_generalised_cross_entropy() -> None:
    loss = eh.load_loss("generalised_cross_entropy", q=0.5)
    assert loss.range == (0, 2)
    assert float(loss(logits=torch.tensor([[90.0, 0.0]]), target=torch.tensor([1]))) == pytest.approx(2)
