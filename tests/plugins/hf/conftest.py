"""Fixtures for tests of local models."""

from __future__ import annotations

import json
import shutil

import pytest
from evalharness_hf.model import HuggingFace

import evalharness as eh


@pytest.fixture(scope="session")
def absolute_model(tmp_path_factory: pytest.TempPathFactory) -> HuggingFace:
    """Give a small random model with absolute positions, for which a shifted row is another text."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("absolute")
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=49152, n_positions=128, n_embd=32, n_layer=2, n_head=2, initializer_range=0.5)
    GPT2LMHeadModel(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(eh.resolve_weights("smollm2-135m-instruct") / name, folder)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 2}), "utf-8")
    return HuggingFace(weights=str(folder))
