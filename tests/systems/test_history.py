"""What models took is remembered in the store's file, and is no reason for anything to fail."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import evalharness as eh
from evalharness.systems.engine import Engine
from evalharness.systems.history import Past, past
from evalharness.systems.store import Store


class Counter(eh.Model):
    """Reads as many tokens as a prompt has words, of which the first ran already, and writes one; `fault` befalls 'x'."""

    name = "counter"
    supports = (eh.Generate, eh.Likelihood)
    fault: str = ""

    def identity(self) -> str:
        return "counter of these tests"

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for request in requests:
            text = str(getattr(request, "prompt", None) or getattr(request, "text", None))
            if self.fault == "raises" and "x" in text:
                raise KeyboardInterrupt
            if self.fault and "x" in text:
                yield request, eh.Response(error=eh.Failure("server", "fell"))
                continue
            read = len(text.split())
            if isinstance(request, eh.Likelihood):
                yield request, eh.Response(logprobs=(-1.0,) * read, input_tokens=read)
            else:
                yield request, eh.Response(text="y", input_tokens=read, output_tokens=1, run_tokens=read - 1)


MAKER = "counter counter of t"


def generate(*prompts: str) -> list[eh.Request]:
    return [eh.Generate(prompt=prompt) for prompt in prompts]


def known(path: Path, kind: str = "generate") -> Past | None:
    return past(path, MAKER, kind)


def test_what_was_asked_is_remembered_by_maker_and_kind(tmp_path: Path) -> None:
    with Store(path := tmp_path / "s.sqlite") as store:
        engine = Engine(store)
        assert engine.maker(Counter()) == MAKER
        engine.fill(Counter(), [*generate("a b", "a b c"), eh.Likelihood(text="a b c d")])
        Engine(store).fill(Counter(), generate("a b", "c d e f"))
    found = known(path)
    assert found is not None
    assert (found.requests, found.input_tokens, found.run_tokens, found.output_tokens) == (3, 9, 6, 3)
    assert 0 < found.seconds < 10
    likelihood = known(path, "likelihood")
    assert likelihood is not None
    assert (likelihood.requests, likelihood.input_tokens, likelihood.output_tokens) == (1, 4, 0)
    assert past(path, "somebody else", "generate") is None
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM history").fetchone() == (3,)
    connection.close()


def test_stored_answers_and_failures_are_nothing_to_remember(tmp_path: Path) -> None:
    with Store(path := tmp_path / "s.sqlite") as store:
        Engine(store).fill(Counter(fault="server"), generate("x"))
        assert known(path) is None
        Engine(store).fill(Counter(), generate("a b"))
        Engine(store).fill(Counter(), generate("a b"))
    found = known(path)
    assert found is not None
    assert found.requests == 1


def test_what_an_interrupted_run_was_answered_is_remembered(tmp_path: Path) -> None:
    with Store(path := tmp_path / "s.sqlite") as store, pytest.raises(KeyboardInterrupt):
        Engine(store).fill(Counter(fault="raises"), generate("a", "b", "x", "c"))
    found = known(path)
    assert found is not None
    assert found.requests == 2


def test_older_files_open_and_know_nothing(tmp_path: Path) -> None:
    with Store(path := tmp_path / "s.sqlite") as store:
        Engine(store).fill(Counter(), generate("a"))
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE history")
    connection.close()
    assert known(path) is None
    with Store(path) as store:
        Engine(store).fill(Counter(), generate("a", "b"))
    found = known(path)
    assert found is not None
    assert found.requests == 1


def test_a_history_that_cannot_be_written_costs_no_answer(tmp_path: Path) -> None:
    with Store(path := tmp_path / "s.sqlite") as store:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE history (something TEXT)")
        connection.close()
        engine = Engine(store)
        engine.fill(Counter(), generate("a"))
        assert engine.read(Counter(), generate("a"))[0].text == "y"
    assert known(path) is None
