"""Token losses a few tokens at a time: quantities and closed-form gradients against autograd over full logits."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import pytest
import torch
from evalharness_losses import vocabulary
from evalharness_losses.vocabulary import Chunk, Tokens, log_not, values, weighted_sum
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

WORDS, WIDTH, TOKENS = 7, 3, 9
QUANTITIES = ("log_p", "mean_log_p", "log_norm", "entropy", "log_not_negatives")


def negatives(part: slice) -> Any:
    return torch.tensor([[0, 3, -100], [1, -100, -100], [-100, -100, -100]]).repeat(TOKENS // 3, 1)[part]


def made(seed: int, *, head: bool, scale: float = 1.0) -> Tokens:
    """Tokens over some of eleven rows, labels that are no negatives."""
    chance = torch.Generator().manual_seed(seed)
    rows = torch.randn(11, WIDTH if head else WORDS, generator=chance, dtype=torch.float64) * scale
    weights = torch.randn(WORDS, WIDTH, generator=chance, dtype=torch.float64) if head else None
    leaves = (rows.requires_grad_(), None if weights is None else weights.requires_grad_())
    labels = torch.randint(4, WORDS, (TOKENS,), generator=chance)
    return Tokens(*leaves, torch.randperm(11, generator=chance)[:TOKENS], labels, negatives, 3)


def all_at_once(tokens: Tokens, function: Any) -> Any:
    """The values by autograd over all logits."""
    rows = tokens.rows[tokens.places]
    logits = rows if tokens.head is None else rows @ tokens.head.T
    return function(Chunk(logits, tokens.labels, lambda: negatives(slice(None))))


def everything(token: Any) -> Any:
    """A function with a slope in each quantity, by powers so that the slopes differ from token to token."""
    return sum((place + 1) * getattr(token, name) ** 2 for place, name in enumerate(QUANTITIES))


def gradients(tokens: Tokens, value: Any, **options: Any) -> list[Any]:
    leaves = [leaf for leaf in (tokens.rows, tokens.head) if leaf is not None]
    return list(torch.autograd.grad(value, leaves, **options))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a chunk hold two tokens."""
    monkeypatch.setattr(vocabulary, "CHUNK_BYTES", 2 * 8 * WORDS)


def test_quantities_are_those_of_torch() -> None:
    logits = torch.randn(TOKENS, WORDS, dtype=torch.float64) * 5
    labels = torch.randint(WORDS, (TOKENS,))
    chunk, log_p = Chunk(logits, labels, lambda: negatives(slice(None))), logits.log_softmax(-1)
    distribution = torch.distributions.Categorical(logits=logits)
    torch.testing.assert_close(chunk.log_p, distribution.log_prob(labels))
    torch.testing.assert_close(chunk.entropy, distribution.entropy())
    torch.testing.assert_close(chunk.mean_log_p, log_p.mean(-1))
    torch.testing.assert_close(chunk.log_norm, logits.logsumexp(-1))
    torch.testing.assert_close(chunk.log_not_negatives[0], (1 - log_p[0, [0, 3]].exp()).log().sum())
    assert chunk.log_not_negatives[2] == 0


