"""Small training tasks over a table that were really run: one that varies a number, one that varies nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalharness.training import run

TASK = """
name: outliers
kind: training
description: What losses make of outliers.
dataset: sklearn:diabetes
model: linear
arms: {mse: mse, mae: mae, huber: {huber: {delta: 1.345}}}
seeds: [0, 1, 2]
trainer: {steps: 20, learning_rate: 0.1, log_every: 10}
plant: {outliers: {share: 0.3, sides: one}}
metrics: [mae, rmse]
"""
VARY = """
vary:
  dataset: ["sklearn:diabetes", "mlxtend:autompg"]
  plant.outliers.sides: [both, one]
  plant.outliers.share: [0, 0.3]
"""
FEW = TASK.replace(", huber: {huber: {delta: 1.345}}", "").replace("[0, 1, 2]", "[0]")


def trained(folder: Path, text: str) -> tuple[Path, Path]:
    """Write a task, train its arms, and return the task file and the folder of its runs."""
    task = folder / "task.yaml"
    task.write_text(text, encoding="utf-8")
    run(task, out=folder / "runs", store=folder / "store.sqlite", command="evalharness run task.yaml")
    return task, folder / "runs"


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give a task that varies nothing, and its runs."""
    pytest.importorskip("sklearn", reason="the tables need the extra train")
    return trained(tmp_path_factory.mktemp("plain"), TASK)


@pytest.fixture(scope="session")
def varied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give a task that varies data sets, a setting and a number, and its runs."""
    pytest.importorskip("mlxtend", reason="the tables need the extra train")
    return trained(tmp_path_factory.mktemp("varied"), FEW + VARY)


@pytest.fixture(scope="session")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give a task that varies what is no number, and its runs."""
    pytest.importorskip("sklearn", reason="the tables need the extra train")
    return trained(tmp_path_factory.mktemp("twice"), FEW + "vary: {plant.outliers.sides: [both, one]}\n")
