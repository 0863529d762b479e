"""A small set of plugins, so that tests of task files do not depend on what else is installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import evalharness_data
import evalharness_recorded
import pytest

import evalharness as eh
from evalharness import registry
from evalharness.contract import Parent
from evalharness.errors import FaultsFound

TASK = """\
name: quiz
dataset:
  path: quiz.jsonl
  fields: {input: question, references: answers}
system:
  name: parrot
  prompt: "Question: {{ input }}"
  model: echo
metrics:
  - matching
"""


class Matching(eh.Metric):
    """Share of responses that are a reference, 0 to 1."""

    name, better, range = "matching", "higher", (0, 1)
    case: bool = True
    order: int = 4

    def __post_init__(self) -> None:
        if self.order < 1:
            raise ValueError("order must be 1 or more")

    def measure(self, response: list[str], references: list[list[str]]) -> dict[str, list[float]]:
        return {"hit": [float(text in known) for text, known in zip(response, references, strict=True)]}


class Found(eh.Metric):
    """Share of relevant passages found, 0 to 1."""

    name, better, range = "found", "higher", (0, 1)
    k: tuple[int, ...] = (1,)

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(f"@{k}" for k in self.k)

    def measure(self, contexts: list[Any], relevant: list[Any]) -> dict[str, list[float]]:
        return {f"@{k}": [0.0] * len(contexts) for k in self.k}


class Blend(eh.Metric):
    """Mean of other scores."""

    name, better = "blend", "higher"
    of: tuple[str, ...]

    @property
    def uses(self) -> tuple[str, ...]:
        return self.of

    def measure(self, values: Any) -> dict[str, list[float]]:
        return {"value": next(iter(values.values()))}

    def compose(self, parents: tuple[Parent, ...]) -> eh.Metric:
        return self


class Judged(eh.Metric):
    """What another model says, 0 to 1."""

    name, better, range = "judged", "higher", (0, 1)
    model: eh.Spec | None = None

    def ask(self, response: list[str], answers: Any) -> list[list[eh.Request]]:
        return [[] for _ in response]

    def measure(self, response: list[str], answers: Any) -> dict[str, list[float]]:
        return {"value": [1.0] * len(response)}


class Heavy(eh.Metric):
    """Needs packages that nobody has."""

    name, better, needs = "heavy", "higher", "heavy"

    def measure(self, response: list[str]) -> dict[str, list[float]]:
        return {"value": [1.0] * len(response)}


class Certainty(eh.Metric):
    """Reads log-probabilities."""

    name, better = "certainty", "higher"

    def measure(self, logprobs: list[Any]) -> dict[str, list[float]]:
        return {"value": [1.0] * len(logprobs)}


class Shelf(eh.Retriever):
    """Returns the first passages of its corpus."""

    name = "shelf"
    corpus: eh.File

    def identity(self) -> str:
        return "shelf"

    def passages(self) -> Iterable[eh.Passage]:
        if not Path(self.corpus).exists():
            raise eh.DataError(f"{self.corpus}: there is no such corpus file")
        return [eh.Passage(line, f"text {line}") for line in Path(self.corpus).read_text().split()]

    def index(self, passages: Sequence[eh.Passage]) -> None: ...

    def search(self, queries: Sequence[str], top_k: int) -> list[list[eh.Passage]]:
        return [list(self.passages())[:top_k] for _ in queries]


class Fused(eh.Retriever):
    """Mixes other retrievers."""

    name = "fused"
    of: tuple[eh.Spec, ...] = field(default=(), metadata={"kind": "retriever"})

    def identity(self) -> str:
        return "fused"

    def index(self, passages: Sequence[eh.Passage]) -> None: ...

    def search(self, queries: Sequence[str], top_k: int) -> list[list[eh.Passage]]:
        return [[] for _ in queries]


class InData(Fused):
    """Finds nothing: the passages stand in the data."""

    name, recorded = "in_data", True
    top_k: int = field(default=sys.maxsize, init=False, metadata={"option": False})


@eh.hookimpl
def evalharness_metrics() -> list[type[eh.Metric]]:
    return [Matching, Found, Blend, Judged, Heavy, Certainty]


@eh.hookimpl
def evalharness_retrievers() -> list[type[eh.Retriever]]:
    return [Shelf, Fused, InData]


@pytest.fixture(autouse=True)
def _few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    found = registry.Registry()
    ours = SimpleNamespace(evalharness_metrics=evalharness_metrics, evalharness_retrievers=evalharness_retrievers)
    for name, package in {"data": evalharness_data, "recorded": evalharness_recorded, "ours": ours}.items():
        found.add(package, registry.Source(name, "test", "1"))
    monkeypatch.setattr(registry, "installed", lambda: found)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Write a file in the current, empty folder and return its name; by default the task of a quiz, with its data."""
    monkeypatch.chdir(tmp_path)

    def write(text: str = TASK, name: str = "task.yaml") -> str:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
        return name

    write('{"question": "What is salt?", "answers": ["a mineral"]}\n', "quiz.jsonl")
    return write


@pytest.fixture
def task_text() -> str:
    return TASK


@pytest.fixture
def messages() -> Callable[..., list[str]]:
    """Give what FaultsFound says, one line a fault."""

    def messages(call: Callable[..., Any], *args: Any, **options: Any) -> list[str]:
        with pytest.raises(FaultsFound) as caught:
            call(*args, **options)
        return [str(fault) for fault in caught.value.faults]

    return messages
