"""A model that is sold, behind a service of these tests, and a metric that asks another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import evalharness as eh
from evalharness.registry import Registry, Source
from tests.running.conftest import module

PAID = """
name: sums
version: 1
dataset:
  path: questions.jsonl
  fields: {id: id, input: question, references: answers}
system:
  name: bought
  prompt: "{{ input }}"
  model: {bought: {product: sum-1}}
  generate: {max_tokens: 20}
  prices:
    sum-1: {input: 10, output: 100}
    judge-1.5: {input: 20, output: 200}
metrics: [exact_match]
"""
JUDGED = PAID.replace("metrics: [exact_match]", "metrics: [exact_match, {verdict: {model: {bought: {product: judge-1.5}}}}]")


class Bought(eh.Service):
    """Answers with the sum of the last two numbers; every word is a token. It notes what it was asked, and what came at once."""

    name, supports = "bought", (eh.Generate,)
    product: str
    concurrency: int = 4
    asked: ClassVar[list[str]] = []

    @property
    def sold_as(self) -> str:
        return self.product

    def identity(self) -> str:
        return self.product

    async def ask_one(self, request: eh.Request) -> eh.Response:
        assert isinstance(request, eh.Generate)
        text = eh.text_of(request.prompt)
        self.asked.append(f"{self.product}: {text}")
        numbers = [int(word) for word in text.replace("?", "").split() if word.isdigit()]
        return eh.Response(text=str(sum(numbers[-2:])), input_tokens=len(text.split()), output_tokens=1, latency=0.25)


class Verdict(eh.Metric):
    """Whether a model finds a response right, 0 to 1; it is asked once more about each answer that it gave."""

    name, better, range = "verdict", "higher", (0, 1)
    model: eh.Spec | None = None
    rounds: int = 1

    def ask(  # type: ignore[override]
        self, response: Sequence[str], answers: Sequence[Sequence[eh.Response]]
    ) -> list[list[eh.Request]]:
        return [
            [eh.Generate(prompt=f"Round {len(given)}: is {text} right?", max_tokens=5)] if len(given) < self.rounds else []
            for text, given in zip(response, answers, strict=True)
        ]

    def measure(self, response: Sequence[str], answers: Sequence[Sequence[eh.Response]]) -> Any:
        unsure = {row: "no verdict" for row, given in enumerate(answers) if not given or given[-1].failure}
        return eh.Rows({"right": [0.0 if row in unsure else 1.0 for row in range(len(answers))]}, unsure)


class Wording(Verdict):
    """Whether a question is well put, 0 to 1: asked before there is any response."""

    name = "wording"

    def ask(  # type: ignore[override]
        self, input: Sequence[str], answers: Sequence[Sequence[eh.Response]]
    ) -> list[list[eh.Request]]:
        return super().ask(input, answers)

    def measure(self, input: Sequence[str], answers: Sequence[Sequence[eh.Response]]) -> Any:
        return super().measure(input, answers)


def models() -> list[type[eh.Model]]:
    return [Bought]


def metrics() -> list[type[eh.Metric]]:
    return [Verdict, Wording]


def register(found: Registry) -> None:
    """Add the model and the metrics to a registry of these tests."""
    hooks = {
        "evalharness_models": eh.hookimpl(specname="evalharness_models")(models),
        "evalharness_metrics": eh.hookimpl(specname="evalharness_metrics")(metrics),
    }
    found.add(module("tests_paid", **hooks), Source("paid", "tests", "1"))
    Bought.asked.clear()
