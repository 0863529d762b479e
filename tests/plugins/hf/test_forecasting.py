"""What local weights say of requests before they load, held against what the requests then took."""

from __future__ import annotations

import sys
from subprocess import run

import pytest
from evalharness_hf.model import HuggingFace

import evalharness as eh

SHOTS = "Question: what is two plus two?\nAnswer: four\n\n" * 8
QUESTIONS = ["What is one plus one?", "Which is warmer?", "What is blue?", "Which?"]
GENERATED = [eh.Generate(prompt=f"{SHOTS}Question: {text}\nAnswer:", max_tokens=3) for text in QUESTIONS]
CHOSEN = [eh.Choose(prompt=f"{SHOTS}Question: {text}\nAnswer:", choices=("two", "the sun", "the sky")) for text in QUESTIONS]
SCORED = [eh.Likelihood(text=f"{SHOTS}{text}") for text in QUESTIONS]


@pytest.mark.parametrize("requests", [GENERATED, CHOSEN, SCORED], ids=["generate", "choose", "likelihood"])
def test_tokens_are_counted_as_the_answers_count_them(causal_model: HuggingFace, requests: list[eh.Request]) -> None:
    forecast = causal_model.forecast(requests)
    responses = [response for _, response in causal_model.answer(requests)]
    assert forecast.counted
    assert forecast.requests == len(requests)
    assert forecast.input_tokens == sum(response.input_tokens for response in responses)
    assert sum(response.output_tokens for response in responses) <= forecast.most_output_tokens
    assert forecast.most_output_tokens == (3 * len(requests) if requests is GENERATED else 0)
    run = sum(response.input_tokens if response.run_tokens is None else response.run_tokens for response in responses)
    assert forecast.input_tokens - forecast.shared_tokens <= run < forecast.input_tokens / 2


def test_a_forecast_of_all_kinds_is_the_sum_of_each(causal_model: HuggingFace) -> None:
    each = [causal_model.forecast(requests) for requests in (GENERATED, CHOSEN, SCORED)]
    whole = causal_model.forecast([*CHOSEN, *SCORED, *GENERATED])
    for part in ("requests", "input_tokens", "most_output_tokens", "shared_tokens"):
        assert getattr(whole, part) == sum(getattr(one, part) for one in each)


def test_what_cannot_be_asked_takes_nothing(causal_model: HuggingFace) -> None:
    long = eh.Generate(prompt="word " * 9_000, max_tokens=3)
    assert causal_model.forecast([long]).input_tokens == 0
    near = eh.Generate(prompt="word " * 8_000, max_tokens=100_000)
    found = causal_model.forecast([near])
    assert found.input_tokens + found.most_output_tokens == 8_192


def test_encoders_count_what_they_embed() -> None:
    model = HuggingFace(weights="all-minilm-l6-v2")
    assert model.forecast([eh.Embed(text="a b"), eh.Embed(text="c")]) == eh.Forecast(2, 7, counted=True)


def test_counting_loads_no_torch() -> None:
    code = "import sys, evalharness as eh; eh.load_model('hf').forecast([eh.Generate(prompt='a')]); print('torch' in sys.modules)"
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
