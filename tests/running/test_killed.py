"""A run that is killed with SIGKILL and started again ends in the same bytes, and asks nothing that was stored."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.running.killing import KILLS, SAMPLES, stored
from tests.running.test_run import content
from tests.running.tiny import write_weights

TASK = """
name: {name}
dataset: {{path: questions.jsonl, fields: {{id: id, input: question, references: answers}}}}
output_type: {name}
system:
  name: noted
  prompt: "{{{{ input }}}}"
  model: {{noted: {{weights: weights, token_budget: 512}}}}
  generate: {{max_tokens: 4}}
metrics: [{metric}]
"""
SERVICE = """
name: service
dataset: {path: many.jsonl, fields: {id: id, input: question, references: answers}}
system: {name: called, prompt: "{{ input }}", model: called}
metrics: [exact_match]
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Kill and repeat runs of both tasks; give the folder and what was told of it."""
    folder = tmp_path_factory.mktemp("killed")
    write_weights(folder / "weights")
    for name, count in (("questions", SAMPLES), ("many", 10 * SAMPLES)):
        rows = [
            {"id": f"q{n}", "question": f"{n} + {n % 7}?", "answers": ["x"], "choices": ["yes", "no", str(n)], "target": n % 3}
            for n in range(count)
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name, metric in (("generate", "exact_match"), ("multiple_choice", "choice_accuracy")):
        text = TASK.format(name=name, metric=metric).replace("weights: weights", f"weights: {folder / 'weights'}")
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    (folder / "service.yaml").write_text(SERVICE, encoding="utf-8")
    no_threads = {"OMP_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
    environment = {**os.environ, **no_threads, "EVALHARNESS_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "tests.running.killing", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout.splitlines()[-1])


@dataclass(frozen=True)
class Asked:
    """One request that a model was given: by which process, in which chunk, and whether the store held its answer then."""

    process: str
    chunk: int
    key: str
    held: bool


def asked(folder: Path) -> list[Asked]:
    lines = [line.split() for line in (folder / "asked").read_text().splitlines()]
    return [Asked(process, int(chunk), key, held == "True") for process, chunk, key, held in lines]


@pytest.mark.parametrize("name", ["generate", "multiple_choice"])
def test_a_killed_run_ends_in_the_bytes_of_an_undisturbed_one(killed: tuple[Path, dict[str, Any]], name: str) -> None:
    folder, told = killed
    undisturbed = content(folder / name / "out")
    for place in told[name]:
        assert content(Path(place) / "out") == undisturbed


@pytest.mark.parametrize("name", ["generate", "multiple_choice"])
def test_no_stored_answer_is_asked_for_again(killed: tuple[Path, dict[str, Any]], name: str) -> None:
    folder, told = killed
    began = 0
    for place in map(Path, told[name]):
        requests = asked(place)
        assert not [each for each in requests if each.held]
        assert {each.key for each in requests} == stored(place) == stored(folder / name)
        last = {each.process: each.chunk for each in requests}
        finished = Counter(each.key for each in requests if each.chunk != last[each.process])
        assert max(finished.values()) == 1  # only the chunk that a process was killed in is ever asked again
        began += len(last)
    assert len(stored(folder / name)) == SAMPLES
    assert began >= KILLS // 2  # half of the kills came when the model had begun


def test_an_answer_of_a_service_is_stored_soon_after_it_came(killed: tuple[Path, dict[str, Any]]) -> None:
    assert killed[1]["lost by the service"] == 0
