"""The record of an arm: the mean over the seeds, one value a seed, and both follow from its samples."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from evalharness.errors import DataError
from evalharness.results import read_record
from evalharness.results.replicates import read_replicates
from evalharness.results.values import read_values
from evalharness.running import rescore
from evalharness.task import load_task
from evalharness.training.arms import read_seeds, write_arm
from tests.training.conftest import SAMPLES, Arm, write_seed, write_task


@pytest.fixture(scope="session")
def folder(arm: Arm) -> Path:
    return arm("mild", [0.5, 0.6, 0.4])


def test_the_value_is_over_all_seeds_and_the_groups_are_the_samples(folder: Path) -> None:
    record = read_record(folder)
    seeds = [read_record(folder / f"seed{number}") for number in range(3)]
    score = record.scores["exact_match"]
    assert score.value == pytest.approx(np.mean([one.scores["exact_match"].value for one in seeds]))
    assert (score.samples, score.groups) == (3 * SAMPLES, SAMPLES)
    assert record.seeds == {
        "seeds": [0, 1, 2],
        "scores": {name: [one.scores[name].value for one in seeds] for name in record.scores},
    }


def test_its_replicates_are_those_of_the_mean_over_the_seeds_of_each_sample(folder: Path) -> None:
    whole = read_replicates(folder / "replicates.npz")["token_f1"]
    parts = [read_replicates(folder / f"seed{number}" / "replicates.npz")["token_f1"] for number in range(3)]
    assert whole == pytest.approx(np.mean(parts, axis=0), rel=1e-6)


def test_it_stands_in_its_folder_as_any_run_does(folder: Path) -> None:
    record, task = read_record(folder), load_task(folder / "task.yaml")
    assert (task.repeats, task.system.name, record.system["name"]) == (3, "mild", "mild")
    assert task.digest() == record.task["digest"] == read_record(folder / "seed0").task["digest"]
    assert len(read_values(folder / "samples.parquet", ["bleu"]).ids) == SAMPLES


@pytest.mark.parametrize("statistics_only", [False, True])
def test_scoring_again_agrees_with_every_seed(folder: Path, statistics_only: bool) -> None:
    assert rescore(folder, statistics_only=statistics_only).differences == ()


def test_a_seed_whose_value_was_changed_is_named(folder: Path, tmp_path: Path) -> None:
    for name in ("samples.parquet", "replicates.npz", "task.yaml"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    plain = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    was = plain["seeds"]["scores"]["exact_match"][1]
    plain["seeds"]["scores"]["exact_match"][1] = 0.99
    (tmp_path / "record.json").write_text(json.dumps(plain), encoding="utf-8")
    (found,) = rescore(tmp_path).differences
    assert found[:2] == ("exact_match", "values by seed")
    assert (found[2][1], found[3][1]) == (0.99, was)


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ({"seeds": [0, 0, 1]}, "seeds.seeds is .* not a list of different numbers"),
        ({"seeds": [0, 1]}, "seeds.scores.* not a value of each of 2 seeds"),
        ({"scores": {}}, "seeds.scores.exact_match is null"),
        ({"seeds": "all"}, "seeds.seeds is 'all', not a list"),
    ],
)
def test_a_damaged_section_is_refused(folder: Path, tmp_path: Path, seeds: dict[str, object], message: str) -> None:
    plain = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    plain["seeds"] |= seeds
    (tmp_path / "record.json").write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_record(tmp_path)


def test_written_twice_it_is_the_same_but_for_when(arm: Arm) -> None:
    folder = arm("twice", [0.5, 0.5])
    first, samples = read_record(folder), (folder / "samples.parquet").read_bytes()
    again = write_arm(folder)
    assert dataclasses.replace(again, provenance={}) == dataclasses.replace(first, provenance={})
    assert (folder / "samples.parquet").read_bytes() == samples


def test_seeds_are_read_in_the_order_of_their_numbers(arm: Arm) -> None:
    folder = arm("ten", [0.5, 0.6, 0.7], seeds=[10, 2, 1])
    assert [seed.number for seed in read_seeds(folder)] == [1, 2, 10]


def test_a_folder_without_a_finished_seed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "seed0").mkdir()
    with pytest.raises(DataError, match="holds no finished seed"):
        write_arm(tmp_path)
    with pytest.raises(DataError, match="holds no finished seed"):
        write_arm(tmp_path / "nowhere")


def test_seeds_of_different_tasks_are_refused(tmp_path: Path) -> None:
    task = write_task(tmp_path)
    write_seed(task, tmp_path / "arm" / "seed0", 0.5, 1)
    task.write_text(task.read_text(encoding="utf-8").replace(", bleu", ""), encoding="utf-8")
    write_seed(task, tmp_path / "arm" / "seed1", 0.5, 2)
    with pytest.raises(DataError, match="seeds of different tasks"):
        write_arm(tmp_path / "arm")
