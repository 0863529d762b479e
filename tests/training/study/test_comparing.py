"""What an arm changed since before training, and Holm over all arms and scores at once."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

import evalharness as eh
from evalharness.comparison import read_result
from evalharness.results import read_record
from evalharness.training.arms import write_arm
from evalharness.training.study.comparing import against_baseline, baselines, shown, since_before
from evalharness.training.study.reading import Case
from tests.training.conftest import write_seed, write_task

TASK = """
name: sums
dataset: {path: questions.jsonl, fields: {id: id, input: question, references: answers}}
system: {name: none, prompt: "{{ input }}", model: echo}
metrics:
  - token_f1
  - before: {metric: token_f1}
    as: token_f1.before
  - bleu
"""
SHARES = {"first": (0.5, 0.55, 0.5), "better": (0.8, 0.85, 0.8), "restless": (0.2, 0.8, 0.6)}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give arms whose model answered three questions of ten before training."""
    root = tmp_path_factory.mktemp("changes")
    task = write_task(root, TASK)
    rows = [json.loads(line) for line in (root / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    for number, row in enumerate(rows):
        row["before_response"] = row["answers"][0] if number % 10 < 3 else "no such thing"
    (root / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name, shares in SHARES.items():
        for seed, share in enumerate(shares):
            write_seed(task, root / name / f"seed{seed}", share, luck=100 * len(name) + seed)
        write_arm(root / name)
    arms = [SimpleNamespace(name=name, network="small") for name in SHARES]
    return Case(SimpleNamespace(labels=(), arms=arms), {name: read_result(root / name) for name in SHARES})  # type: ignore[arg-type]


def test_a_change_is_paired_by_sample_and_by_seed(case: Any) -> None:
    found = since_before([case], ["token_f1", "bleu"])
    assert [(score, arm) for _, score, arm in found] == [("token_f1", arm) for arm in SHARES]
    line = found[(), "token_f1", "restless"]
    record = read_record(case.arms["restless"].folder)
    gaps = np.array(record.seeds["scores"]["token_f1"]) - record.seeds["scores"]["token_f1.before"]
    assert line.difference.value == pytest.approx(gaps.mean())
    assert line.seeds.differences == pytest.approx(gaps)
    assert line.seeds.seed.p == pytest.approx(stats.ttest_1samp(gaps, 0).pvalue)
    assert line.seeds.wider == "seed"


def test_what_gained_is_better_and_what_is_restless_is_not_shown(case: Any) -> None:
    found = since_before([case], ["token_f1"])
    assert found[(), "token_f1", "better"].verdict == "better"
    assert found[(), "token_f1", "restless"].verdict == "not shown"


def test_arms_stand_beside_the_first_with_holm_over_arms_and_scores(case: Any) -> None:
    found = against_baseline([case], ["token_f1", "bleu"])
    assert {arm for _, _, arm in found} == {"better", "restless"}
    own = eh.compare(case.arms["first"].folder, case.arms["better"].folder, scores=["token_f1"]).pairs[0].lines[0]
    line = found[(), "token_f1", "better"]
    assert line.difference == own.difference
    smallest = min(each.difference.p for each in found.values())
    assert min(each.p_adjusted for each in found.values()) == pytest.approx(min(1, 4 * smallest))


def test_an_arm_stands_beside_the_first_with_its_network(case: Any) -> None:
    networks = {"first": "small", "better": "large", "restless": "large"}
    arms = [SimpleNamespace(name=name, network=network) for name, network in networks.items()]
    assert baselines(Case(SimpleNamespace(labels=(), arms=arms), case.arms)) == {"restless": "better"}  # type: ignore[arg-type]


def test_a_difference_is_written_with_its_sign_its_interval_and_a_word(case: Any) -> None:
    found = against_baseline([case], ["token_f1"])
    assert shown(found[(), "token_f1", "better"]).startswith("+0.")
    assert shown(found[(), "token_f1", "better"]).endswith("), better")
    assert shown(found[(), "token_f1", "restless"]).endswith("), no difference shown")


def test_what_only_its_own_interval_shows_is_told_apart(case: Any) -> None:
    line = against_baseline([case], ["token_f1"])[(), "token_f1", "better"]
    assert shown(replace(line, verdict="not shown")).endswith("), not shown among all")
