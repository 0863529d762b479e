"""A loss as `compute_loss_func` of a plain Trainer: the tensors of a model's output are enough for some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PrinterCallback, Trainer

import evalharness as eh
from evalharness.contract import Loss
from evalharness.training.collating import TokenCollator
from tests.training.models import arguments, examples, llama, mixtral, shown, trainer


class OfHidden(Loss):
    """Mean squared hidden state of the first token."""

    name = "of_hidden"

    def measure(self, hidden: Any, labels: Any) -> dict[str, Any]:
        return {"loss": hidden[:, 0].square().mean(-1), "weight": (labels[:, 1:] != -100).sum(1).to(hidden.dtype)}


def collate(batch: Any) -> dict[str, Any]:
    made = TokenCollator(pad=0)(batch)
    return {name: made[name] for name in ("input_ids", "attention_mask", "labels")}


def plain(folder: Path, loss: Loss, model: Any, **given: Any) -> Trainer:
    args = arguments(folder, remove_unused_columns=False, disable_tqdm=True, report_to=[], **given)
    data = examples(8)
    made = Trainer(model=model, args=args, train_dataset=data, data_collator=collate, compute_loss_func=loss)
    made.remove_callback(PrinterCallback)
    return made


def losses(made: Trainer) -> list[float]:
    return [line["loss"] for line in made.state.log_history if "loss" in line]


def test_logits_and_labels_are_enough(tmp_path: Path) -> None:
    made = plain(tmp_path, eh.load_loss("supervised"), llama(), per_device_train_batch_size=2, gradient_accumulation_steps=4)
    made.train()
    ours = trainer(tmp_path, "supervised", examples(8))
    ours.train()
    assert losses(made) == pytest.approx(shown(ours, "loss"), rel=1e-4)
    for one, other in zip(made.model.parameters(), ours.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_hidden_states_are_taken_from_the_output(tmp_path: Path) -> None:
    made = plain(tmp_path, OfHidden(), llama(output_hidden_states=True))
    made.train()
    assert losses(made)


def test_router_logits_are_taken_from_the_output(tmp_path: Path) -> None:
    made = plain(tmp_path, eh.load_loss("moe_top_k", top_k=2), mixtral(output_router_logits=True))
    made.train()
    assert losses(made)[0] >= 1.0


@pytest.mark.parametrize(
    ("loss", "tensor"), [("dpo", "chosen_logps"), ("moe_switch", "router_logits"), ("huber", "prediction"), ("info_nce", "query")]
)
def test_any_other_tensor_is_named(tmp_path: Path, loss: str, tensor: str) -> None:
    with pytest.raises(TypeError, match=f"loss '{loss}' needs the tensor '{tensor}'; it was given: .*labels"):
        plain(tmp_path, eh.load_loss(loss), llama()).train()
