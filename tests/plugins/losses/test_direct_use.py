"""Token losses handed to transformers' own Trainer, against the model's own loss."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM, Trainer, TrainingArguments

import evalharness as eh

WORDS = 17
LABELLED = (1, 7, 2, 3)  # tokens of each sample that are labels: uneven over the micro-batches
FIRST_TOO = (8, 7, 8, 3)  # with first tokens among them, which nothing predicts


def model() -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=WORDS, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2
    )
    return LlamaForCausalLM(config)


def routed() -> Any:
    torch.manual_seed(0)
    config = MixtralConfig(
        vocab_size=WORDS, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
        num_local_experts=4, num_experts_per_tok=1, output_router_logits=True,
    )  # fmt: skip
    return MixtralForCausalLM(config)


def summed(*names: str) -> eh.Loss:
    return eh.load_loss("combine", of=[*names])


def samples(labelled: Sequence[int] = LABELLED) -> list[dict[str, Any]]:
    chance = torch.Generator().manual_seed(1)
    made = []
    for count in labelled:
        ids = torch.randint(WORDS, (8,), generator=chance)
        labels = ids.clone()
        labels[: 8 - count] = -100
        made.append({"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels})
    return made


def one_step(network: Any, folder: Path, accumulation: int, labelled: Sequence[int] = LABELLED, **options: Any) -> dict[str, Any]:
    """The change of each parameter in one step at learning rate 1, which is the gradient of the window."""
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=1, per_device_train_batch_size=4 // accumulation, learning_rate=1.0, optim="sgd",
        gradient_accumulation_steps=accumulation, lr_scheduler_type="constant", max_grad_norm=0.0, use_cpu=True,
        report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    before = copy.deepcopy(network.state_dict())
    Trainer(network, arguments, train_dataset=samples(labelled), **options).train()
    return {name: before[name] - value for name, value in network.state_dict().items()}


@pytest.mark.parametrize("accumulation", [1, 2, 4])
def test_the_gradient_is_that_of_the_models_own_loss(tmp_path: Path, accumulation: int) -> None:
    ours = one_step(model(), tmp_path, accumulation, compute_loss_func=eh.load_loss("supervised"))
    torch.testing.assert_close(ours, one_step(model(), tmp_path, accumulation), rtol=1e-4, atol=1e-7)
    assert max(change.abs().max() for change in ours.values()) > 1e-3


def test_any_split_of_the_window_gives_one_gradient(tmp_path: Path) -> None:
    loss = eh.load_loss("focal_tokens")
    whole, parts = (one_step(model(), tmp_path, accumulation, compute_loss_func=loss) for accumulation in (1, 4))
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-7)


def test_a_window_of_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="needs the window's number of samples"):
        one_step(model(), tmp_path, 2, compute_loss_func=eh.load_loss("supervised", normalise="sample"))


@pytest.mark.parametrize("accumulation", [1, 4])
def test_a_combined_loss_has_the_gradient_of_its_part_where_first_tokens_are_labelled(tmp_path: Path, accumulation: int) -> None:
    ours = one_step(model(), tmp_path, accumulation, FIRST_TOO, compute_loss_func=summed("supervised"))
    torch.testing.assert_close(ours, one_step(model(), tmp_path, accumulation, FIRST_TOO), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("names", [("moe_switch",), ("supervised", "moe_switch")])
def test_a_routed_loss_of_one_micro_batch_has_its_own_gradient(tmp_path: Path, names: tuple[str, ...]) -> None:
    loss, network = eh.load_loss(names[0]) if len(names) == 1 else summed(*names), routed()
    batch = {key: torch.stack([one[key] for one in samples(FIRST_TOO)]) for key in ("input_ids", "attention_mask", "labels")}
    outputs = network(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], output_router_logits=True)
    loss(outputs, batch["labels"]).backward()
    changes = one_step(routed(), tmp_path, 1, FIRST_TOO, compute_loss_func=loss)
    for key, parameter in network.named_parameters():
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(changes[key], gradient, rtol=1e-4, atol=1e-7)


def test_a_combined_loss_has_the_sum_of_its_parts_gradients_over_uneven_micro_batches(tmp_path: Path) -> None:
    losses = (summed("supervised", "moe_switch"), eh.load_loss("supervised"), eh.load_loss("moe_switch"))
    whole, *parts = (one_step(routed(), tmp_path, 4, FIRST_TOO, compute_loss_func=loss) for loss in losses)
    torch.testing.assert_close(whole, {key: parts[0][key] + parts[1][key] for key in whole}, rtol=1e-4, atol=1e-6)
