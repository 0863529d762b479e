"""What a record says of how prompts become tokens."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from evalharness_hf.model import HuggingFace

import evalharness as eh

SMALL = "smollm2-135m-instruct"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        shutil.copy(eh.resolve_weights(SMALL) / name, tmp_path)
    return tmp_path


def test_the_first_token_template_windows_and_numbers_are_told() -> None:
    found = HuggingFace(weights=SMALL).conventions()
    assert found["first token"].startswith("'<|im_start|>' (1) stands before a text")
    assert found["special tokens"] == "the tokenizer adds none to a plain prompt"
    template = (eh.resolve_weights(SMALL) / "chat_template.jinja").read_text("utf-8")
    assert found["chat template"] == f"{eh.digest(template, size=8)}, from chat_template.jinja of the weights"
    assert found["windows"].startswith("at most 8,192 tokens, the first token included")
    assert found["dtype"] == "float32; log-likelihoods from a float32 softmax"


def test_options_change_what_is_told() -> None:
    found = HuggingFace(weights=SMALL, template="none", dtype="bfloat16", context=512, stride=128).conventions()
    assert found["chat template"] == "none: refused by template: none"
    assert "512 tokens" in found["windows"]
    assert "128 new tokens" in found["windows"]
    assert found["dtype"].startswith("bfloat16;")


def test_a_template_may_come_from_the_settings_or_from_nowhere(folder: Path) -> None:
    assert HuggingFace(weights=str(folder)).conventions()["chat template"] == "none: the weights bring none"
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": "t"}), "utf-8")
    assert HuggingFace(weights=str(folder)).conventions()["chat template"].endswith("from tokenizer_config.json of the weights")


def test_a_tokenizer_that_adds_a_first_token_says_so(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [],
        "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["<|im_start|>"]}},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    found = HuggingFace(weights=str(folder)).conventions()["special tokens"]
    assert found.startswith("the tokenizer puts '<|im_start|>' (1) before a plain prompt and nothing after it")


def test_without_any_special_token_nothing_can_stand_before_a_text(folder: Path) -> None:
    for name in ("tokenizer_config.json", "config.json"):
        settings = json.loads((folder / name).read_text("utf-8"))
        kept = {key: value for key, value in settings.items() if key not in ("bos_token", "eos_token", "eos_token_id")}
        (folder / name).write_text(json.dumps(kept), "utf-8")
    assert HuggingFace(weights=str(folder)).conventions()["first token"].startswith("none:")


def test_an_encoder_tells_of_its_tokens_alone() -> None:
    found = HuggingFace(weights="all-minilm-l6-v2").conventions()
    assert sorted(found) == ["dtype", "special tokens"]
    assert "'[CLS]' (101) before" in found["special tokens"]
