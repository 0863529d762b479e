"""Runs of recorded responses with a designed share of right answers, made once a session."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

import evalharness as eh

TASK = """
name: sums
version: 1
dataset:
  path: questions.jsonl
  fields: {id: id, input: question, references: answers}
group: topic
system: {name: none, prompt: "{{ input }}", model: echo}
metrics: [exact_match, token_f1, bleu]
"""
SAMPLES, TOPICS = 240, 60


def write_task(folder: Path, text: str = TASK, samples: int = SAMPLES, topics: int = TOPICS) -> Path:
    """Write the task and its data; return the task file."""
    rows = [
        {
            "id": f"q{n:03}", "question": f"{n} plus {n}?", "answers": [f"the sum of it is {2 * n}"],
            "topic": f"t{n % topics}", "kind": "even" if n % 2 == 0 else "odd",
        }
        for n in range(samples)
    ]  # fmt: skip
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "task.yaml").write_text(text, encoding="utf-8")
    return folder / "task.yaml"


def answers(right: float, seed: int, samples: int = SAMPLES) -> dict[str, str]:
    """Return responses of which this share is right: hard questions are hard for every seed, the rest is luck."""
    hard, luck = random.Random(1), random.Random(seed)
    difficulty = [hard.random() for _ in range(samples)]
    return {
        f"q{n:03}": f"the sum of it is {2 * n}" if difficulty[n] * 0.8 + luck.random() * 0.2 < right else "no such thing"
        for n in range(samples)
    }


def write_answers(path: Path, found: dict[str, str]) -> Path:
    path.write_text("".join(json.dumps({"id": name, "response": text}) + "\n" for name, text in found.items()), encoding="utf-8")
    return path


Make = Callable[..., Path]


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Give a function that runs the task on some responses and returns the run folder."""
    root = tmp_path_factory.mktemp("comparison")
    task = write_task(root)

    def run(name: str, found: dict[str, str], task: Path = task) -> Path:
        folder = root / "runs" / name
        responses = write_answers(root / f"{name}.jsonl", found)
        eh.run(task, responses=responses, out=folder, store=root / "store.sqlite")
        return folder

    return run


@pytest.fixture(scope="session")
def runs(make: Make) -> dict[str, Path]:
    """Give run folders: `weak` and `strong` clearly apart, `twin` as good as weak, `lame` far behind."""
    shares = {"lame": (0.2, 5), "weak": (0.5, 2), "twin": (0.5, 3), "strong": (0.7, 4)}
    return {name: make(name, answers(*given)) for name, given in shares.items()}
