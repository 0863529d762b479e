"""The kit on models: what it passes, and what it catches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from evalharness import Choose, Failure, Generate, Model, Request, Response, digest
from evalharness.testing import check_model
from evalharness.testing.models import model_outcomes

COUNTER = itertools.count()


class Shout(Model):
    """Answers a prompt with itself in capitals."""

    name = "shout"
    supports = (Generate, Choose)

    def identity(self) -> str:
        return digest([self.name])

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Response]]:
        for request in requests:
            yield request, self.one(request)

    def one(self, request: Request) -> Response:
        if isinstance(request, Generate):
            return Response(text=str(request.prompt).upper())
        if isinstance(request, Choose):
            return Response(logprobs=tuple(-float(len(choice)) for choice in request.choices))
        return Response(error=Failure("not supported"))


class Forgetful(Shout):
    """Drops the last request."""

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Response]]:
        yield from super().answer(requests[:-1])


class Repeating(Shout):
    """Answers the first request twice."""

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Response]]:
        yield from super().answer([*requests, *requests[:1]])


class Raising(Shout):
    """Raises for what it does not know."""

    def one(self, request: Request) -> Response:
        if not isinstance(request, (Generate, Choose)):
            raise ValueError("what is this?")
        return super().one(request)


class Moody(Shout):
    """Counts its answers."""

    def one(self, request: Request) -> Response:
        return Response(text=str(next(COUNTER)), logprobs=(0.0, 0.0, 0.0))


class Wordless(Shout):
    """Leaves the text out."""

    def one(self, request: Request) -> Response:
        return Response(logprobs=(-1.0,))


class Failing(Shout):
    """Fails always."""

    def one(self, request: Request) -> Response:
        return Response(error=Failure("connection", "refused"))


class Deaf(Shout):
    """Supports nothing."""

    supports = ()


class Drifting(Shout):
    """Is another one each time."""

    def identity(self) -> str:
        return str(next(COUNTER))


class Hashing(Shout):
    """Has an identity that Python's hash seed changes."""

    def identity(self) -> str:
        return str(hash("a text"))


class HeavyIdentity(Shout):
    """Loads torch to say who it is."""

    def identity(self) -> str:
        import torch

        return torch.__name__


class Skipping(Shout):
    """Plans only half."""

    def plan(self, requests: Sequence[Request]) -> list[Sequence[Request]]:
        return [requests[::2]]


BREACHES: list[tuple[Any, str, str]] = [
    (Forgetful, "answers each request once", "answers, "),
    (Repeating, "answers each request once", "to 5 requests"),
    (Raising, "turns failures into responses", "ValueError: what is this?"),
    (Moody, "answers the same in any order", "at temperature 0"),
    (Moody, "answers the same alone", "whatever else is in the batch"),
    (Wordless, "fills the fields of each kind", "text is None"),
    (Failing, "answers something", "refused"),
    (Deaf, "names the requests that it supports", "supports = (evalharness.Generate,)"),
    (Drifting, "has a stable identity", "the same every time"),
    (Hashing, "has a stable identity", "in every process"),
    (HeavyIdentity, "has a stable identity", "imports torch"),
    (Skipping, "plans every request once", "3 planned for 5 requests"),
]


def test_a_model_that_keeps_the_contract_passes() -> None:
    assert {outcome.status for outcome in check_model(Shout)} == {"passed", "skipped"}


def test_requests_of_ones_own_are_used() -> None:
    seen = [Generate(prompt="only this")]
    outcomes = {outcome.check: outcome.status for outcome in check_model(Shout(), seen)}
    assert outcomes["answers each request once"] == "passed"


@pytest.mark.parametrize(("model", "check", "message"), BREACHES, ids=[f"{cls.__name__}-{check}" for cls, check, _ in BREACHES])
def test_each_breach_is_caught_by_its_check(model: Any, check: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    failed = {outcome.check: outcome.message for outcome in model_outcomes(model) if outcome.status == "failed"}
    assert check in failed, failed
    assert message in failed[check]