@pytest.mark.parametrize("name", QUANTITIES)
@pytest.mark.parametrize("head", [True, False])
@pytest.mark.usefixtures("small")
def test_the_slope_of_each_quantity_is_that_of_autograd(name: str, head: bool) -> None:
    tokens = made(1, head=head)
    expected = gradients(tokens, all_at_once(tokens, lambda token: getattr(token, name)).sum())
    found = gradients(tokens, values(tokens, lambda token: getattr(token, name)).sum())
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31), head=st.booleans(), scale=st.sampled_from([0.1, 1.0, 10.0]), size=st.integers(1, 10))
def test_both_forms_equal_autograd_whatever_the_chunks(seed: int, head: bool, scale: float, size: int) -> None:
    tokens = made(seed, head=head, scale=scale)
    weights = torch.linspace(0.1, 2, TOKENS, dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "CHUNK_BYTES", size * 8 * WORDS)
        plain, kept = values(tokens, everything), weighted_sum(tokens, everything, weights)
        found = gradients(tokens, (plain * weights).sum()), gradients(tokens, kept[0])
    expected = all_at_once(tokens, everything)
    slopes = gradients(tokens, (expected * weights).sum())
    torch.testing.assert_close(plain, expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(kept[1], expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(kept[0], (expected * weights).sum(), rtol=1e-9, atol=1e-12)
    for gradient in found:
        torch.testing.assert_close(gradient, slopes, rtol=1e-7, atol=1e-9)


@pytest.mark.usefixtures("small")
def test_gradcheck_of_both_forms() -> None:
    tokens = made(2, head=True)
    weights = torch.linspace(0.1, 2, TOKENS, dtype=torch.float64)
    rest = tokens.places, tokens.labels, tokens.negatives, 3
    assert torch.autograd.gradcheck(lambda *leaves: values(Tokens(*leaves, *rest), everything), (tokens.rows, tokens.head))
    assert torch.autograd.gradcheck(
        lambda *leaves: weighted_sum(Tokens(*leaves, *rest), everything, weights)[0], (tokens.rows, tokens.head)
    )


@pytest.mark.usefixtures("small")
def test_the_slope_from_above_scales_the_gradient_and_backward_may_run_twice() -> None:
    tokens, weights = made(3, head=True), torch.ones(TOKENS, dtype=torch.float64)
    value = weighted_sum(tokens, everything, weights)[0]
    once, thrice = gradients(tokens, value, retain_graph=True), gradients(tokens, 3 * value)
    torch.testing.assert_close([3 * item for item in once], thrice)


class Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that is made."""

    numbers = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for item in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(item, torch.Tensor):
                self.numbers = max(self.numbers, item.numel())
        return made


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kept", [True, False])
def test_full_logits_never_exist(kept: bool) -> None:
    tokens, weights = made(4, head=True), torch.ones(TOKENS, dtype=torch.float64)
    with Largest() as seen:
        value = weighted_sum(tokens, everything, weights)[0] if kept else values(tokens, everything).sum()
        gradients(tokens, value)
    assert 2 * WORDS <= seen.numbers <= 11 * WIDTH < TOKENS * WORDS


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_products_of_half_precision_are_added_in_single(precision: torch.dtype) -> None:
    # 4096 times 1/512: a sum in half precision stays where one more makes no difference, at 1 or 4.
    rows, head = torch.ones(1, 4096, dtype=precision), torch.tensor([[1.0], [-1.0]], dtype=precision) / 512
    tokens = Tokens(rows, head.expand(2, 4096), torch.tensor([0]), torch.tensor([1]))
    found = values(tokens, lambda token: -token.log_p)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(16, abs=1e-2)


@pytest.mark.parametrize("kept", [True, False])
def test_a_frozen_head_gets_no_gradient_and_costs_none(kept: bool) -> None:
    tokens, weights = made(5, head=True), torch.ones(TOKENS, dtype=torch.float64)
    expected = gradients(tokens, all_at_once(tokens, everything).sum())[0]
    tokens.head.requires_grad_(False)
    value = weighted_sum(tokens, everything, weights)[0] if kept else values(tokens, everything).sum()
    torch.testing.assert_close(torch.autograd.grad(value, [tokens.rows])[0], expected)


def test_without_gradients_only_the_values_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "_slopes", None)
    tokens = made(6, head=True)
    with torch.no_grad():
        value, each = weighted_sum(tokens, everything, torch.ones(TOKENS, dtype=torch.float64))
    assert not value.requires_grad
    torch.testing.assert_close(each, all_at_once(tokens, everything).detach())


def test_log_of_the_rest_is_exact_at_both_ends() -> None:
    log_p = [-1e-12, -1e-3, -0.7, -0.69, -40.0]
    with localcontext(prec=60):
        expected = [float((1 - Decimal(item).exp()).ln()) for item in log_p]
    assert log_not(torch.tensor(log_p, dtype=torch.float64)).tolist() == pytest.approx(expected, rel=1e-12, abs=0)


def test_a_negative_that_is_certain_saturates_without_slope() -> None:
    logits = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    tokens = Tokens(logits, None, torch.tensor([0]), torch.tensor([1]), lambda part: torch.tensor([[0]]), 1)
    value = values(tokens, lambda token: -token.log_not_negatives).sum()
    assert value.item() == pytest.approx(15.94, abs=0.01)
    assert torch.autograd.grad(value, logits)[0].abs().max() == 0
