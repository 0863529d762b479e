"""The engine: each question once, failures never stored, a model's misbehaviour never fatal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import evalharness as eh
from evalharness.systems.engine import Engine, Work, from_stored, to_stored
from evalharness.systems.store import Store

ASKED: list[str] = []


class Shouter(eh.Model):
    """Answers in capitals; its options say how it misbehaves."""

    name = "shouter"
    supports = (eh.Generate,)
    fault: str = ""

    def identity(self) -> str:
        return "shouter"

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for request in requests:
            assert isinstance(request, eh.Generate)
            assert isinstance(request.prompt, str)
            ASKED.append(request.prompt)
            if self.fault == "raises" and request.prompt == "b":
                raise RuntimeError("boom")
            if self.fault == "refused" and request.prompt == "b":
                yield request, eh.Response(error=eh.Failure("connection", "refused"))
            elif self.fault != "forgets" or request.prompt != "b":
                yield request, eh.Response(text=request.prompt.upper(), input_tokens=1, output_tokens=2)
                if self.fault == "repeats":
                    yield request, eh.Response(text="again")


def requests(texts: str, repeat: int = 0) -> list[eh.Request]:
    return [eh.Generate(prompt=text, sample=f"s{number}", repeat=repeat) for number, text in enumerate(texts)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    ASKED.clear()
    with Store(tmp_path / "s.sqlite") as opened:
        yield opened


def texts(engine: Engine, model: eh.Model, asked: list[eh.Request]) -> list[str | None]:
    engine.fill(model, asked)
    return [response.text for response in engine.read(model, asked)]


def test_equal_requests_are_asked_once_and_each_sample_has_the_answer(store: Store) -> None:
    assert texts(Engine(store), Shouter(), requests("aba")) == ["A", "B", "A"]
    assert sorted(ASKED) == ["a", "b"]


def test_a_stored_answer_is_never_asked_for_again(store: Store) -> None:
    texts(Engine(store), Shouter(), requests("ab"))
    ASKED.clear()
    engine = Engine(store)
    assert texts(engine, Shouter(), requests("abc")) == ["A", "B", "C"]
    assert ASKED == ["c"]
    assert (engine.usage.requests, engine.usage.from_store) == (1, 2)


def test_a_repeat_is_another_question(store: Store) -> None:
    texts(Engine(store), Shouter(), requests("a") + requests("a", repeat=1))
    assert ASKED == ["a", "a"]


def test_models_with_other_identities_do_not_share_answers(store: Store) -> None:
    class Whisperer(Shouter):
        name = "whisperer"

        def identity(self) -> str:
            return "whisperer"

    texts(Engine(store), Shouter(), requests("a"))
    texts(Engine(store), Whisperer(), requests("a"))
    assert ASKED == ["a", "a"]


@pytest.mark.parametrize(
    ("fault", "expected", "message"),
    [
        ("refused", ["A", None, "C"], "refused"),
        ("forgets", ["A", None, "C"], "gave no answer"),
        ("raises", ["A", None, None], "failed: RuntimeError: boom"),
    ],
)
def test_a_failure_is_a_response_that_is_asked_again_next_time(
    store: Store, fault: str, expected: list[str], message: str
) -> None:
    engine = Engine(store)
    assert texts(engine, Shouter(fault=fault), requests("abc")) == expected
    error = engine.read(Shouter(fault=fault), requests("b"))[0].error
    assert error is not None
    assert error.infrastructure
    assert message in error.message
    assert texts(Engine(store), Shouter(), requests("abc")) == ["A", "B", "C"]


def test_a_second_answer_to_one_request_is_ignored(store: Store) -> None:
    assert texts(Engine(store), Shouter(fault="repeats"), requests("ab")) == ["A", "B"]


def test_progress_counts_what_was_stored(store: Store) -> None:
    texts(Engine(store), Shouter(), requests("ab"))
    seen: list[tuple[int, int, int]] = []

    def watch(work: Work) -> None:
        seen.append((work.total, work.stored, work.done))

    texts(Engine(store, watch), Shouter(), requests("abc"))
    assert seen[0] == (3, 2, 2)
    assert seen[-1] == (3, 2, 3)


def test_every_part_of_a_response_survives_the_store() -> None:
    response = eh.Response(
        text="", finish="length", logprobs=(-0.1, float("-inf")), tokens=(1, 2), merged=1, embedding=(0.25, 1.5),
        contexts=(eh.Passage("p", "日本 \u0301", 0.5), eh.Passage("q", "", None)), input_tokens=3, output_tokens=4, latency=0.5,
    )  # fmt: skip
    assert from_stored(to_stored("k", "generate", "m", response)) == response
