"""Requests, responses and batches."""

from __future__ import annotations

from typing import Any

import pytest

from evalharness import Answer, Batch, Choose, Embed, Failure, Generate, Likelihood, Message, Passage, Response
from evalharness.contract.sample import INFRASTRUCTURE_FAILURES, SYSTEM_FAILURES


def test_the_key_of_a_request_leaves_the_sample_out_and_keeps_everything_else() -> None:
    base = Generate(prompt="a", sample="1")
    assert base.key("m") == Generate(prompt="a", sample="2").key("m")
    others = [
        Generate(prompt="b"), Generate(prompt="a", max_tokens=1), Generate(prompt="a", temperature=0.5),
        Generate(prompt="a", stop=("x",)), Generate(prompt="a", seed=1), Generate(prompt="a", repeat=1),
        Generate(prompt=(Message("user", "a"),)), Likelihood(text="a"), Embed(text="a"), Answer(input="a"),
        Answer(input="a", contexts=(Passage("1", "x"),)), Choose(prompt="a", choices=("x",)),
        Choose(prompt="a", choices=("x",), delimiter=""),
    ]  # fmt: skip
    keys = {request.key("m") for request in [base, *others]} | {base.key("n")}
    assert len(keys) == len(others) + 2


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (Response(text="a"), None),
        (Response(text=""), "empty"),
        (Response(text=" \n"), "empty"),
        (Response(logprobs=(-1.0,)), None),
        (Response(text="", error=Failure("filtered")), "filtered"),
    ],
)
def test_a_blank_text_is_a_failure_and_an_error_is_its_own(response: Response, kind: str | None) -> None:
    assert (response.failure.kind if response.failure else None) == kind


@pytest.mark.parametrize(("kinds", "infrastructure"), [(SYSTEM_FAILURES, False), (INFRASTRUCTURE_FAILURES, True)])
def test_failures_have_two_kinds(kinds: Any, infrastructure: bool) -> None:
    assert all(Failure(kind).infrastructure is infrastructure for kind in kinds)


def test_a_batch_computes_a_shared_intermediate_once() -> None:
    calls: list[int] = []
    batch = Batch({"response": ["a", "b"]}, ["1", "2"])
    assert [batch.once("key", lambda: calls.append(1) or len(calls)) for _ in range(3)] == [1, 1, 1]
    assert (len(batch), len(Batch({}, ["1"])), calls) == (2, 1, [1])
