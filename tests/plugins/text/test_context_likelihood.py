"""What contexts do for the likelihood of an answer: from made-up replies, and from a real model beside torch."""

from __future__ import annotations

import math
from typing import Any

import pytest

import evalharness as eh
from evalharness import Choose, Passage, Response
from evalharness.testing import agree

PASSAGES = [Passage("a", "The mill burned in 1871."), Passage("b", "It was rebuilt.")]
WITH = "The mill burned in 1871.\n\nIt was rebuilt.\n\nQuestion: When did it burn?\nAnswer:"
ALONE = "Question: When did it burn?\nAnswer:"


def columns(of: str = "response", text: Any = "in 1871", contexts: Any = PASSAGES) -> dict[str, list[Any]]:
    return {of: [text], "input": ["When did it burn?"], "contexts": [contexts]}


def reply(nats: float, tokens: int = 2) -> Response:
    return Response(logprobs=(nats,), tokens=(tokens,))


def test_contexts_stand_before_the_question_and_the_answer_after_both() -> None:
    expected = Choose(prompt=WITH, choices=("in 1871",), delimiter=" ")
    assert eh.load_metric("conditional_likelihood").ask(**columns(), answers=[[]]) == [[expected]]
    assert eh.load_metric("perplexity", given="contexts").ask(**columns(), answers=[[]]) == [[expected]]
    metric = eh.load_metric("conditional_likelihood", given="question", of="references")
    assert metric.reads == ("references", "input")
    asked = metric.ask(references=[["in 1871", "1871"]], input=["When did it burn?"], answers=[[]])
    assert asked == [[Choose(prompt=ALONE, choices=(text,), delimiter=" ") for text in ("in 1871", "1871")]]


def test_the_likelihood_is_the_mean_over_all_tokens() -> None:
    metric = eh.load_metric("conditional_likelihood", of="references")
    found = metric.measure(**columns("references", ["in 1871", "1871"]), answers=[[reply(-3, 2), reply(-5, 3)]]).statistics
    assert metric.score(nll=found["nll"][0], size=found["size"][0]) == pytest.approx(-8 / 5)
    assert (metric.better, metric.range, metric.unit) == ("higher", (None, 0), "nats/token")


def test_both_likelihoods_of_each_answer_are_asked_for_once() -> None:
    metric = eh.load_metric("pointwise_mutual_information", of="references")
    texts = columns("references", ["in 1871", " ", "1871"])
    asked = metric.ask(**texts, answers=[[]])
    prompts = [(request.prompt, request.choices) for request in asked[0] if isinstance(request, Choose)]
    assert prompts == [(WITH, ("in 1871",)), (ALONE, ("in 1871",)), (WITH, ("1871",)), (ALONE, ("1871",))]
    assert metric.ask(**texts, answers=[[reply(-1)] * 4]) == [[]]


@pytest.mark.parametrize(("per", "expected"), [("answer", 3.5), ("token", 7 / 5)])
def test_what_contexts_add_is_counted_by_answer_or_token(per: str, expected: float) -> None:
    metric = eh.load_metric("pointwise_mutual_information", of="references", per=per)
    replies = [[reply(-3, 2), reply(-9, 2), reply(-5, 3), reply(-6, 3)]]
    found = metric.measure(**columns("references", ["in 1871", "1871"]), answers=replies).statistics
    assert metric.score(nats=found["nats"][0], size=found["size"][0]) == pytest.approx(expected)
    assert metric.unit == f"nats/{per}"


@pytest.mark.parametrize("name", ["conditional_likelihood", "pointwise_mutual_information"])
@pytest.mark.parametrize(
    ("text", "contexts", "replies", "reason"),
    [
        ("in 1871", [], [], "no contexts"),
        ("", PASSAGES, [], "empty response"),
        (" \n", PASSAGES, [], "empty text"),
        ("in 1871", PASSAGES, [Response(logprobs=()), Response(logprobs=())], "no token was scored"),
    ],
)
def test_where_nothing_can_be_asked_it_is_unmeasured(
    name: str, text: str, contexts: Any, replies: list[Response], reason: str
) -> None:
    metric = eh.load_metric(name)
    assert replies or metric.ask(**columns(text=text, contexts=contexts), answers=[[]]) == [[]]
    given = replies[: 1 if name == "conditional_likelihood" else 2]
    assert metric.measure(**columns(text=text, contexts=contexts), answers=[given]).unmeasured == {0: reason}


def test_an_impossible_answer_gains_nothing_that_is_known() -> None:
    metric = eh.load_metric("pointwise_mutual_information")
    rows = metric.measure(**columns(), answers=[[reply(-3), reply(-math.inf)]])
    assert rows.unmeasured == {0: "the answer is impossible"}


def summed_cross_entropy(prompt: str, text: str) -> tuple[float, int]:
    """The answer's log-likelihood and its tokens, by torch on the same tokens."""
    import torch
    from evalharness_hf.network import language_model
    from evalharness_hf.tokens import tokens

    own = tokens("smollm2-135m-instruct")
    context, whole = own.encode(prompt), own.encode(f"{prompt} {text}")
    assert whole[: len(context)] == context
    with torch.inference_mode():
        logits = language_model("smollm2-135m-instruct", None, "float32", "auto")(input_ids=torch.tensor([whole])).logits[0]
        start = len(context)
        loss = torch.nn.functional.cross_entropy(logits[start - 1 : -1], torch.tensor(whole[start:]), reduction="sum")
    return -float(loss), len(whole) - start


def test_a_real_model_finds_what_torch_does(causal_model: Any) -> None:
    metric = eh.load_metric("pointwise_mutual_information", per="token")
    (requests,) = metric.ask(**columns(), answers=[[]])
    replies = dict(causal_model.answer(requests))
    answers = [[replies[request] for request in requests]]
    (with_contexts, count), (alone, _) = (summed_cross_entropy(prompt, "in 1871") for prompt in (WITH, ALONE))
    found = metric.measure(**columns(), answers=answers).statistics
    value = metric.score(nats=found["nats"][0], size=found["size"][0])
    agree("pointwise_mutual_information", value, (with_contexts - alone) / count, tolerance=1e-4)
    assert value > 0.5  # the passage says it
    likelihood = eh.load_metric("conditional_likelihood")
    sums = likelihood.measure(**columns(), answers=[answers[0][:1]]).statistics
    agree("conditional_likelihood", likelihood.score(nll=sums["nll"][0], size=sums["size"][0]), with_contexts / count, 1e-4)
