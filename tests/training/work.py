"""What tests run in processes of their own: `python -m tests.training.work step FOLDER LOSS=RULE...` or
`... train FOLDER KEY=VALUE...`.

`step` takes one step under each loss as one of several processes and keeps loss and gradients; `train` trains on, from the
last whole checkpoint where there is one, and keeps the weights and the curve.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import evalharness as eh
from evalharness.contract import Loss, TrainingRule
from evalharness.training.checkpoints import last_checkpoint
from tests.training.models import examples, llama, mixtral, shown, trainer

STEP_DATA, TRAIN_DATA, TRAIN_STEPS = 8, 20, 12


class Noise(TrainingRule):
    """Adds random numbers to the gradient, so that a resumed run must have the state of the generator."""

    name = "noise"

    def after_backward(self, parts: Mapping[str, Any], model: Any) -> None:
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad += 1e-3 * torch.randn_like(parameter.grad)


class Keep(TrainingRule):
    """Keeps the gradients of a step."""

    name = "keep"

    def after_backward(self, parts: Mapping[str, Any], model: Any) -> None:
        GRADIENTS.update({name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None})


class KeepSplit(Keep):
    """Keeps the gradients of a step that are put together from parts."""

    name = "keep_split"
    splits = True


GRADIENTS: dict[str, Any] = {}
RULES = {"keep": Keep(), "split": KeepSplit()}


def loss_of(name: str) -> Loss:
    """Return a loss: of tokens, not linear in its sums, coupled across the batch, or with learned weights."""
    of = (eh.Spec("supervised"), eh.Spec("moe_top_k"))
    combined = {"sum": {"weights": (1.0, 0.1)}, "uncertainty": {}, "variation": {}}
    return eh.load_loss("combine", of=of, by=name, **combined[name]) if name in combined else eh.load_loss(name)


def step(folder: Path, loss: str, rule: str) -> None:
    """Take one step; each process has its part of the data."""
    GRADIENTS.clear()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    given = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4 // processes, "max_steps": 1}
    model = llama() if loss == "supervised" else mixtral()
    made = trainer(folder, loss_of(loss), examples(STEP_DATA), model, rules=(RULES[rule],), **given)
    made.train()
    learned = {f"learned.{name}": value.grad for name, value in made._learned.items()}
    kept = {"loss": torch.tensor(shown(made, "loss")[0]), **GRADIENTS, **learned}
    torch.save(kept, folder / f"{loss}-{os.environ.get('RANK', '0')}.pt")


def train(folder: Path, loss: str, lora: bool) -> None:
    """Train, on from a checkpoint where there is one."""
    torch.set_num_threads(1)
    given = {"save_strategy": "steps", "save_steps": 2, "save_total_limit": 2, "max_steps": TRAIN_STEPS}
    batches = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "lr_scheduler_type": "cosine"}
    model = mixtral(attention_dropout=0.2)
    if lora:
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], lora_dropout=0.2, task_type="CAUSAL_LM"))
    made = trainer(folder, loss_of(loss), examples(TRAIN_DATA), model, rules=(Noise(),), **given, **batches)
    made.train(resume_from_checkpoint=last_checkpoint(folder))
    learned = {f"learned.{name}": value.detach() for name, value in made._learned.items()}
    carried = {f"carried.{name}": value for name, value in made._carried.items()}
    torch.save({**made.model.state_dict(), **learned, **carried}, folder / "trained.pt")
    (folder / "curve.json").write_text(json.dumps(made.curve), encoding="utf-8")


if __name__ == "__main__":
    what, where, *options = sys.argv[1:]
    values = dict(option.split("=") for option in options)
    if what == "step":
        for loss, rule in values.items():
            step(Path(where), loss, rule)
    else:
        train(Path(where), values["loss"], values.get("lora") == "yes")
