"""A loss over a whole batch whose encoder sees a few samples at a time has the gradients of one large batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import evalharness as eh
from evalharness.training.caching import cached_loss


def encoder(dropout: float) -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(dropout), torch.nn.Linear(8, 3)).double()


def inputs() -> dict[str, torch.Tensor]:
    chance = torch.Generator().manual_seed(1)
    return {name: torch.randn(7, 4, generator=chance, dtype=torch.float64) for name in ("query", "positive")}


def gradients(module: torch.nn.Module, value: Any) -> list[torch.Tensor]:
    value.backward()
    return [parameter.grad for parameter in module.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_value_and_gradients_are_those_of_one_batch(size: int, scale: float) -> None:
    loss, given = eh.load_loss("info_nce"), inputs()
    one, other = encoder(0.0), encoder(0.0)
    whole = loss(**{name: one(value) for name, value in given.items()})
    parts = cached_loss(other, {name: value.split(size) for name, value in given.items()}, loss)
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(gradients(other, parts * scale), gradients(one, whole * scale), rtol=1e-9, atol=1e-12)


def test_dropout_is_the_same_in_both_passes() -> None:
    given, module = inputs(), encoder(0.5)
    torch.manual_seed(5)
    expected = torch.cat([module(part) for part in given["query"].split(2)])
    slopes = gradients(module, (expected**2).sum())
    module.zero_grad()
    torch.manual_seed(5)
    found = cached_loss(module, {"query": given["query"].split(2)}, lambda query: (query**2).sum())
    torch.testing.assert_close(gradients(module, found), slopes, rtol=1e-9, atol=1e-12)


def test_random_numbers_go_on_as_if_there_had_been_no_second_pass() -> None:
    module, given = encoder(0.5), {"query": inputs()["query"].split(2)}
    torch.manual_seed(3)
    found = cached_loss(module, given, lambda query: query.sum())
    state = torch.get_rng_state()
    found.backward()
    assert torch.equal(torch.get_rng_state(), state)


def test_without_gradients_it_is_the_value_alone() -> None:
    module, given = encoder(0.0), {"query": inputs()["query"].split(2)}
    with torch.no_grad():
        found = cached_loss(module, given, lambda query: query.sum())
    assert not found.requires_grad
