"""What a weights folder says about text, read without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from evalharness_hf.likelihood import Asked, asked
from evalharness_hf.rolling import Rolling
from evalharness_hf.scored import Scored
from evalharness_hf.tokens import Prompt, Tokens, is_causal, template_of, tokens

import evalharness as eh

SMALL = "smollm2-135m-instruct"
TURNS = (eh.Message("system", "Be brief."), eh.Message("user", "Hi 12 😀"))


def test_the_special_tokens_context_and_kind_are_those_of_the_weights() -> None:
    small = tokens(SMALL)
    assert (small.prefix, small.ends, small.context, small.causal) == (1, frozenset({2}), 8192, True)
    assert not tokens("all-minilm-l6-v2").causal


def test_messages_are_written_by_the_chat_template() -> None:
    assert tokens(SMALL).rendered(TURNS) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi 12 😀<|im_end|>\n<|im_start|>assistant\n"
    )
    assert tokens(SMALL).encode("<|im_end|>") == [2]


def test_a_last_turn_of_the_assistant_is_continued() -> None:
    rendered = tokens(SMALL).rendered((*TURNS, eh.Message("assistant", "Well, I")))
    assert rendered.endswith("<|im_start|>assistant\nWell, I")


def test_no_messages_and_no_text_are_still_a_prompt() -> None:
    assert tokens(SMALL).rendered(()) == "<|im_start|>assistant\n"
    empty: tuple[tuple[Tokens, Prompt], ...] = ((tokens(SMALL), ""), (tokens(SMALL, use_template=False), ()))
    for reader, prompt in empty:
        (found,) = asked([eh.Generate(prompt=prompt)], reader, Rolling())
        assert isinstance(found, Asked)
        assert found.rows == [Scored([1, 0], 1)]


def test_a_refused_template_leaves_plain_text() -> None:
    plain = tokens(SMALL, use_template=False)
    assert plain.template is None
    assert plain.rendered(TURNS) == "system: Be brief.\nuser: Hi 12 😀"
    assert plain.rendered("text") == "text"


@pytest.mark.parametrize("text", ["é", "e\u0301", "مرحبا", "你好", "👩‍👩‍👧", "a\n\n12 b", " lead", "tail "])
def test_text_survives_encoding_and_decoding(text: str) -> None:
    small = tokens(SMALL)
    assert small.decode(small.encode(text)) == text


def test_a_template_may_stand_in_the_tokenizer_settings(tmp_path: Path) -> None:
    assert template_of(tmp_path) is None
    settings = tmp_path / "tokenizer_config.json"
    settings.write_text(json.dumps({"chat_template": "one"}), "utf-8")
    assert template_of(tmp_path) == "one"
    named = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
    settings.write_text(json.dumps({"chat_template": named}), "utf-8")
    assert template_of(tmp_path) == "d"
    (tmp_path / "chat_template.jinja").write_text("file", "utf-8")
    assert template_of(tmp_path) == "file"


@pytest.mark.parametrize(
    ("architecture", "causal"), [("LlamaForCausalLM", True), ("GPT2LMHeadModel", True), ("BertModel", False), (None, False)]
)
def test_the_architecture_says_whether_weights_continue_text(architecture: str | None, causal: bool) -> None:
    assert is_causal({"architectures": [architecture] if architecture else None}) is causal


def test_begin_tokens_ends_and_context_are_found_where_models_write_them(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((eh.resolve_weights(SMALL) / "tokenizer.json").read_bytes())
    config = {"architectures": ["XForCausalLM"], "eos_token_id": 5, "text_config": {"max_position_embeddings": 77}}
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [6, 7]}), "utf-8")
    settings = {"bos_token": None, "eos_token": {"content": "<|im_end|>"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    found = Tokens(tmp_path)
    assert (found.ends, found.context, found.prefix) == (frozenset({2, 5, 6, 7}), 77, 2)


def test_identity_template_and_plan_need_no_torch() -> None:
    program = (
        "import sys, evalharness as eh\n"
        "model = eh.load_model('hf')\n"
        "model.identity(), model.chat\n"
        "light = 'transformers' not in sys.modules and 'tokenizers' not in sys.modules\n"
        "turns = (eh.Message('user', 'Hi'),)\n"
        "requests = [eh.Generate(prompt=turns), eh.Choose(prompt='a', choices=('b',)), eh.Likelihood(text='c')]\n"
        "list(model.plan(requests)), model.rendered(turns)\n"
        "print(light, 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
