"""Folders with a task, its data and a module, and questions to ask."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import evalharness as eh

Write = Callable[[str, str], Path]

TASK = """\
name: quiz
dataset: {path: quiz.jsonl, fields: {id: id, input: question, references: answers}}
system:
  name: mine
  model: MODEL
metrics: [exact_match]
"""
QUIZ = """\
{"id": "q1", "question": "Capital of France?", "answers": ["Paris"], "gold": {"fr": 1}, "user": "ann"}
{"id": "q2", "question": "Capital of Japan?", "answers": ["東京"], "gold": {"jp": 1}, "user": "bob"}
{"id": "q3", "question": "Capital of Peru?", "answers": ["Lima"], "gold": {"pe": 1}, "user": "ann"}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder to work beside, and forget what tests imported from it."""
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    place, before, path = tmp_path / "work", set(sys.modules), list(sys.path)
    place.mkdir()
    (place / "quiz.jsonl").write_text(QUIZ, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    yield place
    assert sys.path == path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(place)):
            del sys.modules[name]


@pytest.fixture
def write(folder: Path) -> Write:
    """Give a function that writes a file beside the task."""

    def written(name: str, text: str) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return written


@pytest.fixture
def task(write: Write) -> Callable[[str], Path]:
    """Give a function that writes the task with this model."""
    return lambda model: write("task.yaml", TASK.replace("MODEL", model))


def asked(model: eh.Model, *inputs: str, **fields: Any) -> list[eh.Response]:
    """Return the responses to these inputs, in order."""
    requests = [eh.Answer(input=text, sample=str(number), **fields) for number, text in enumerate(inputs)]
    answers = {id(request): response for request, response in model.answer(iter(requests))}
    assert len(answers) == len(requests)
    return [answers[id(request)] for request in requests]


def texts(responses: list[eh.Response]) -> list[str | None]:
    assert all(response.error is None for response in responses), responses
    return [response.text for response in responses]


def messages(responses: list[eh.Response]) -> list[str]:
    return [f"{response.error.kind}: {response.error.message}" if response.error else "" for response in responses]
