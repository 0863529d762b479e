"""The main job on the real encoder and the real language model, on a few questions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evalharness.running.launch import default_folder
from evalharness.task import load_task

ROOT = Path(__file__).parent.parent.parent
AGAIN = """
import json, sys
from evalharness.cli.main import cli
code = cli.main(sys.argv[1:], standalone_mode=False)
heavy = sorted({"torch", "transformers", "sentence_transformers", "datasets"} & set(sys.modules))
print(json.dumps({"code": code, "heavy": heavy}), file=sys.stderr)
"""


def run(folder: Path, *arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the record of a run of rag_qa in a process of its own, and which heavy modules that process imported."""
    task = ROOT / "tasks" / "rag_qa.yaml"
    command = [sys.executable, "-c", AGAIN, "run", str(task), "--limit", "3", "--store", "store.sqlite", "--json", *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    return json.loads(done.stdout), json.loads(done.stderr.splitlines()[-1])


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("main_job")
    return folder, run(folder)[0]


def test_it_retrieves_generates_and_scores(first: tuple[Path, dict[str, Any]]) -> None:
    _, record = first
    assert record["usage"]["requests"] == 3
    assert record["usage"]["output_tokens"] > 0
    assert {score["errors"] for score in record["scores"].values()} == {0}
    assert record["scores"]["retrieval_recall@3"]["value"] is not None


def test_a_run_from_the_store_loads_no_model(first: tuple[Path, dict[str, Any]]) -> None:
    folder, record = first
    again, process = run(folder, "--out", "again")
    assert (again["usage"]["requests"], again["usage"]["from_store"]) == (0, 3)
    assert again["scores"] == record["scores"]
    assert process == {"code": 0, "heavy": []}


def test_another_metric_asks_the_model_nothing(first: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = first
    more, process = run(folder, "--set", "metrics=[exact_match, word_precision]", "--offline")
    assert more["usage"]["requests"] == 0
    assert "word_precision" in more["scores"]
    assert process["heavy"] == []


def test_the_readme_names_the_run_folder_of_its_first_command() -> None:
    folder = default_folder(load_task(ROOT / "tasks" / "rag_qa.yaml"), None)
    named = set(re.findall(r"runs/rag_qa/dense-smollm2-[0-9a-f]+", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named == {str(folder)}
