"""Small random models, data and trainers for tests of training."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import evalharness as eh
from evalharness.contract import Loss
from evalharness.training import LossTrainer
from evalharness.training.collating import Example, TokenCollator

VOCABULARY = 48
SIZES = {
    "vocab_size": VOCABULARY, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "max_position_embeddings": 64, "initializer_range": 0.3, "pad_token_id": 0,
}  # fmt: skip


def llama(seed: int = 0, **changed: Any) -> Any:
    """Return a small dense language model."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(**{**SIZES, **changed}))


def mixtral(seed: int = 0, **changed: Any) -> Any:
    """Return a small mixture-of-experts language model, two of four experts a token."""
    import torch
    from transformers import MixtralConfig, MixtralForCausalLM

    torch.manual_seed(seed)
    return MixtralForCausalLM(MixtralConfig(**{**SIZES, "num_local_experts": 4, "num_experts_per_tok": 2, **changed}))


def examples(number: int, seed: int = 0, lengths: tuple[int, int] = (4, 20)) -> list[Example]:
    """Return documents of random tokens; the first two of each do not count."""
    chance = random.Random(seed)
    sizes = [chance.randint(*lengths) for _ in range(number)]
    ids = [tuple(chance.randrange(1, VOCABULARY) for _ in range(size)) for size in sizes]
    return [Example(one, (0.0, 0.0, *[1.0] * (len(one) - 2)), f"s{place}") for place, one in enumerate(ids)]


def arguments(folder: Path, **changed: Any) -> Any:
    """Return training arguments for a few steps on the processor."""
    from transformers import TrainingArguments

    given = {"max_steps": 2, "per_device_train_batch_size": 8, "learning_rate": 1e-2, "logging_steps": 1, "save_strategy": "no"}
    return TrainingArguments(str(folder), **{**given, "use_cpu": True, "seed": 7, "lr_scheduler_type": "constant", **changed})


def trainer(folder: Path, loss: Loss | str, data: Sequence[Any], model: Any = None, **given: Any) -> LossTrainer:
    """Return a trainer of a small model; what it does not know are training arguments."""
    known = {name: given.pop(name) for name in ("rules", "totals", "reference", "data_collator") if name in given}
    return LossTrainer(
        model=llama() if model is None else model,
        args=arguments(folder, **given),
        loss=eh.load_loss(loss) if isinstance(loss, str) else loss,
        train_dataset=list(data),
        **{"data_collator": TokenCollator(pad=0), **known},
    )


def shown(trainer: LossTrainer, name: str) -> list[float]:
    """Return the values of a curve."""
    return [point["value"] for point in trainer.curve if point["name"] == name]
