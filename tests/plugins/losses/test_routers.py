"""Losses over routers against transformers, tutel's number, and sums written out."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.switch_transformers.modeling_switch_transformers import router_z_loss_func

import evalharness as eh

SEEDS = st.integers(0, 10_000)


def router(seed: int, experts: int = 5, tokens: int = 8) -> torch.Tensor:
    return torch.randn(tokens, experts, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2


def same(ours: Any, theirs: Any, tensor: torch.Tensor, rtol: float = 1e-10) -> None:
    """Hold value and gradient of two computations on one layer against each other."""
    for one, other in zip(graded(ours, tensor), graded(theirs, tensor), strict=True):
        torch.testing.assert_close(one, other, rtol=rtol, atol=rtol, check_dtype=False)


def graded(compute: Any, tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    leaf = tensor.clone().requires_grad_()
    value = compute(leaf)
    return value.detach(), torch.autograd.grad(value, leaf)[0]


@given(seed=SEEDS, experts=st.integers(2, 9))
def test_z_loss_equals_transformers(seed: int, experts: int) -> None:
    loss = eh.load_loss("moe_z")
    same(lambda logits: loss(router_logits=(logits,)), lambda logits: router_z_loss_func(logits[None]), router(seed, experts))


def test_z_loss_is_the_number_of_megatron_core() -> None:
    logits = (torch.sin(torch.arange(72, dtype=torch.float64) * 1.7) * 2).reshape(12, 6)
    found = float(eh.load_loss("moe_z")(router_logits=(logits,)))
    assert found == pytest.approx(6.860552120287139, rel=1e-12)  # megatron-core 0.19.2, z_loss_func(logits, 1.0)


def squared_variation(values: torch.Tensor, variance: str) -> torch.Tensor:
    spread = ((values - values.mean()) ** 2).sum() / (len(values) - (variance == "sample"))
    return spread / values.mean() ** 2


@pytest.mark.parametrize("variance", ["population", "sample"])
@given(seed=SEEDS, k=st.integers(1, 5))
def test_importance_is_the_variation_of_summed_gates(variance: str, seed: int, k: int) -> None:
    def expected(logits: torch.Tensor) -> torch.Tensor:
        chosen = logits.topk(k).indices
        kept = torch.full_like(logits, -math.inf).scatter(1, chosen, logits.gather(1, chosen))
        return squared_variation(kept.softmax(1).sum(0), variance)

    loss = eh.load_loss("moe_importance", top_k=k, variance=variance)
    same(lambda logits: loss(router_logits=(logits,)), expected, router(seed))


def test_importance_of_all_experts_is_the_number_of_tutel() -> None:
    logits = (torch.sin(torch.arange(72, dtype=torch.float64) * 1.7) * 2).reshape(12, 6)
    found = float(eh.load_loss("moe_importance", top_k=6, variance="sample")(router_logits=(logits,)))
    # tutel at 82af7aad, the importance_loss of load_importance_loss on the softmax of these logits, in float32.
    assert found == pytest.approx(0.01623442769050598, rel=1e-6)


@pytest.mark.parametrize("variance", ["population", "sample"])
@given(seed=SEEDS, k=st.integers(1, 4), noise=st.sampled_from([0.3, 1.0, 2.0]))
def test_load_is_the_variation_of_expected_tokens(variance: str, seed: int, k: int, noise: float) -> None:
    def expected(logits: torch.Tensor) -> torch.Tensor:
        chances = torch.zeros(logits.shape[1], dtype=torch.float64)
        for token in logits:
            for expert, logit in enumerate(token):
                others = torch.cat([token[:expert], token[expert + 1 :]]).sort(descending=True).values
                chances[expert] = chances[expert] + 0.5 * (1 + torch.erf((logit - others[k - 1]) / noise / math.sqrt(2)))
        return squared_variation(chances, variance)

    loss = eh.load_loss("moe_load", top_k=k, noise=noise, variance=variance)
    same(lambda logits: loss(router_logits=(logits,)), expected, router(seed))


def test_load_where_all_experts_are_chosen_is_refused() -> None:
    with pytest.raises(eh.DataError, match="all 5 experts are chosen"):
        eh.load_loss("moe_load", top_k=5)(router_logits=(router(0),))


def test_load_without_noise_is_refused() -> None:
    with pytest.raises((ValueError, eh.UsageError), match="noise must be above 0"):
        eh.load_loss("moe_load", noise=0.0)


@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
@given(seed=SEEDS)
def test_mutual_information_is_the_difference_of_two_entropies(scores: str, seed: int) -> None:
    def entropy(probabilities: torch.Tensor) -> torch.Tensor:
        return torch.special.entr(probabilities).sum(-1)

    def expected(logits: torch.Tensor) -> torch.Tensor:
        sums = logits.sigmoid().sum(1, keepdim=True)
        probabilities = logits.softmax(1) if scores == "softmax" else logits.sigmoid() / sums
        return entropy(probabilities).mean() - entropy(probabilities.mean(0))

    loss = eh.load_loss("moe_mutual_information", scores=scores)
    same(lambda logits: loss(router_logits=(logits,)), expected, router(seed))


def test_mutual_information_takes_an_expert_that_is_shut_off() -> None:
    logits = torch.tensor([[1.0, 2.0, -math.inf], [2.0, 1.0, -math.inf]])
    value, gradient = graded(lambda layer: eh.load_loss("moe_mutual_information")(router_logits=(layer,)), logits)
    assert float(value) == pytest.approx(float(eh.load_loss("moe_mutual_information")(router_logits=(logits[:, :2],))))
    assert gradient.isfinite().all()


@given(seed=SEEDS)
def test_similarity_is_the_distance_from_orthonormal_rows(seed: int) -> None:
    def expected(weight: torch.Tensor) -> torch.Tensor:
        products = [(weight[one] * weight[two]).sum() - float(one == two) for one in range(5) for two in range(5)]
        return torch.stack(products).abs().sum()

    loss, mask = eh.load_loss("moe_similarity"), torch.ones(3, 4)
    same(lambda weight: loss(router_weights=(weight,), attention_mask=mask), expected, router(seed, experts=8, tokens=5))


def test_similarity_of_a_window_counts_once_whatever_its_micro_batches() -> None:
    loss, weights = eh.load_loss("moe_similarity"), (router(0), router(1))
    totals = loss.count(attention_mask=torch.ones(5, 2))
    shares = [
        loss.share({"weight": totals["weight"].sum()}, router_weights=weights, attention_mask=torch.ones(n, 2)) for n in (1, 4)
    ]
    assert torch.allclose(sum(shares), loss(router_weights=weights, attention_mask=torch.ones(5, 2)))


def test_similarity_without_a_router_is_refused() -> None:
    with pytest.raises(eh.DataError, match="the model has no router"):
        eh.load_loss("moe_similarity")(router_weights=(), attention_mask=torch.ones(1, 1))
