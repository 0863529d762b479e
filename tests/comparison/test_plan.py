"""What a task can show, from its past runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import evalharness as eh
from evalharness.comparison.plan import PAIRED, UNPAIRED, past_runs, plan
from evalharness.task import load_task
from tests.comparison.conftest import TASK, Make, answers, write_task

Runs = dict[str, Path]


def test_the_detectable_difference_comes_from_the_spread_of_pairs(runs: Runs, tmp_path: Path) -> None:
    task = load_task(write_task(tmp_path))
    for name in ("weak", "strong"):
        shutil.copytree(runs[name], tmp_path / "runs" / name)
    found = plan(task, past_runs(task, tmp_path / "runs"))
    row = next(row for row in found.rows if row.score == "exact_match")
    difference = eh.compare(runs["weak"], runs["strong"]).pairs[0].line("exact_match").difference
    assert (row.basis, row.pairs, row.samples, row.difference) == (PAIRED, 1, 240, 0.01)
    assert row.detectable == pytest.approx((2.0010 + 0.8416) * difference.se, rel=1e-3)
    assert row.needed == pytest.approx(240 * (2.8016 * difference.se / 0.01) ** 2, rel=1e-3)


def test_more_samples_detect_less(runs: Runs, tmp_path: Path) -> None:
    task = load_task(write_task(tmp_path))
    for name in ("weak", "strong"):
        shutil.copytree(runs[name], tmp_path / "runs" / name)
    results = past_runs(task, tmp_path / "runs")
    few, many = (plan(task, results, samples=samples, difference=0.05).rows[0] for samples in (240, 960))
    assert many.detectable == pytest.approx(few.detectable / 2)
    assert many.needed == few.needed


def test_one_run_alone_is_planned_as_if_unpaired(runs: Runs, tmp_path: Path) -> None:
    task = load_task(write_task(tmp_path))
    shutil.copytree(runs["weak"], tmp_path / "runs" / "weak")
    row = plan(task, past_runs(task, tmp_path / "runs")).rows[0]
    assert row.basis == UNPAIRED


def test_runs_of_another_task_and_damaged_ones_are_passed_over(make: Make, runs: Runs, tmp_path: Path) -> None:
    other = make("planned", answers(0.5, 2), task=write_task(tmp_path, TASK.replace("exact_match, ", "")))
    shutil.copytree(other, tmp_path / "runs" / "other")
    shutil.copytree(runs["weak"], tmp_path / "runs" / "broken")
    (tmp_path / "runs" / "broken" / "record.json").write_text("{")
    task = load_task(write_task(tmp_path))
    assert past_runs(task, tmp_path / "runs") == []
    assert plan(task, []).rows == ()
