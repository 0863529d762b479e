"""Embedding noise against the hook of transformers, and that it is there in training steps only."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from evalharness_losses.noise import Neftune
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.integrations.neftune import activate_neftune, deactivate_neftune

import evalharness as eh

IDS = torch.tensor([[1, 2, 3, 4], [5, 6, 0, 0]])


@pytest.fixture
def model() -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=11, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2
    )
    return LlamaForCausalLM(config).train()


def embedded(model: Any, seed: int = 3) -> Any:
    torch.manual_seed(seed)
    return model.get_input_embeddings()(IDS)


def test_it_adds_the_noise_of_transformers(model: Any) -> None:
    handle = activate_neftune(model, 7.0)
    expected = embedded(model)
    deactivate_neftune(model, handle)
    plain, rule = embedded(model), Neftune(alpha=7.0)
    rule.before_step(model)
    torch.testing.assert_close(embedded(model), expected)
    assert 0.9 < (embedded(model) - plain).abs().max() / (7 / 32**0.5) <= 1


def test_it_is_off_outside_training_mode_and_after_the_step(model: Any) -> None:
    plain, rule = embedded(model), Neftune()
    rule.before_step(model)
    assert torch.equal(embedded(model.eval()), plain)
    assert not torch.equal(embedded(model.train()), plain)
    rule.after_backward({}, model)
    assert torch.equal(embedded(model), plain)
    assert not model.get_input_embeddings()._forward_hooks


def test_a_step_that_failed_leaves_no_second_noise(model: Any) -> None:
    rule = Neftune()
    rule.before_step(model)
    rule.before_step(model)
    assert len(model.get_input_embeddings()._forward_hooks) == 1
    copied = pickle.loads(pickle.dumps(rule))
    assert copied == rule == copy.copy(rule)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")
def test_it_finds_the_embeddings_below_adapters(model: Any) -> None:
    from peft import LoraConfig, get_peft_model

    adapted, rule = get_peft_model(model, LoraConfig(target_modules=["q_proj"])), Neftune()
    rule.before_step(adapted)
    assert len(model.get_input_embeddings()._forward_hooks) == 1


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(ValueError, match="alpha is 0"):
        Neftune(alpha=0.0)
    with pytest.raises(eh.UsageError, match="needs a model with input embeddings, which Linear has not"):
        Neftune().before_step(torch.nn.Linear(2, 2))
