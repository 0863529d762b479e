"""Generation: what one prompt gets does not depend on its batch, and is what transformers generates."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from evalharness_hf.generate import Continuation, _drawn, continue_all
from evalharness_hf.model import HuggingFace
from evalharness_hf.tokens import tokens

import evalharness as eh

QUESTIONS = [
    "What is the capital of France? Answer in one word.",
    "Hi!",
    "List three fruits, one a line, with a number before each.",
    "Kurz auf Deutsch, 😀 bitte: Was ist Brot? Antworte in einem Satz, und nenne eine Zutat, die darin sein muss.",
]


def asked(text: str, **options: object) -> eh.Generate:
    return eh.Generate(prompt=(eh.Message("user", text),), **{"max_tokens": 8, **options})


def answers(model: eh.Model, requests: list[eh.Generate]) -> list[eh.Response]:
    found = {id(request): response for request, response in model.answer(requests)}
    return [found[id(request)] for request in requests]


def test_batched_text_is_the_text_of_each_prompt_alone(causal_model: HuggingFace) -> None:
    requests = [asked(text, max_tokens=6) for text in QUESTIONS[1:]]
    alone = [answers(causal_model, [request])[0] for request in requests]
    assert answers(causal_model, requests) == alone
    assert len({response.text for response in alone}) == len(requests)


def test_padding_moves_no_position(absolute_model: HuggingFace) -> None:
    requests = [eh.Generate(prompt=text, max_tokens=20) for text in QUESTIONS]
    alone = [answers(absolute_model, [request])[0] for request in requests]
    assert answers(absolute_model, requests) == alone
    assert len({response.text for response in alone}) == len(requests)


def test_greedy_text_is_what_transformers_generates(causal_model: HuggingFace, absolute_model: HuggingFace) -> None:
    assert_generates_like_transformers(causal_model, QUESTIONS[0])
    for text in QUESTIONS:
        assert_generates_like_transformers(absolute_model, text)


def assert_generates_like_transformers(model: HuggingFace, text: str) -> None:
    import torch

    reader = tokens(model.weights)
    prompt = reader.of_prompt(asked(text).prompt)
    with torch.inference_mode():
        ids = torch.tensor([prompt])
        network = model._local().network()
        out = network.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=8, pad_token_id=2)[0]
    (response,) = answers(model, [asked(text)])
    assert response.text == reader.decode(out[len(prompt) :].tolist())
    assert response.input_tokens == len(prompt)


def test_rows_leave_the_batch_each_at_its_own_length(causal_model: HuggingFace) -> None:
    rows = [
        Continuation(asked(QUESTIONS[2], max_tokens=most), [1, 50, 60], tokens(causal_model.weights)) for most in (0, 1, 5, 3)
    ]
    continue_all(causal_model._local().network(), rows)
    assert [len(row.made) for row in rows] == [0, 1, 5, 3]
    assert rows[3].made == rows[2].made[:3]
    assert [row.response().finish for row in rows] == ["length"] * 4
    assert rows[0].response().text == ""


def test_an_end_token_stops_and_is_no_part_of_the_text(causal_model: HuggingFace) -> None:
    (response,) = answers(causal_model, [asked(QUESTIONS[0], max_tokens=30)])
    assert response.finish == "stop"
    assert response.output_tokens < 30
    assert response.text is not None
    assert "Paris" in response.text
    assert "<|" not in response.text


@pytest.mark.parametrize(("start", "length"), [(0, 1), (5, 4), (7, 9)])
def test_a_stop_string_cuts_exactly_also_across_tokens(causal_model: HuggingFace, start: int, length: int) -> None:
    (free,) = answers(causal_model, [asked(QUESTIONS[2], max_tokens=12)])
    assert free.text is not None
    stop = free.text[start : start + length]
    (cut,) = answers(causal_model, [asked(QUESTIONS[2], max_tokens=12, stop=("never said", stop))])
    assert cut.text == free.text[: free.text.index(stop)]
    assert cut.finish == "stop"
    assert cut.output_tokens < free.output_tokens


def test_sampling_depends_on_seed_and_repeat_and_on_no_neighbour(absolute_model: HuggingFace) -> None:
    drawn = [asked(QUESTIONS[1], temperature=1.0, **more) for more in ({}, {"seed": 1}, {"repeat": 1})]
    together = answers(absolute_model, [*drawn, asked(QUESTIONS[3], max_tokens=3)])
    assert together[:3] == [answers(absolute_model, [request])[0] for request in drawn]
    assert len({response.text for response in together[:3]}) == 3


def test_a_tiny_nucleus_is_greedy(absolute_model: HuggingFace) -> None:
    greedy, nucleus = answers(absolute_model, [asked(QUESTIONS[0]), asked(QUESTIONS[0], temperature=1.5, top_p=1e-6)])
    assert nucleus.text == greedy.text


def test_tokens_are_drawn_in_proportion_to_their_probability() -> None:
    import torch

    logits = torch.tensor([0.0, 2.0, 1.0, -math.inf])
    request = asked("x", temperature=0.5)
    counts = Counter(_drawn(logits, request, (step + 0.5) / 10_000) for step in range(10_000))
    expected = torch.softmax(logits.double() / 0.5, 0)
    assert [counts[token] / 10_000 for token in range(4)] == pytest.approx(expected.tolist(), abs=2e-4)
    cut = Counter(_drawn(logits, asked("x", temperature=0.5, top_p=0.9), (step + 0.5) / 1_000) for step in range(1_000))
    kept = expected[1:3] / expected[1:3].sum()
    assert [cut[token] / 1_000 for token in range(4)] == pytest.approx([0, *kept.tolist(), 0], abs=2e-3)
    assert _drawn(logits, request, 0.0) == 1


@pytest.mark.parametrize(
    "prompt", ["", (), "👩‍👩‍👧 مرحبا e\u0301", (eh.Message("user", ""),)], ids=["none", "no turns", "unicode", "empty turn"]
)
def test_strange_prompts_are_answered(causal_model: HuggingFace, prompt: object) -> None:
    (response,) = answers(causal_model, [eh.Generate(prompt=prompt, max_tokens=3)])
    assert response.error is None
    assert response.text is not None
    assert response.input_tokens >= 1
