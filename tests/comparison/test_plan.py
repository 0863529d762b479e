"""What a task can show, from its past runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import evalharness as eh
from evalharness.comparison.plan import PAIRED, UNPAIRED, past_runs, plan
from evalharness.errors import UsageError
from evalharness.task import load_task
from tests.comparison.conftest import TASK, Make, answers, write_answers, write_task

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
    assert many.detectable == pytest.approx(few.detectable / 2, rel=0.02)  # and more degrees of freedom
    assert many.needed == few.needed


def test_a_limited_or_stopped_run_does_not_displace_a_whole_one(make: Make, runs: Runs, tmp_path: Path) -> None:
    task = load_task(write_task(tmp_path))
    for name in ("weak", "strong"):
        shutil.copytree(runs[name], tmp_path / "runs" / name)
    whole = plan(task, past_runs(task, tmp_path / "runs"))
    responses = write_answers(tmp_path / "strong.jsonl", answers(0.7, 4))
    for name, options in {"zz": {"limit": 6}, "zzz": {"until": "exact_match ±0.3"}}.items():
        out = tmp_path / "runs" / name
        eh.run(
            tmp_path / "task.yaml",
            responses=responses,
            out=out,
            store=tmp_path / "store",
            overrides=["system.name=strong"],
            **options,
        )
        record = json.loads((out / "record.json").read_text())
        record["system"] = json.loads((runs["strong"] / "record.json").read_text())["system"]
        (out / "record.json").write_text(json.dumps(record))
    again = plan(task, past_runs(task, tmp_path / "runs"))
    assert again == whole


def test_samples_without_a_value_are_planned_for(make: Make, runs: Runs, tmp_path: Path) -> None:
    task = load_task(write_task(tmp_path))
    half = {name: text for name, text in answers(0.7, 4).items() if int(name[1:]) % 2}
    for name, folder in {
        "a": make("half1", half),
        "b": make("half2", {name: half[name] for name in list(half)[::-1]} | {"q001": "x"}),
    }.items():
        shutil.copytree(folder, tmp_path / "runs" / name)
    row = plan(task, past_runs(task, tmp_path / "runs")).rows[0]
    assert (row.samples, row.coverage) == (240, 0.5)


def test_a_difference_of_next_to_nothing_needs_a_very_large_number(runs: Runs, tmp_path: Path) -> None:
    task = load_task(write_task(tmp_path))
    shutil.copytree(runs["weak"], tmp_path / "runs" / "weak")
    assert plan(task, past_runs(task, tmp_path / "runs"), difference=1e-200).rows[0].needed == 10**18


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


def test_a_difference_beyond_the_range_is_told(runs: Runs, tmp_path: Path) -> None:
    task = load_task(write_task(tmp_path))
    shutil.copytree(runs["weak"], tmp_path / "runs" / "weak")
    results = past_runs(task, tmp_path / "runs")
    assert [row.score for row in plan(task, results, difference=2).rows] == ["bleu"]
    with pytest.raises(UsageError, match="no score can differ by 200"):
        plan(task, results, difference=200)
