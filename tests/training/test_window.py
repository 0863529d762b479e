"""Micro-batches of any split give the value and the gradient of the whole window."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing.tensors import DIFFERENTIATED, default_tensors, sliced
from evalharness.training.window import Component, Window, added, components_of, cosines, detached

ROWS = 5
LOSSES = {
    "supervised": eh.load_loss("supervised"),
    "supervised by sample": eh.load_loss("supervised", normalise="sample"),
    "moe_switch": eh.load_loss("moe_switch"),
    "moe_importance": eh.load_loss("moe_importance"),
    "dpo": eh.load_loss("dpo"),
    "huber": eh.load_loss("huber"),
    "class weights": eh.load_loss("cross_entropy"),
}


def leaves(tensors: Mapping[str, Any]) -> dict[str, Any]:
    def leaf(value: Any) -> Any:
        return tuple(map(leaf, value)) if isinstance(value, tuple) else value.detach().clone().requires_grad_()

    return {name: leaf(value) if name in DIFFERENTIATED else value for name, value in tensors.items()}


def gradients(tensors: Mapping[str, Any]) -> dict[str, Any]:
    flat = {
        f"{name}{place}": one
        for name, value in tensors.items()
        if name in DIFFERENTIATED
        for place, one in enumerate(value if isinstance(value, tuple) else (value,))
    }
    return {name: torch.zeros_like(value) if value.grad is None else value.grad for name, value in flat.items()}


@pytest.mark.parametrize("name", LOSSES)
@given(data=st.data())
@settings(max_examples=15)
def test_any_split_has_the_value_and_gradient_of_the_whole(name: str, data: st.DataObject) -> None:
    loss = LOSSES[name]
    component = Component(loss.name, loss)
    tensors = default_tensors(list(loss.accepts))
    cuts = sorted(data.draw(st.sets(st.integers(1, ROWS - 1))))
    bounds = list(zip([0, *cuts], [*cuts, ROWS], strict=True))

    whole = leaves(tensors)
    value = loss(**whole)
    value.backward()

    parts = leaves(tensors)
    batches = [sliced(parts, slice(low, high)) for low, high in bounds]
    window = Window(batches)
    known = [{key: one for key, one in batch.items() if key not in DIFFERENTIATED} for batch in batches]
    counted = [component.counted(one) for one in known]
    if counted[0] is not None:
        window.counted[component.name] = functools.reduce(added, counted)
    else:
        with torch.no_grad():
            window.totals[component.name] = functools.reduce(added, map(component.sums, batches))
    for batch in batches:
        share, seen = window.share(component, batch)
        window.see(component.name, seen)
        share.backward()

    torch.testing.assert_close(component.value(window.seen[component.name]), value.detach(), rtol=1e-10, atol=1e-12)
    expected, found = gradients(whole), gradients(parts)
    assert any(bool(gradient.any()) for gradient in expected.values())
    for key, gradient in expected.items():
        torch.testing.assert_close(found[key], gradient, rtol=1e-8, atol=1e-12)


def test_averaging_the_micro_batches_of_a_nonlinear_score_is_wrong() -> None:
    """What the totals are for: the mean of two micro-batches' balance losses is not that of the window."""
    loss = LOSSES["moe_switch"]
    tensors = {"router_logits": (torch.tensor([[4.0, 0.0]] * 3 + [[0.0, 4.0]] * 3),)}
    tensors["router_indices"] = tuple(layer.argmax(1, keepdim=True) for layer in tensors["router_logits"])
    halves = [float(loss(**sliced(tensors, slice(low, low + 3)))) for low in (0, 3)]
    assert float(loss(**tensors)) == pytest.approx(1.0)
    assert sum(halves) / 2 > 1.9


def test_totals_are_counted_where_labels_and_weights_give_them() -> None:
    tokens = default_tensors(["labels", "token_weight"])
    counted = Component("supervised", eh.load_loss("supervised")).counted(tokens)
    assert counted is not None
    assert list(counted) == ["weight"]
    assert Component("moe_switch", eh.load_loss("moe_switch")).counted({"attention_mask": torch.ones(2, 3)}) is None
    assert Component("huber", eh.load_loss("huber")).counted({}) is None


def test_a_coupled_loss_is_the_mean_over_micro_batches() -> None:
    loss = eh.load_loss("info_nce")
    component = Component("info_nce", loss)
    tensors = default_tensors(["query", "positive"])
    halves = [sliced(tensors, slice(0, 2)), sliced(tensors, slice(2, 5))]
    window = Window(halves, counted={"info_nce": {"batches": 2.0}})
    for half in halves:
        window.see("info_nce", window.share(component, half)[1])
    assert float(component.value(window.seen["info_nce"])) == pytest.approx(sum(float(loss(**half)) for half in halves) / 2)


def test_the_components_of_a_combined_loss_are_its_losses() -> None:
    loss = eh.load_loss("combine", of=(eh.Spec("mse"), eh.Spec("mae")))
    assert [component.name for component in components_of(loss)] == ["mse", "mae"]
    assert [component.name for component in components_of(eh.load_loss("mse"))] == ["mse"]


def test_cosines_of_gradients_leave_out_components_without_one() -> None:
    one, other = {"a": torch.tensor([1.0, 0.0]), "b": torch.tensor([1.0])}, {"a": torch.tensor([1.0, 0.0])}
    assert cosines({"x": one, "y": other, "z": {}}) == {"x.y": pytest.approx(2**-0.5)}


def test_a_window_adds_up_what_it_sees() -> None:
    window = Window()
    for _ in range(2):
        window.see("a", detached({"loss": torch.tensor(1.5, requires_grad=True)}))
        window.add_part("a", {"w": torch.ones(2), "unused": None})
    assert float(window.seen["a"]["loss"]) == 3.0
    assert window.parts["a"]["w"].tolist() == [2.0, 2.0]
    assert "unused" not in window.parts["a"]
