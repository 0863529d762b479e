"""Several answers to one sample: metrics over all of them, transforms over all of them, and scoring them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

import evalharness as eh
from evalharness.errors import FaultsFound
from evalharness.running import rescore

TASK = """
name: repeated
version: 1
dataset: {path: questions.jsonl, fields: {id: id, input: question, references: answers}}
repeats: 3
transforms: [strip, refusal, majority_vote]
metrics:
  - exact_match
  - best_of: {of: exact_match}
  - pass_at_k: {of: exact_match, k: [1, 3]}
  - refusal_correctness
"""


@pytest.fixture
def repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a task of five questions, the answers that a system gave to each three times, and go there."""
    monkeypatch.chdir(tmp_path)
    questions = [{"id": f"q{row}", "question": "?", "answers": [str(row)]} for row in range(5)]
    Path("questions.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in questions))
    said = [[" 0 ", "0", "7"], ["1", "8", "9"], ["I don't know.", "I don't know.", "2"], ["8", "3", "8"], ["4", "4", "4"]]
    rows = [
        {"id": f"q{row}", "repeat": place, "response": text} for row, own in enumerate(said) for place, text in enumerate(own)
    ]
    Path("said.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def write(text: str = TASK) -> Path:
        Path("task.yaml").write_text(text)
        return Path("task.yaml")

    return write


def scores(record: object) -> dict[str, float]:
    return {name: score.value for name, score in record.scores.items()}  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_metrics_of_all_repeats_see_them_whatever_the_batch_size(
    repeated: Callable[..., Path], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalharness.running.pipeline.ROWS_A_BATCH", size)
    record = eh.run(repeated(TASK.replace(", majority_vote", "")), responses="said.jsonl", out="out")
    found = scores(record)
    assert found["best_of"] == 1.0
    assert found["pass_at_k@1"] == pytest.approx((2 / 3 + 1 / 3 + 1 / 3 + 1 / 3 + 1) / 5)
    assert found["exact_match"] == pytest.approx(found["pass_at_k@1"])
    assert (record.scores["best_of"].samples, record.scores["exact_match"].samples) == (5, 15)
    assert not record.scores["best_of"].unmeasured
    monkeypatch.setattr("evalharness.running.pipeline.ROWS_A_BATCH", 1000)
    assert rescore(Path("out")).agrees
    assert rescore(Path("out"), statistics_only=True).agrees


def test_the_majority_replaces_the_texts_and_each_step_is_shown(repeated: Callable[..., Path]) -> None:
    found = scores(eh.run(repeated(), responses="said.jsonl", out="out"))
    assert found["exact_match"] == pytest.approx(3 / 5)
    rows = parquet.read_table("out/samples.parquet").to_pylist()
    fields = [json.loads(row["fields"]) for row in rows]
    assert fields[0]["transforms"] == [{"by": "model", "text": " 0 "}, {"by": "strip", "text": "0"}]
    assert fields[2]["transforms"] == [{"by": "model", "text": "7"}, {"by": "majority_vote", "text": "0"}]
    assert fields[1]["transforms"] is None
    assert [row["response"] for row in rows[:3]] == ["0", "0", "0"]


def test_the_mark_of_a_refusal_is_what_metrics_go_by(repeated: Callable[..., Path]) -> None:
    task = TASK.replace("refusal,", "{refusal: {patterns: ['^8$']}},").replace(", majority_vote", "")
    record = eh.run(repeated(task), responses="said.jsonl", out="out")
    assert scores(record)["refusal_correctness"] == pytest.approx((15 - 2 - 3) / 15)
    assert json.loads(parquet.read_table("out/samples.parquet").column("fields")[4].as_py())["refused"] is True


def test_a_comparison_tells_that_scores_of_repeats_are_over_more_of_them(repeated: Callable[..., Path]) -> None:
    eh.run(repeated(), responses="said.jsonl", out="thrice")
    Path("once.jsonl").write_text("".join(f"{json.dumps({'id': f'q{row}', 'response': '0'})}\n" for row in range(5)))
    eh.run(repeated(TASK.replace("repeats: 3\n", "")), responses="once.jsonl", out="once")
    notes = {line.score: line.notes for line in eh.compare("thrice", "once").pairs[0].lines}
    assert notes["best_of"][-1].startswith("over 3 repeats of a sample in said, over 1 in once")
    assert not any("repeats" in note for note in notes["exact_match"])


def test_a_training_task_has_no_repeats(repeated: Callable[..., Path]) -> None:
    text = """
name: trained
kind: training
dataset: {table: {source: "sklearn:diabetes", target: target}}
model: linear
arms: {plain: mse}
seeds: [0]
metrics: [mae, {best_of: {of: mae}}]
"""
    Path("trained.yaml").write_text(text)
    with pytest.raises(FaultsFound, match="'best_of' is over the repeats of a sample, which a training task does not make"):
        eh.run("trained.yaml")
