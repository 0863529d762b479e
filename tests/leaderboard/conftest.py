"""A board over a small task, and real runs of recorded responses to add to it, made once a session."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

import evalharness as eh
from evalharness.leaderboard.submission import add

TASK = """\
name: sums
version: 1
description: Sums, answered in words.
dataset:
  path: questions.jsonl
  fields: {input: question, references: answers}
group: topic
system: {name: none, prompt: "{{ input }}", model: echo}
metrics: [exact_match, token_f1, bleu]
"""
BOARD = """\
title: Sums
text: |
  A small board.

  It has two paragraphs.
tasks: [task.yaml]
rank: {by: token_f1}
baselines: [weak]
"""
SAMPLES, TOPICS = 90, 30
SHARES = {"lame": 0.2, "weak": 0.5, "twin": 0.5, "strong": 0.8}


def question(number: int) -> dict[str, object]:
    topic = f"t{number % TOPICS}"
    return {"id": f"q{number:03}", "question": f"{number} + 1?", "answers": [f"the sum is {number + 1}"], "topic": topic}


def answers(share: float, seed: int) -> dict[str, str]:
    """Return responses of which about this share is right: what is hard is so for every seed, the rest is luck."""
    hard, luck = random.Random(1), random.Random(seed)
    right = {number: 0.7 * hard.random() + 0.3 * luck.random() < share for number in range(SAMPLES)}
    return {f"q{number:03}": f"the sum is {number + 1}" if found else "a sum of sorts" for number, found in right.items()}


def write_lines(path: Path, lines: list[dict[str, object]]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def write_task(folder: Path, text: str = TASK) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder / "questions.jsonl", [question(number) for number in range(SAMPLES)])
    (folder / "task.yaml").write_text(text, encoding="utf-8")
    return folder / "task.yaml"


def run(task: Path, name: str, responses: Mapping[str, str | None], out: Path, **options: object) -> Path:
    """Run a task on some responses as the system `name` and return the run folder."""
    lines: list[dict[str, object]] = [{"id": sample, "response": text} for sample, text in responses.items()]
    recorded = write_lines(out.parent / f"{name}.jsonl", lines)
    eh.run(task, responses=recorded, out=out, store=out.parent / "store.sqlite", **options)
    return out


def write_board(folder: Path, text: str = BOARD, task: str = TASK) -> Path:
    write_task(folder, task)
    (folder / "board.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give run folders of four systems by name: `strong` is best, `weak` and `twin` are alike, `lame` is behind."""
    root = tmp_path_factory.mktemp("runs")
    task = write_task(root / "tasks")
    return {name: run(task, name, answers(share, seed), root / name) for seed, (name, share) in enumerate(SHARES.items())}


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, runs: dict[str, Path]) -> Path:
    """Give a board with all four systems; tests must not change it."""
    folder = write_board(tmp_path_factory.mktemp("filled") / "board")
    for path in runs.values():
        add(folder, path)
    return folder


@pytest.fixture
def board(tmp_path: Path, filled: Path) -> Path:
    """Give a board with all four systems, to be changed."""
    return Path(shutil.copytree(filled, tmp_path / "board"))


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Give a board without systems."""
    return write_board(tmp_path / "empty")
