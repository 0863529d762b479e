"""Log-likelihoods of choices and texts, against one plain forward pass each."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from evalharness_hf.likelihood import Scored, _batches, choices_of, token_logprobs, windows
from evalharness_hf.model import HuggingFace
from evalharness_hf.tokens import Tokens, tokens

import evalharness as eh


def small() -> Tokens:
    return tokens("smollm2-135m-instruct")


def plain_logprobs(model: HuggingFace, ids: list[int]) -> list[float]:
    """The log-likelihood of every token but the first, from one unpadded pass."""
    import torch

    with torch.inference_mode():
        table = torch.log_softmax(model._local().network()(input_ids=torch.tensor([ids[:-1]])).logits[0].double(), -1)
    return [float(row[token]) for row, token in zip(table, ids[1:], strict=True)]


def answer(model: HuggingFace, *requests: eh.Request) -> list[eh.Response]:
    found = {id(request): response for request, response in model.answer(requests)}
    return [found[id(request)] for request in requests]


def test_a_choice_is_scored_by_its_tokens_after_the_context(causal_model: HuggingFace) -> None:
    request = eh.Choose(prompt="The capital of France is", choices=("Paris", "Berlin, which lies on the Spree", "é😀"))
    (response,) = answer(causal_model, request)
    context = small().encode(request.prompt)
    for number, choice in enumerate(request.choices):
        whole = small().encode(f"{request.prompt} {choice}")
        assert whole[: len(context)] == context
        expected = plain_logprobs(causal_model, whole)[len(context) - 1 :]
        assert response.logprobs[number] == pytest.approx(sum(expected), abs=1e-4)
        assert response.tokens[number] == len(expected)
    assert response.merged == 0
    assert max(range(3), key=response.logprobs.__getitem__) == 0


def test_choices_do_not_depend_on_their_neighbours(absolute_model: HuggingFace) -> None:
    requests = [
        eh.Choose(prompt=prompt, choices=choices)
        for prompt, choices in [("A", ("b", "c d e f")), ("It rains, so the streets are", ("wet", "dry and dusty")), ("", ("x",))]
    ]
    for alone, batched in zip(
        (answer(absolute_model, request)[0] for request in requests), answer(absolute_model, *requests), strict=True
    ):
        assert batched.logprobs == pytest.approx(alone.logprobs, abs=1e-4)
        assert batched.tokens == alone.tokens


def test_a_merged_boundary_is_scored_from_the_last_common_token_and_counted() -> None:
    choices = choices_of(eh.Choose(prompt="Answer: ", choices=("Paris", "12"), delimiter=""), small())
    joined = small().encode("Answer: Paris")
    assert small().encode("Answer: ") != joined[:3]
    assert choices.rows[0] == Scored(joined, 2)
    assert choices.rows[1].start == 3  # a digit is always a token of its own
    assert choices.merged == 1


def test_at_least_one_token_is_scored() -> None:
    choices = choices_of(eh.Choose(prompt="The end", choices=("", "!"), delimiter=""), small())
    assert len(choices.rows[0].places) == 1
    assert choices.merged == 0


def test_an_empty_context_is_the_prefix_token(causal_model: HuggingFace) -> None:
    (response,) = answer(causal_model, eh.Choose(prompt="", choices=("The", "Zebra stripes"), delimiter=""))
    for number, choice in enumerate(("The", "Zebra stripes")):
        expected = plain_logprobs(causal_model, [1, *small().encode(choice)])
        assert response.logprobs[number] == pytest.approx(sum(expected), abs=1e-4)
        assert response.tokens[number] == len(expected)


def test_nothing_after_nothing_is_a_failure(causal_model: HuggingFace) -> None:
    (response,) = answer(causal_model, eh.Choose(prompt="", choices=("",), delimiter=""))
    assert response.error is not None
    assert "empty choice" in response.error.message


def test_choices_after_a_chat_template_continue_the_assistant(causal_model: HuggingFace) -> None:
    turns = (eh.Message("user", "Name a colour."),)
    (response,) = answer(causal_model, eh.Choose(prompt=turns, choices=("Blue", "Seven"), delimiter=""))
    context = small().of_prompt(turns)
    expected = plain_logprobs(causal_model, [*context, *small().encode("Blue")])[len(context) - 1 :]
    assert response.logprobs[0] == pytest.approx(sum(expected), abs=1e-4)
    assert response.logprobs[0] > response.logprobs[1]


def test_a_text_is_scored_token_by_token_after_the_prefix(causal_model: HuggingFace) -> None:
    text = "The cat sat on the mat. Le chat s'assit. 猫"
    short, empty, long = answer(causal_model, *(eh.Likelihood(text=each) for each in ("Hi", "", text)))
    assert long.logprobs == pytest.approx(plain_logprobs(causal_model, [1, *small().encode(text)]), abs=1e-4)
    assert len(short.logprobs) == short.input_tokens == 1
    assert empty.logprobs == ()


def test_windows_are_those_of_the_rolling_scheme() -> None:
    reader = SimpleNamespace(context=10, prefixed=lambda ids: [-100, *ids])
    found = [(row.ids[:-1], row.ids[row.start :]) for row in windows(list(range(34)), reader)]
    assert found == [
        ([-100, *range(9)], list(range(10))),
        (list(range(9, 19)), list(range(10, 20))),
        (list(range(19, 29)), list(range(20, 30))),
        (list(range(23, 33)), list(range(30, 34))),
    ]


@pytest.mark.parametrize("length", range(1, 25))
@pytest.mark.parametrize("context", [1, 4, 7])
def test_every_token_is_scored_once_within_the_context(length: int, context: int) -> None:
    reader = SimpleNamespace(context=context, prefixed=lambda ids: [-1, *ids])
    rows = windows(list(range(length)), reader)
    assert [token for row in rows for token in row.ids[row.start :]] == list(range(length))
    assert all(row.start >= 1 and len(row.ids) - 1 <= context for row in rows)


def test_a_text_longer_than_the_context_is_scored_in_windows(causal_model: HuggingFace) -> None:
    ids = small().encode("One two three four five six seven eight nine ten eleven twelve.")
    reader = SimpleNamespace(context=6, prefixed=small().prefixed)
    rows = windows(ids, reader)
    found = [value for row in token_logprobs(causal_model._local().network(), rows, 8192) for value in row]
    expected = [value for row in rows for value in plain_logprobs(causal_model, row.ids)[row.start - 1 :]]
    assert found == pytest.approx(expected, abs=1e-4)
    assert len(found) == len(ids)
    assert found[:6] == pytest.approx(plain_logprobs(causal_model, [1, *ids])[:6], abs=1e-4)


def test_batches_stay_under_the_budget_and_under_the_memory_for_logits() -> None:
    rows = [Scored(list(range(length)), start) for length, start in [(3, 2), (5, 1), (9, 8), (40, 1), (4, 1)]]
    for budget, most in [(1000, 1000), (20, 1000), (1000, 9), (1, 1)]:
        batches = list(_batches(rows, budget, most))
        assert [row for batch in batches for row in batch] == rows
        for batch in batches:
            places = set().union(*(row.places for row in batch))
            assert len(batch) == 1 or len(batch) * max(len(row.ids) for row in batch) <= budget
            assert len(batch) == 1 or len(batch) * len(places) <= most
    assert len(list(_batches(rows, 1000, 1000))) == 1
