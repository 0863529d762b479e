"""A board for the tests of sites: real runs over recorded responses with passages, and systems with names that attack pages."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import evalharness as eh
from evalharness.leaderboard.submission import add

HOSTILE = (
    "<script>window.broken=1</script>",
    '"><img src=x onerror="window.broken=1">',
    "</script><script>window.broken=1</script>",
    "\u202eevil\u202c",
    "a" * 10_000,
    "../../etc/passwd",
    "C:\\x\\y",
    "{{ 7 * 7 }}",
)
TASK = """\
name: mills
version: 1
description: Questions on mills, answered from two passages.
dataset: {path: questions.jsonl, fields: {input: question, references: answers}}
group: topic
output_type: generate
system: {name: none, prompt: "{{ input }}", model: echo}
metrics: [token_f1, exact_match, bleu, {retrieval_recall: {k: [1]}}, faithfulness]
"""
BOARD = """\
title: Mills & <others>
text: |
  A board for tests.

  It has two paragraphs.
tasks: [task.yaml]
rank: {by: token_f1}
baselines: [weak]
"""
SAMPLES, TOPICS = 120, 40
SHARES = {"lame": 0.15, "weak": 0.4, "twin": 0.4, "strong": 0.85, "blind": 0.3, "gaps": 0.5}
MILL = "The old mill 🙂 was built in 1840. Its wheel drove two stones."
LAKE = "Lake Orrin freezes every winter. Fishermen cut holes into the ice."


def question(number: int) -> dict[str, Any]:
    return {
        "id": f"q{number:03}", "question": f"Which stone was number {number}?", "topic": f"t{number % TOPICS}",
        "answers": [] if number % 12 == 11 else [f"the old mill stone {number}"],
        "kind": ("mill", "lake", "<b>none</b>")[number % 3], "relevant": {"mill": 1},
    }  # fmt: skip


def response(name: str, share: float, number: int) -> dict[str, Any]:
    """Return what a system says: what is hard is so for all, the rest is luck; `blind` often finds nothing."""
    hard, luck = random.Random(number).random(), random.Random(f"{name} {number}").random()
    right = 0.7 * hard + 0.3 * luck < share
    text = f"the old mill stone {number}" if right else "The old mill was built in 1840. Purple elephants like jazz."
    passages = [{"id": "mill", "text": MILL}, {"id": "lake", "text": LAKE}]
    found = [] if name == "blind" and number % 4 == 0 else passages if luck < 0.8 else passages[::-1]
    return {"id": f"q{number:03}", "response": text, "contexts": found}


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    return path


def write_board(folder: Path) -> Path:
    """Write the board with five systems that were really run, and one for each hostile name."""
    folder.mkdir(parents=True)
    lines(folder / "questions.jsonl", [question(number) for number in range(SAMPLES)])
    (folder / "task.yaml").write_text(TASK, encoding="utf-8")
    (folder / "board.yaml").write_text(BOARD, encoding="utf-8")
    for name, share in SHARES.items():
        asked = [number for number in range(SAMPLES) if name != "gaps" or number % 6]
        recorded = lines(folder.parent / f"{name}.jsonl", [response(name, share, number) for number in asked])
        run = folder.parent / "runs" / name
        eh.run(folder / "task.yaml", responses=recorded, out=run, store=folder.parent / "store.sqlite")
        add(folder, run)
    for number, name in enumerate(HOSTILE):
        renamed(folder / "records" / "weak", folder / "records" / f"hostile-{number}", name)
    return folder


def renamed(source: Path, target: Path, name: str) -> None:
    """Copy a record under another name of its system."""
    shutil.copytree(source, target)
    path = target / "record.json"
    plain = json.loads(path.read_text(encoding="utf-8"))
    plain["system"]["name"] = name
    path.write_text(json.dumps(plain, ensure_ascii=False), encoding="utf-8")
