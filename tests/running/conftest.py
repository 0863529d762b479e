"""A small task with plugins made for the tests, run through the real pipeline."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

import evalharness as eh
from evalharness import registry
from evalharness.registry import Registry, Source

QUESTIONS = [
    {
        "id": f"q{number:02}",
        "question": f"What is {number} plus {number}?",
        "answers": [str(2 * number)],
        "topic": f"t{number % 8}",
    }
    for number in range(40)
]
TASK = """
name: sums
version: 1
dataset:
  path: questions.jsonl
  fields: {id: id, input: question, references: answers}
group: topic
system:
  name: adder
  prompt: "{{ input }}"
  model: adder
metrics: [exact_match, token_f1]
"""


class Adder(eh.Model):
    """Adds, in chunks of five, and writes down what it was asked."""

    name, local, supports = "adder", True, (eh.Generate, eh.Likelihood)
    asked: ClassVar[list[str]] = []
    pause: float = 0.0
    broken: bool = False

    def identity(self) -> str:
        return "adder"

    def plan(self, requests: Sequence[eh.Request]) -> Iterator[Sequence[eh.Request]]:
        ordered = sorted(requests, key=lambda request: str(request.content()))
        yield from (ordered[start : start + 5] for start in range(0, len(ordered), 5))

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        time.sleep(self.pause)
        for request in requests:
            self.asked.append(str(request.content()))
            if self.broken and "7" in str(request.content()):
                yield request, eh.Response(error=eh.Failure("connection", "refused"))
            elif isinstance(request, eh.Likelihood):
                yield request, eh.Response(logprobs=tuple(-1.0 for _ in request.text.split()))
            else:
                numbers = [int(word) for word in eh.text_of(request.prompt).replace("?", "").split() if word.isdigit()]
                yield request, eh.Response(text=str(sum(numbers[-2:]) + (sum(numbers) % 3 == 0)), input_tokens=5, output_tokens=1)


def module(name: str, **members: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(members)
    return made


def models() -> list[type[eh.Model]]:
    return [Adder]


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Give a registry of the installed plugins and the ones of these tests; whatever is added is gone afterwards."""
    import importlib.metadata

    found = registry.load(importlib.metadata.entry_points(group="evalharness"))
    found.add(
        module("tests_adder", evalharness_models=eh.hookimpl(specname="evalharness_models")(models)),
        Source("tests", "tests", "1"),
    )
    monkeypatch.setattr(registry, "installed", lambda: found)
    Adder.asked.clear()
    return found


@pytest.fixture
def task(tmp_path: Path, plugins: Registry, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write the task (with lines replaced or added) and its data; give its path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))

    def write(text: str = TASK, rows: Sequence[Any] = QUESTIONS) -> Path:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (tmp_path / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (tmp_path / "task.yaml").write_text(text, encoding="utf-8")
        return tmp_path / "task.yaml"

    return write
