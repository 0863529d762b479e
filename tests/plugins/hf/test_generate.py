"""Generation: what one prompt gets does not depend on its batch, and is what transformers generates."""

from __future__ import annotations

import pytest
from evalharness_hf.continuation import Continuation
from evalharness_hf.generate import continue_all
from evalharness_hf.model import HuggingFace
from evalharness_hf.tokens import tokens

import evalharness as eh
from tests.plugins.hf.prompts import prompt_tokens

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


def assert_equal_but_for_rounding(found: list[eh.Response], expected: list[eh.Response]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert (one.text, one.finish, one.output_tokens) == (other.text, other.finish, other.output_tokens)
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def test_batched_text_is_the_text_of_each_prompt_alone(causal_model: HuggingFace) -> None:
    requests = [asked(text, max_tokens=6) for text in QUESTIONS[1:]]
    alone = [answers(causal_model, [request])[0] for request in requests]
    assert_equal_but_for_rounding(answers(causal_model, requests), alone)
    assert len({response.text for response in alone}) == len(requests)


def test_padding_moves_no_position(absolute_model: HuggingFace) -> None:
    requests = [eh.Generate(prompt=text, max_tokens=20) for text in QUESTIONS]
    alone = [answers(absolute_model, [request])[0] for request in requests]
    assert_equal_but_for_rounding(answers(absolute_model, requests), alone)
    assert len({response.text for response in alone}) == len(requests)


def test_greedy_text_is_what_transformers_generates(causal_model: HuggingFace, absolute_model: HuggingFace) -> None:
    assert_generates_like_transformers(causal_model, QUESTIONS[0])
    for text in QUESTIONS:
        assert_generates_like_transformers(absolute_model, text)


def assert_generates_like_transformers(model: HuggingFace, text: str) -> None:
    import torch

    reader = tokens(model.weights)
    prompt = prompt_tokens(reader, asked(text).prompt)
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
    continue_all(causal_model._local().network(), rows, 8192)
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
    assert_equal_but_for_rounding(together[:3], [answers(absolute_model, [request])[0] for request in drawn])
    assert len({response.text for response in together[:3]}) == 3


def test_a_tiny_nucleus_is_greedy(absolute_model: HuggingFace) -> None:
    greedy, nucleus = answers(absolute_model, [asked(QUESTIONS[0]), asked(QUESTIONS[0], temperature=1.5, top_p=1e-6)])
    assert nucleus.text == greedy.text


SHOTS = "".join(f"Question: What is {n} plus {n + 2}?\nAnswer: {n} plus {n + 2} is {n + n + 2}.\n\n" for n in range(2, 9))
NUMBERS = [f"{SHOTS}Question: What is {n} plus {3 * n}?\nAnswer:" for n in range(10, 16)]


def greedy(prompts: list[str], **options: object) -> list[eh.Generate]:
    return [eh.Generate(prompt=prompt, **{"max_tokens": 12, **options}) for prompt in prompts]


def gap(model: HuggingFace, prompt: str, made: list[int]) -> float:
    """How far apart the log-probabilities of the two likeliest next tokens are."""
    import torch

    ids = prompt_tokens(tokens(model.weights), prompt) + made
    with torch.inference_mode():
        first, second = model._local().network()(input_ids=torch.tensor([ids])).logits[0, -1].topk(2).values.tolist()
    return first - second


def near_ties(model: HuggingFace, requests: list[eh.Generate], one: list[eh.Response], other: list[eh.Response]) -> int:
    """Count the answers that differ; each must differ first where two tokens are as likely but for rounding."""
    reader, different = tokens(model.weights), 0
    for request, a, b in zip(requests, one, other, strict=True):
        if a.text != b.text:
            first, second = (reader.encode(response.text or "") for response in (a, b))
            common = next(
                (n for n, (x, y) in enumerate(zip(first, second, strict=False)) if x != y), min(len(first), len(second))
            )
            assert gap(model, request.prompt, first[:common]) < 1e-3, (a.text, b.text)
            different += 1
        else:
            assert a.logprobs == pytest.approx(b.logprobs, abs=1e-4)
    return different


def test_greedy_text_is_the_same_under_any_budget_but_at_near_ties(causal_model: HuggingFace) -> None:
    requests = greedy(NUMBERS, stop=("\n\n",))
    whole = answers(causal_model, requests)
    assert len({response.text for response in whole}) == len(requests)
    smaller = HuggingFace(weights=causal_model.weights, token_budget=400)
    assert near_ties(causal_model, requests, whole, answers(smaller, requests)) <= 1


def test_within_one_budget_every_byte_is_the_same_whatever_order_and_what_ran_before(absolute_model: HuggingFace) -> None:
    model = HuggingFace(weights=absolute_model.weights, token_budget=60)
    requests = [eh.Generate(prompt=f"{'once more and ' * 25}{number} {'!' * number}", max_tokens=8) for number in range(9)]
    chunks = list(map(list, model.plan(requests)))
    assert len(chunks) > 1
    assert list(map(list, model.plan(requests[::-1]))) == chunks
    first, again = answers(model, requests), answers(model, requests[::-1])[::-1]
    assert [(one.text, one.logprobs) for one in first] == [(one.text, one.logprobs) for one in again]
    for chunk in chunks:
        alone = answers(model, chunk)
        assert [(one.text, one.logprobs) for one in alone] == [
            (one.text, one.logprobs) for one in (first[requests.index(request)] for request in chunk)
        ]


def test_a_chunk_holds_prompts_that_share_much_for_two_rounds_of_the_budget(absolute_model: HuggingFace) -> None:
    from evalharness_hf.answers import ROUNDS

    model, reader = HuggingFace(weights=absolute_model.weights, token_budget=100), tokens(absolute_model.weights)
    texts = [f"{start * 20}{number}" for start in ("one ", "two ", "six ") for number in range(8)]
    requests = [eh.Generate(prompt=text, max_tokens=4 + number % 3) for number, text in enumerate(texts)]
    chunks = list(map(list, model.plan([*requests[::2], *requests[1::2]])))
    assert [request for chunk in chunks for request in chunk] == sorted(requests, key=lambda request: request.prompt)
    assert 1 < len(chunks) < 4
    for chunk in chunks:
        prompts = [prompt_tokens(reader, request.prompt) for request in chunk]
        nodes = {tuple(ids[:end]) for ids in prompts for end in range(1, len(ids) + 1)}
        assert len(nodes) + sum(request.max_tokens for request in chunk) <= ROUNDS * 100
        assert list(map(list, model.plan(chunk))) == [chunk]


def test_the_shots_run_once_and_equal_requests_too(causal_model: HuggingFace) -> None:
    reader = tokens(causal_model.weights)
    (prompt, other), shots = NUMBERS[:2], len(prompt_tokens(reader, SHOTS))
    requests = [*greedy([prompt] * 3, max_tokens=2), *greedy([other], max_tokens=2)]
    requests[1:3] = [eh.Generate(prompt=prompt, max_tokens=2, repeat=1), eh.Generate(prompt=prompt, max_tokens=2, stop=(".",))]
    found = answers(causal_model, requests)
    run = sum(response.run_tokens for response in found)
    assert shots > 150
    assert run <= 2 * len(prompt_tokens(reader, prompt)) - shots // 64 * 64
    assert [response.input_tokens for response in found] == [len(prompt_tokens(reader, request.prompt)) for request in requests]
    assert found[0].text == found[1].text


def test_where_text_ends_though_it_is_decoded_once_for_all(causal_model: HuggingFace) -> None:
    expected = [
        ({"stop": ("",)}, " 10 plus 30 is", "length"),
        ({"stop": (" ",)}, "", "stop"),
        ({"stop": (" 10 plus 30 is 40",)}, " 10 plus 30 is", "length"),
        ({"stop": ("s 3", "lus")}, " 10 p", "stop"),
        ({"max_tokens": 2}, " 1", "length"),
        ({"max_tokens": 0}, "", "length"),
    ]
    reader, network = tokens(causal_model.weights), causal_model._local().network()
    requests = [greedy(NUMBERS[:1], **{"max_tokens": 8, **options})[0] for options, _, _ in expected]
    rows = [Continuation(request, prompt_tokens(reader, request.prompt), reader) for request in requests]
    continue_all(network, rows, 8192)
    found = [row.response() for row in rows]
    assert [(response.text, response.finish) for response in found] == [(text, finish) for _, text, finish in expected]
    assert [response.output_tokens for response in found] == [8, 1, 8, 4, 2, 0]
    assert [len(response.logprobs) for response in found] == [8, 1, 8, 4, 2, 0]
    assert [response.run_tokens for response in found] == [len(rows[0].prompt), 0, 0, 0, 0, 0]


def test_an_end_token_at_once_is_an_empty_text(causal_model: HuggingFace) -> None:
    reader = tokens(causal_model.weights)
    row = Continuation(asked(""), [1], reader)
    row.take(min(reader.ends), -0.5)
    row.take(50, -0.5)
    assert (row.response().text, row.response().finish, row.response().output_tokens) == ("", "stop", 0)


def test_the_end_of_the_context_ends_the_text(absolute_model: HuggingFace) -> None:
    prompt = "a b " * 60
    (response,) = answers(absolute_model, [eh.Generate(prompt=prompt, max_tokens=50)])
    assert response.finish == "length"
    assert response.input_tokens + response.output_tokens == 128


@pytest.mark.parametrize(
    "prompt", ["", (), "👩‍👩‍👧 مرحبا e\u0301", (eh.Message("user", ""),)], ids=["none", "no turns", "unicode", "empty turn"]
)
def test_strange_prompts_are_answered(causal_model: HuggingFace, prompt: object) -> None:
    (response,) = answers(causal_model, [eh.Generate(prompt=prompt, max_tokens=3)])
    assert response.error is None
    assert response.text is not None
    assert response.input_tokens >= 1
