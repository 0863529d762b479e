"""Token losses handed to transformers' own Trainer, against the model's own loss."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

import evalharness as eh

WORDS = 17
LABELLED = (1, 7, 2, 3)  # tokens of each sample that are labels: uneven over the micro-batches


def model() -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=WORDS, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2
    )
    return LlamaForCausalLM(config)


def samples() -> list[dict[str, Any]]:
    chance = torch.Generator().manual_seed(1)
    made = []
    for labelled in LABELLED:
        ids = torch.randint(WORDS, (8,), generator=chance)
        labels = ids.clone()
        labels[: 8 - labelled] = -100
        made.append({"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels})
    return made


def one_step(network: Any, folder: Path, accumulation: int, **options: Any) -> dict[str, Any]:
    """The change of each parameter in one step at learning rate 1, which is the gradient of the window."""
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=1, per_device_train_batch_size=4 // accumulation, learning_rate=1.0, optim="sgd",
        gradient_accumulation_steps=accumulation, lr_scheduler_type="constant", max_grad_norm=0.0, use_cpu=True,
        report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    before = copy.deepcopy(network.state_dict())
    Trainer(network, arguments, train_dataset=samples(), **options).train()
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
