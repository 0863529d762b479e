"""Batches of every kind of network: each prompt gets what it gets alone, with padding or without."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from evalharness_hf import prefix, support
from evalharness_hf.continuation import Continuation
from evalharness_hf.generate import continue_all
from evalharness_hf.tokens import Tokens, tokens

import evalharness as eh
from tests.plugins.hf.tiny import CONFIGS, VOCABULARY, WINDOW, tiny

MOST = 8  # tokens that are generated
PLAIN = {
    "mistral": f"attention reaches back {WINDOW} tokens",
    "gemma2": "the attention of Gemma2Attention has softcap",
    "gpt_oss": "the attention of GptOssAttention has s_aux",
    "doge": "the attention of DogeAttention has a mask of its own",
    "gpt": "OpenAIGPTLMHeadModel has an attention of its own, or none",
    "bloom": "BloomForCausalLM has an attention of its own, or none",
    "mpt": "MptForCausalLM has an attention of its own, or none",
    "mamba": "MambaForCausalLM has an attention of its own, or none",
    "phi3": f"positions are scaled otherwise beyond {WINDOW} tokens",
}


@pytest.fixture(scope="module")
def reader() -> Tokens:
    return tokens("smollm2-135m-instruct")


def prompts() -> list[list[int]]:
    """Prompts of which some share a little, some much, one a part of another, one all; and one nothing."""
    draw = random.Random(1)

    def some(count: int) -> list[int]:
        return [draw.randrange(3, VOCABULARY) for _ in range(count)]

    head, passage = some(100), some(50)
    found = [head + some(draw.randrange(1, 40)) for _ in range(4)] + [head + passage + some(3) for _ in range(3)]
    return [*found, found[0][:110], found[2], some(4)]


def generated(model: Any, reader: Tokens, budget: int, texts: list[list[int]], **options: Any) -> list[Continuation]:
    rows = [
        Continuation(eh.Generate(prompt=str(number), max_tokens=MOST, **options), ids, reader) for number, ids in enumerate(texts)
    ]
    continue_all(model, rows, budget)
    return rows


def likeliest(model: Any, reader: Tokens, prompt: list[int], most: int) -> list[int]:
    """The greedy continuation, token by token without a cache."""
    import torch

    made: list[int] = []
    while len(made) < most:
        with torch.inference_mode():
            token = int(model(input_ids=torch.tensor([prompt + made]), use_cache=False).logits[0, -1].argmax())
        if token in reader.ends:
            break
        made.append(token)
    return made


@pytest.mark.parametrize("kind", CONFIGS)
def test_each_prompt_gets_what_it_gets_alone(kind: str, reader: Tokens) -> None:
    model, texts = tiny(kind), prompts()
    alone = [likeliest(model, reader, text, MOST) for text in texts]
    assert len({tuple(made) for made in alone}) > 5
    for budget in (1, 400, 8192):
        assert [row.made for row in generated(model, reader, budget, texts)] == alone
    found = [remark for remark in support.remarks(model) if remark.startswith("prompts")]
    assert [PLAIN.get(kind, "") in remark for remark in found[:1]] == [True] * (kind in PLAIN)
    assert ["gives back no cache of what it read" in remark for remark in found[1:]] == [True] * (kind == "gpt")


@pytest.mark.parametrize("kind", ["llama", "mamba"])
def test_log_probabilities_are_those_of_the_whole_text(kind: str, reader: Tokens) -> None:
    import torch

    model, texts = tiny(kind), prompts()
    for options in ({}, {"temperature": 2.0, "top_p": 0.9}):
        for row in generated(model, reader, 400, texts, **options):
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([row.prompt + row.made]), use_cache=False).logits[0].log_softmax(-1)
            expected = [float(logits[len(row.prompt) - 1 + place, token]) for place, token in enumerate(row.made)]
            assert row.logprobs == pytest.approx(expected, abs=1e-4)


def test_what_is_shared_runs_once_and_counts_for_the_first(reader: Tokens) -> None:
    model, texts = tiny("llama"), prompts()
    prefix.forget(model)
    rows = generated(model, reader, 8192, texts)
    stretches = (
        100 + 50 + sum(len(text) - 100 for text in texts[:4]) + 3 * 3 + 4
    )  # the part of another runs with it, but for its last token
    assert stretches <= sum(row.run_tokens for row in rows) <= stretches + 12
    assert rows[8].run_tokens == 0
    assert min(row.run_tokens for row in rows[:8]) < 10
    assert sum(row.run_tokens for row in generated(model, reader, 8192, texts[:4])) > 100
    kept = sum(row.run_tokens for row in generated(model, reader, 8192, texts[:4]))
    assert kept == sum(len(text) - 64 for text in texts[:4]) - 3 * 36  # one block of 64 is there from the call before


def test_repeats_at_a_temperature_run_their_prompt_once_and_differ(reader: Tokens) -> None:
    model, (text, *_) = tiny("llama"), prompts()
    prefix.forget(model)
    requests = [eh.Generate(prompt="", max_tokens=MOST, temperature=1.0, repeat=repeat) for repeat in range(8)]
    rows = [Continuation(request, text, reader) for request in requests]
    continue_all(model, rows, 8192)
    assert sum(row.run_tokens for row in rows) == len(text) - 1 + 8
    assert len({tuple(row.made) for row in rows}) == 8
    alone = [Continuation(request, text, reader) for request in requests]
    for row in alone:
        continue_all(model, [row], 8192)
    assert [row.made for row in alone] == [row.made for row in rows]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_runs_the_same_way(dtype: str, reader: Tokens) -> None:
    import torch

    model, whole, texts = copy.deepcopy(tiny("llama")).to(getattr(torch, dtype)), tiny("llama"), prompts()
    found, exact = generated(model, reader, 400, texts), generated(whole, reader, 400, texts)
    assert not support.remarks(model)
    for row, other in zip(found, exact, strict=True):
        assert row.logprobs[0] == pytest.approx(other.logprobs[0], abs=0.5)


def test_the_attention_of_the_model_is_what_it_was(reader: Tokens) -> None:
    model = tiny("llama")
    before = model.config._attn_implementation
    generated(model, reader, 400, prompts())
    assert model.config._attn_implementation == before
