"""Choices held against lm-evaluation-harness, its own model class on the same weights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import pytest
from evalharness_hf import prefix
from evalharness_hf.likelihood import Asked, asked
from evalharness_hf.model import HuggingFace
from evalharness_hf.rolling import Rolling
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh

SHOTS = "Which animal barks?\nThe dog.\n\nWhat is 2 + 2?\nFour, of course.\n\nWhich of them can fly?\nBirds: wrens, terns.\n\n"
QUESTIONS = [
    eh.Choose(prompt=f"{SHOTS}Which planet is red?\nThe planet is", choices=("Mars", "Jupiter", "Mars, of course", "the moon")),
    eh.Choose(prompt=f"{SHOTS}Which planet is red?\nIt must be", choices=("12", "Mars", "a café 😀", "nothing")),
    eh.Choose(prompt=f"{SHOTS}What do cows drink?", choices=("Water.", "Milk.")),
    eh.Choose(prompt="Two and two are", choices=("four", "five")),
    eh.Choose(prompt="", choices=("The end", "Zebra")),
]


def peer(weights: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lm_eval.models.huggingface import HFLM

        return HFLM(pretrained=str(weights), device="cpu", dtype="float32", batch_size=4)


@pytest.fixture(scope="module")
def small_peer(absolute_model: HuggingFace) -> Any:
    return peer(absolute_model.weights)


def scores(model: Any, requests: Sequence[eh.Choose]) -> list[list[tuple[float, bool]]]:
    from lm_eval.api.instance import Instance

    pairs = [(request.prompt, request.delimiter + choice) for request in requests for choice in request.choices]
    found = iter(model.loglikelihood([Instance("loglikelihood", {}, pair, 0) for pair in pairs], disable_tqdm=True))
    return [[next(found) for _ in request.choices] for request in requests]


def assert_equal(model: HuggingFace, other: Any, requests: Sequence[eh.Choose]) -> None:
    found = dict(model.answer(requests))
    for request, theirs in zip(requests, scores(other, requests), strict=True):
        ours = found[request].logprobs
        assert ours == pytest.approx([value for value, _ in theirs], abs=1e-4)


def test_log_likelihoods_are_those_of_lm_eval(causal_model: HuggingFace) -> None:
    plain = HuggingFace(template="none")
    prefix.forget(plain._local().network())
    assert_equal(plain, peer(str(eh.resolve_weights(plain.weights))), QUESTIONS)
    responses = dict(plain.answer(QUESTIONS))
    assert sum(response.run_tokens for response in responses.values()) < sum(each.input_tokens for each in responses.values()) / 3


def test_log_likelihoods_of_absolute_positions_are_too(absolute_model: HuggingFace, small_peer: Any) -> None:
    assert_equal(HuggingFace(weights=absolute_model.weights, template="none"), small_peer, QUESTIONS)


TEXT = st.text(st.sampled_from("ab12 .\n-é😀'"), max_size=8)


@settings(max_examples=60)
@given(context=TEXT, choice=TEXT.filter(bool), delimiter=st.sampled_from(["", " ", "\n"]))
def test_what_is_scored_is_what_lm_eval_scores(
    absolute_model: HuggingFace, small_peer: Any, context: str, choice: str, delimiter: str
) -> None:
    """It moves white space from the end of the context to the continuation; where the context ends in none, nothing differs."""
    context = context.rstrip()
    (found,) = asked(
        [eh.Choose(prompt=context, choices=(choice,), delimiter=delimiter)], absolute_model._local().tokens, Rolling()
    )
    assert isinstance(found, Asked)
    (row,) = found.rows
    assert len(row.ids) > row.start >= 1
    if context and not found.merged:
        assert (row.ids[: row.start], row.ids[row.start :]) == small_peer._encode_pair(context, delimiter + choice)
