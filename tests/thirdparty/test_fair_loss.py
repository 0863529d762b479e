"""The example of a loss in a package of its own: built, installed, listed, described, checked, and trained with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2] / "examples" / "evalharness-fair-loss"
OWN = {"EVALHARNESS_PLUGINS": "fair_loss"}
TASK = """
name: fair
version: 1
kind: training
dataset: sklearn:diabetes
model: linear
arms: {fair: {fair: {c: 2.0}}, squared: mse}
seeds: [0, 1]
trainer: {steps: 20, learning_rate: 0.1}
metrics: [mae]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tests.thirdparty.conftest import Environment

    scratch = tmp_path_factory.mktemp("fair")
    made = Environment.make(scratch / "environment")
    made.install(PROJECT, scratch)
    return made


def test_it_is_listed_without_loading_torch(installed: Any) -> None:
    shown = installed.evalharness("list", "losses", "--json", env=OWN)
    assert shown.returncode == 0, shown.stderr
    assert [item["name"] for item in json.loads(shown.stdout)] == ["fair"]
    code = "import sys; from evalharness import registry; registry.installed().classes('loss'); print('torch' in sys.modules)"
    assert installed.python("-c", code, env=OWN).stdout == "False\n"


def test_it_is_described_with_formula_gradient_and_tags(installed: Any) -> None:
    shown = installed.evalharness("describe", "fair", env=OWN)
    assert shown.returncode == 0, shown.stderr
    for part in ("c^2 (|e| / c - log(1 + |e| / c))", "e / (1 + |e| / c)", "convex", "bounded gradient", "1.4"):
        assert part in shown.stdout


def test_it_passes_the_conformance_kit(installed: Any) -> None:
    done = installed.evalharness("plugin", "test", "evalharness-fair-loss")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_training_task_trains_with_it(installed: Any, tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text(TASK, encoding="utf-8")
    done = installed.evalharness("run", "task.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for arm in ("fair", "squared"):
        record = json.loads((tmp_path / "runs" / "fair" / arm / "record.json").read_text(encoding="utf-8"))
        assert record["scores"]["mae"]["value"] < 0.8  # of the target's standard deviation, which predicting 0 misses by 0.88


def test_its_own_tests_pass_where_it_is_installed(installed: Any, tmp_path: Path) -> None:
    done = installed.python("-m", "pytest", "-p", "no:cacheprovider", str(PROJECT / "tests"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
