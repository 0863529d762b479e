"""Arms whose seeds are runs of recorded responses with a designed share of right answers; nothing is trained."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import evalharness as eh
from evalharness.training.arms import write_arm

TASK = """
name: sums
dataset: {path: questions.jsonl, fields: {id: id, input: question, references: answers}}
system: {name: none, prompt: "{{ input }}", model: echo}
metrics: [exact_match, token_f1, bleu]
"""
SAMPLES = 60
Arm = Callable[..., Path]


def write_task(folder: Path, text: str = TASK, samples: int = SAMPLES) -> Path:
    """Write the task and its data; return the task file."""
    rows = [
        {"id": f"q{n:03}", "question": f"{n} plus {n}?", "answers": [f"the sum is {2 * n}"], "kind": "odd" if n % 2 else "even"}
        for n in range(samples)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "task.yaml").write_text(text, encoding="utf-8")
    return folder / "task.yaml"


def write_seed(task: Path, folder: Path, right: float, luck: int, samples: int = SAMPLES) -> Path:
    """Run the task on responses of which this share is right: hard questions are hard for all, the rest is luck."""
    hard, own = random.Random(1), random.Random(luck)
    difficulty = [0.8 * hard.random() + 0.2 * own.random() for _ in range(samples)]
    texts = {f"q{n:03}": f"the sum is {2 * n}" if difficulty[n] < right else "no such thing" for n in range(samples)}
    responses = task.parent / f"{folder.parent.name}-{folder.name}.jsonl"
    lines = (json.dumps({"id": name, "response": text}) + "\n" for name, text in texts.items())
    responses.write_text("".join(lines), encoding="utf-8")
    name = f"system.name={folder.parent.name}"
    eh.run(task, responses=responses, overrides=[name], out=folder, store=task.parent / "store.sqlite")
    return folder


@pytest.fixture(scope="session")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Arm:
    """Give a function that makes the folder of an arm: of each seed the share of right answers."""
    root = tmp_path_factory.mktemp("arms")
    task = write_task(root)

    def make(name: str, shares: Sequence[float], seeds: Sequence[int] | None = None) -> Path:
        folder = root / "runs" / "sums" / name
        for number, share in zip(seeds or range(len(shares)), shares, strict=True):
            write_seed(task, folder / f"seed{number}", share, luck=100 * len(name) + number)
        write_arm(folder, command="evalharness run sums.yaml")
        return folder

    return make
