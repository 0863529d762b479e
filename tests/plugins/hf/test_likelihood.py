"""Log-likelihoods of choices and texts, against one plain forward pass each."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from evalharness_hf.likelihood import Asked, asked
from evalharness_hf.model import HuggingFace
from evalharness_hf.rolling import Rolling
from evalharness_hf.scored import Scored
from evalharness_hf.tokens import Tokens, tokens

import evalharness as eh
from tests.plugins.hf.prompts import prompt_tokens


def small() -> Tokens:
    return tokens("smollm2-135m-instruct")


def choices_of(request: eh.Choose) -> Asked:
    (found,) = asked([request], small(), Rolling())
    assert isinstance(found, Asked)
    return found


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
    choices = choices_of(eh.Choose(prompt="Answer: ", choices=("Paris", "12"), delimiter=""))
    joined = small().encode("Answer: Paris")
    assert small().encode("Answer: ") != joined[:3]
    assert choices.rows[0] == Scored(joined, 2)
    assert choices.rows[1].start == 3  # a digit is always a token of its own
    assert choices.merged == 1


def test_at_least_one_token_is_scored() -> None:
    choices = choices_of(eh.Choose(prompt="The end", choices=("", "!"), delimiter=""))
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
    context = prompt_tokens(small(), turns)
    expected = plain_logprobs(causal_model, [*context, *small().encode("Blue")])[len(context) - 1 :]
    assert response.logprobs[0] == pytest.approx(sum(expected), abs=1e-4)
    assert response.logprobs[0] > response.logprobs[1]


def test_a_text_is_scored_token_by_token_after_the_prefix(causal_model: HuggingFace) -> None:
    text = "The cat sat on the mat. Le chat s'assit. 猫"
    short, empty, long = answer(causal_model, *(eh.Likelihood(text=each) for each in ("Hi", "", text)))
    assert long.logprobs == pytest.approx(plain_logprobs(causal_model, [1, *small().encode(text)]), abs=1e-4)
    assert len(short.logprobs) == short.input_tokens == 1
    assert empty.logprobs == ()


SHOTS = "".join(f"What is {one} and {one}?\nIt is {2 * one}.\n\n" for one in range(10, 15))
MANY = [eh.Choose(prompt=f"{SHOTS}What is {one} and nine?\nIt is", choices=(f"{one + 9}.", "less.", "one")) for one in range(12)]
MANY += [eh.Likelihood(text=f"{SHOTS[:40]}What is {one}?") for one in range(6)]


def test_a_run_that_was_killed_ends_in_the_same_bytes(absolute_model: HuggingFace) -> None:
    """Whatever was run or kept before, and whatever chunk is the first after a new start."""
    from evalharness_hf import prefix

    model = HuggingFace(weights=absolute_model.weights, template="none", token_budget=180)
    network = model._local().network()
    chunks = [list(chunk) for chunk in model.plan(MANY)]
    assert len(chunks) > 2
    prefix.forget(network)
    whole = [answer(model, *chunk) for chunk in chunks]
    assert all(response.logprobs for responses in whole for response in responses)
    for chunk, before in zip(chunks[::-1], whole[::-1], strict=True):
        prefix.forget(network)
        model._local().tokens.kept.clear()
        assert [response.logprobs for response in answer(model, *chunk)] == [response.logprobs for response in before]
    assert [list(chunk) for chunk in model.plan(MANY[::-1])] == chunks


def test_tokens_that_ran_for_another_request_are_told_from_those_that_ran_for_this_one(absolute_model: HuggingFace) -> None:
    from evalharness_hf import prefix

    model = HuggingFace(weights=absolute_model.weights, template="none")
    prefix.forget(model._local().network())
    found = answer(model, *MANY)
    assert all(response.run_tokens is not None and response.run_tokens <= response.input_tokens for response in found)
    chosen = found[:12]
    whole = [small().encode(f"{MANY[0].prompt} {choice}") for choice in MANY[0].choices]
    assert chosen[0].input_tokens == sum(len(ids) - 1 for ids in whole)
    assert sum(response.run_tokens for response in chosen) < sum(response.input_tokens for response in chosen) / 10


def test_a_plan_and_its_answers_put_each_request_into_tokens_once(
    absolute_model: HuggingFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = HuggingFace(weights=absolute_model.weights, template="none")
    reader = model._local().tokens
    reader.kept.clear()
    encoded: list[object] = []
    real = reader.encode_all
    monkeypatch.setattr(reader, "encode_all", lambda texts: real(encoded.extend(each := list(texts)) or each))
    for chunk in model.plan(MANY):
        answer(model, *chunk)
    assert len(encoded) == sum(len(getattr(request, "choices", ())) + 1 for request in MANY)


@pytest.mark.parametrize(
    "request_",
    [eh.Generate(prompt="put in once", max_tokens=2), eh.Choose(prompt="put in once", choices=("a",))],
    ids=["generate", "choose"],
)
def test_what_was_put_into_tokens_for_the_plan_is_not_put_into_tokens_again(
    absolute_model: HuggingFace, request_: eh.Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []
    real = Tokens.encode_all

    def counted(self: Tokens, each: Iterable[tuple[str, bool]]) -> dict[tuple[str, bool], list[int]]:
        some = list(each)
        texts.extend(text for text, _ in some)
        return real(self, some)

    monkeypatch.setattr(Tokens, "encode_all", counted)
    assert [list(chunk) for chunk in absolute_model.plan([request_])] == [[request_]]
    (response,) = answer(absolute_model, request_)
    assert response.error is None
    assert texts.count("put in once") == 1
