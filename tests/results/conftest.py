"""Two real runs of one small task, and records with names that are hard to write down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import evalharness as eh
from evalharness.results import Record
from evalharness.scoring import Score

TASK = """
name: shouting
version: 3
dataset: {path: data.jsonl, fields: {id: id, input: question, references: answers}}
group: topic
system: {name: loud, prompt: "Say {{ input }}", model: echo, generate: {max_tokens: 7}}
metrics: [exact_match, token_f1, bleu]
"""
HOSTILE = "a|b_c&d%e#{f}\\g`h\n<script>\"'[*i*](j)~^$k\u202el--m,,n"


class Runs(NamedTuple):
    """The folders of two runs."""

    loud: Path
    quiet: Path


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Give two run folders: echoes of forty samples on eight topics, one of which has no reference."""
    folder = tmp_path_factory.mktemp("runs")
    rows = [
        {
            "id": f"q{n}",
            "question": f"one {n} two",
            "answers": [f"Say one {n} two" if n % 3 else f"{n} two"],
            "topic": f"t{n % 8}",
        }
        for n in range(40)
    ]
    rows[5]["answers"] = []
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "task.yaml").write_text(TASK, encoding="utf-8")
    quiet = ["system.name=quiet", "system.prompt='{{ input }}'"]
    for name, overrides in (("loud", []), ("quiet", quiet)):
        eh.run(folder / "task.yaml", out=folder / name, store=folder / "store.sqlite", overrides=overrides)
    return Runs(folder / "loud", folder / "quiet")


@pytest.fixture
def make_record() -> Callable[..., Record]:
    """Give a maker of records with one score."""

    def make(*, task: str = "task", system: str = "system", score: str = "f1", **values: object) -> Record:
        found: dict[str, object] = {
            "value": 0.5, "low": 0.25, "high": 0.75, "samples": 1200, "groups": 40, "signature": "f1", "range": [0, 1], **values
        }  # fmt: skip
        return Record(
            task={"name": task, "version": "1", "digest": "ab", "output_type": "generate", "fewshot": 0},
            dataset={"source": "files", "digest": "cd", "samples": 1200, "faults": 0, "limit": None, "revision": None},
            system={"name": system, "digest": "ef", "spec": {"name": system, "model": "echo"}},
            scores={score: Score(**found)},  # type: ignore[arg-type]
            provenance={"created": "2026-01-02T03:04:05+0000", "evalharness": "0.1.0"},
        )

    return make
