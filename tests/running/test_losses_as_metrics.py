"""Losses among the metrics of a task: scored, scored again, and refused where the data has not what they read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import evalharness as eh
from evalharness.results import read_record
from evalharness.running import rescore
from evalharness.task import check_task, load_task

pytest.importorskip("torch")
TASK = """
name: numbers
version: 1
dataset: {path: rows.jsonl, fields: {id: id, input: question}}
system: {name: echo, prompt: "{{ input }}", model: echo}
metrics: [METRICS]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {"id": f"r{row}", "question": "?", "prediction": row / 4, "target": row % 3, "probabilities": [0.5, 0.3, 0.2]}
        for row in range(12)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return tmp_path


def written(folder: Path, metrics: str) -> Path:
    path = folder / "task.yaml"
    path.write_text(TASK.replace("METRICS", metrics))
    return path


def test_losses_are_scores_with_intervals_that_agree_when_scored_again(folder: Path) -> None:
    path = written(folder, "{huber: {delta: 0.5}}, cross_entropy, {quantile: {q: 0.9}, as: upper}")
    record = eh.run(path, out=folder / "run", store=folder / "store.sqlite")
    assert list(record.scores) == ["huber", "cross_entropy", "upper"]
    errors = [row / 4 - row % 3 for row in range(12)]
    expected = sum(0.5 * e * e if abs(e) <= 0.5 else 0.5 * (abs(e) - 0.25) for e in errors) / 12
    huber = record.scores["huber"]
    assert huber.value == pytest.approx(expected)
    assert huber.low is not None
    assert huber.high is not None
    assert huber.low < expected < huber.high
    assert huber.signature == "huber|delta:0.5"
    for statistics_only in (False, True):
        assert rescore(folder / "run", statistics_only=statistics_only).agrees
    assert read_record(folder / "run").scores["upper"].signature == "quantile|q:0.9"


def test_a_loss_that_only_training_can_compute_is_refused_at_its_place(folder: Path) -> None:
    with pytest.raises(
        eh.EvalharnessError, match=r"task.yaml:6:18: 'supervised' is a loss over 'labels', which only training has"
    ):
        load_task(written(folder, "huber, supervised"))


def test_options_of_a_loss_are_checked_where_they_stand(folder: Path) -> None:
    with pytest.raises(eh.EvalharnessError, match=r"task.yaml:6:20: .*has no option 'delt'. Did you mean 'delta'"):
        load_task(written(folder, "{huber: {delt: 1.0}}"))


def test_a_check_says_which_column_a_loss_reads(folder: Path) -> None:
    (finding, *_) = check_task(load_task(written(folder, "huber")))
    assert "metric 'huber' reads 'prediction', which this task provides only if the data has a column" in finding.message


def test_a_field_that_a_loss_can_do_without_is_not_there_for_nothing(folder: Path) -> None:
    path = written(folder, "cross_entropy")
    path.write_text(path.read_text().replace("input: question", "input: question, target: target, probabilities: probabilities"))
    assert not [finding for finding in check_task(load_task(path)) if "nothing reads" in finding.message]
