"""Memory that runs out: the budget is halved for the rest of the process, and no number changes but by rounding."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from evalharness_hf import memory
from evalharness_hf.memory import Memory
from evalharness_hf.model import HuggingFace

import evalharness as eh
from evalharness.cli.main import cli

Scarce = Callable[[HuggingFace, int, type[BaseException]], list[int]]
CHOICES = ("red", "blue or green", "it is not known", "none of these at all")
PROMPTS = [f"Question {number}: which colour has {number * 7}? Answer:" for number in range(9)]
QUESTIONS = [eh.Choose(prompt=prompt, choices=CHOICES) for prompt in PROMPTS]
TEXTS = [eh.Likelihood(text=f"{number} " + "one, two; " * number) for number in range(1, 12)]


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scarce]:
    """Let the network of a model fail as torch does where more tokens than so many go through at once."""
    monkeypatch.setattr(memory, "_MEMORIES", {})
    hooks = []

    def put(model: HuggingFace, most: int, error: type[BaseException]) -> list[int]:
        seen: list[int] = []

        def check(module: Any, args: tuple[Any, ...]) -> None:
            seen.append(args[0].numel())
            if seen[-1] > most:
                raise error(f"CUDA out of memory. Tried to allocate room for {seen[-1]} tokens")

        hooks.append(model._local().network().get_input_embeddings().register_forward_pre_hook(check))
        return seen

    yield put
    for hook in hooks:
        hook.remove()


def answers(model: HuggingFace, requests: list[Any]) -> list[eh.Response]:
    found = dict(model.answer(requests))
    return [found[request] for request in requests]


@pytest.mark.parametrize("name", ["OutOfMemoryError", "MemoryError"])
@pytest.mark.parametrize("requests", [QUESTIONS, TEXTS], ids=["choices", "texts"])
def test_numbers_are_those_of_an_undisturbed_run(
    absolute_model: HuggingFace, scarce: Scarce, requests: list[Any], name: str
) -> None:
    import torch

    whole = answers(absolute_model, requests)
    assert absolute_model.remarks() == []
    seen = scarce(absolute_model, 100, MemoryError if name == "MemoryError" else torch.OutOfMemoryError)
    found = answers(absolute_model, requests)
    assert max(seen) > 100
    for one, other in zip(whole, found, strict=True):
        assert other.error is None
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    (remark,) = absolute_model.remarks()
    assert remark.startswith("token budget halved to ")
    assert "after out of memory (token_budget: 8,192)" in remark


def test_the_budget_stays_halved_for_equal_models(absolute_model: HuggingFace, scarce: Scarce) -> None:
    seen = scarce(absolute_model, 100, MemoryError)
    answers(absolute_model, TEXTS)
    seen.clear()
    same = HuggingFace(weights=absolute_model.weights)
    assert all(response.error is None for response in answers(same, TEXTS))
    assert max(seen) <= 100
    assert same.remarks() == absolute_model.remarks() != HuggingFace(weights=absolute_model.weights, token_budget=50).remarks()


def test_a_request_that_fits_under_no_budget_is_a_failure_and_leaves_the_budget_to_the_others(
    absolute_model: HuggingFace, scarce: Scarce
) -> None:
    scarce(absolute_model, 100, MemoryError)
    long = eh.Likelihood(text="a " * 110)
    alone = answers(absolute_model, [long])[0]
    assert alone.error is not None
    assert alone.error.kind == "out of memory"
    assert alone.logprobs is None
    assert absolute_model.remarks() == []
    *others, failed = answers(absolute_model, [*TEXTS[:3], long])
    assert failed.error == alone.error
    assert all(response.logprobs for response in others)
    assert absolute_model._memory().budget == 8192
    (remark,) = absolute_model.remarks()
    assert remark.startswith("token budget halved to ")


def test_a_budget_is_halved_down_to_the_smallest() -> None:
    left = Memory(200, 200)
    assert [left.below(200), left.below(100), left.below(64)] == [100, 64, 64]
    assert Memory(50, 50).smallest == 50


TASK = """
name: scarce
version: 1
description: A task for tests.
dataset: {path: data.jsonl, fields: {id: id, input: question, choices: choices, target: answer}}
output_type: multiple_choice
system: {name: tiny, prompt: "{{ input }}", model: {hf: {weights: WEIGHTS, template: none}}}
metrics: [choice_accuracy]
"""


def test_a_run_goes_on_says_so_and_has_the_scores_of_an_undisturbed_one(
    absolute_model: HuggingFace, scarce: Scarce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"id": f"s{n}", "question": each.prompt, "choices": CHOICES, "answer": n % 4} for n, each in enumerate(QUESTIONS)]
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("task.yaml").write_text(TASK.replace("WEIGHTS", absolute_model.weights))
    records = []
    for name, most in (("whole", 10**9), ("scarce", 100)):
        seen = scarce(HuggingFace(weights=absolute_model.weights, template="none"), most, MemoryError)
        done = CliRunner().invoke(cli, ["run", "task.yaml", "--out", name, "--store", f"{name}.sqlite"])
        assert done.exit_code == 0, done.output
        records.append(json.loads(Path(name, "record.json").read_text()))
        assert max(seen) > 100
    assert records[0]["scores"] == records[1]["scores"]
    assert records[0]["usage"]["remarks"] == []
    assert records[1]["system"]["conventions"] == HuggingFace(weights=absolute_model.weights, template="none").conventions()
    (remark,) = records[1]["usage"]["remarks"]
    assert "halved to" in remark
    assert remark[:60] in " ".join(done.output.split())
