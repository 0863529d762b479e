"""What is made of the samples of the training part, and which faults are planted in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evalharness_networks.bytes import byte_tokenizer

import evalharness as eh
from evalharness.contract import Sample
from evalharness.errors import DataError
from evalharness.task import Plant, TrainingTask, load_task
from evalharness.task.training import Outliers, Positives
from evalharness.training.collating import Pair, Row
from evalharness.training.planting import planted
from evalharness.training.preparing import table_data, text_data, training_samples
from tests.training.tasks import PAIRS, SUMS, TABLE, TEXTS, write_data

BEGIN, END = 256, 257


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)


def read(text: str) -> TrainingTask:
    Path("task.yaml").write_text(text, encoding="utf-8")
    task = load_task("task.yaml")
    assert isinstance(task, TrainingTask)
    return task


def data(text: str, loss: str = "supervised", **options: Any) -> Any:
    task = read(text)
    return text_data(task, eh.load_loss(loss, **options), byte_tokenizer(), list(training_samples(task)))


def written(turns: Any) -> None:
    Path("train.jsonl").write_text(json.dumps({"id": "x", "question": "", "answers": [], "turns": turns}) + "\n")


def counting(example: Any) -> str:
    """Return the text of the tokens that count."""
    return bytes(token for token, weight in zip(example.ids, example.weights, strict=True) if weight and token < BEGIN).decode()


def test_the_mask_of_the_loss_says_which_tokens_count() -> None:
    first = [data(SUMS, mask=mask).examples[3] for mask in ("prompt", "none")]
    assert [counting(example) for example in first] == ["6", " plus 3? 6"]  # nothing is before the first byte
    assert first[0].ids[-1] == END
    assert first[0].weights[-1] == 1


def test_tokens_outside_of_the_mask_may_count_a_little() -> None:
    example = data(SUMS, prompt_weight=0.25).examples[3]
    assert set(example.weights) == {0.0, 0.25, 1.0}
    assert example.weights[0] == 0


def test_the_loss_in_a_sum_of_losses_says_so_too() -> None:
    example = data(SUMS, "combine", of=[{"supervised": {"mask": "none"}}, "moe_switch"]).examples[3]
    assert counting(example) == " plus 3? 6"


def test_turns_stand_for_prompt_and_answer() -> None:
    turns = [
        {"role": role, "content": text} for role, text in (("user", "a?"), ("assistant", "b"), ("user", "c?"), ("assistant", "d"))
    ]
    written(turns)
    assert counting(data(SUMS, mask="turns").examples[0]) == "bd"
    assert counting(data(SUMS).examples[0]) == "d"


def test_the_weight_of_a_turn_in_the_data_is_that_of_its_tokens_in_the_loss() -> None:
    said = [("user", "a?"), ("assistant", "bb"), ("user", "c?"), ("assistant", "d")]
    written([{"role": role, "content": text, **({"weight": 0.5} if text == "bb" else {})} for role, text in said])
    found = data(SUMS, mask="turns")
    batch = found.collator(found.examples)
    weight, labels = batch["token_weight"], batch["labels"]
    assert {chr(word): weight[labels == word].tolist() for word in b"bd"} == {"b": [0.5, 0.5], "d": [1.0]}
    logits = torch.randn(*labels.shape, 300, dtype=torch.float64)
    each = torch.nn.functional.cross_entropy(logits[0, :-1], labels[0, 1:], reduction="none", ignore_index=-100)
    expected = (each * weight[0, 1:]).sum() / weight.sum()
    value = eh.load_loss("supervised", mask="turns")(logits=logits, labels=labels, token_weight=weight)
    assert float(value) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        ({"role": "user", "weight": 0.5}, r"'turns'\[0\] is of 'user', so it is not learnt and has no weight"),
        ({"role": "assistant", "weight": -1}, r"'turns'\[0\] has the weight -1, which must be a number, 0 or more"),
        ({"role": "assistant", "weight": "much"}, r"'turns'\[0\] has the weight 'much', which must be a number"),
    ],
)
def test_a_weight_that_makes_no_sense_is_named(turn: dict[str, Any], told: str) -> None:
    written([{"content": "a", **turn}, {"role": "assistant", "content": "b"}])
    with pytest.raises(DataError, match=f"the first: sample 'x': {told}"):
        data(SUMS)


def test_a_text_is_cut_into_windows_in_which_each_token_counts_once() -> None:
    windows = [example for example in data(TEXTS).examples if example.sample == "t7"]
    text = "the cat sat on the mat. " * 8
    assert "".join(counting(window) for window in windows) == text
    assert max(len(window.ids) for window in windows) == 32
    assert windows[0].ids[0] == BEGIN
    assert windows[1].ids[0] == windows[0].ids[-1]


def test_a_choice_is_learnt_as_it_is_scored() -> None:
    Path("train.jsonl").write_text(json.dumps({"question": "Largest? ", "choices": ["ant", "whale"], "target": 1}) + "\n")
    text = SUMS.replace("references: answers", "choices: choices, target: target").replace("{id: id, ", "{")
    text = text.replace("generate:", "output_type: multiple_choice\ngenerate:").replace(
        "[perplexity, token_f1]", "[choice_accuracy]"
    )
    assert counting(data(text).examples[0]) == " whale"


def test_losses_on_pairs_get_pairs_and_those_on_mismatched_ones_these() -> None:
    pair = data(PAIRS, "dpo").examples[2]
    assert isinstance(pair, Pair)
    assert (counting(pair.chosen), counting(pair.rejected), pair.kl_chosen) == ("yes 2", "no", None)
    mismatched = data(PAIRS, "kto").examples[2]
    assert counting(mismatched.kl_chosen) == "yes 3"


def test_a_pair_without_both_answers_is_told() -> None:
    with pytest.raises(DataError, match="sample 'q00' needs the field 'chosen', a text: this loss compares two answers"):
        data(SUMS, "dpo")


def test_what_is_too_long_is_cut_and_counted() -> None:
    found = data(SUMS.replace("max_length: 48", "max_length: 13"))
    assert found.cut > 0
    assert max(len(example.ids) for example in found.examples) == 13
    found = data(SUMS.replace("max_length: 48", "max_length: 11"))
    assert "only 11 of its 15 tokens fit; raise max_length" in found.left_out["q10"]
    assert "q09" not in found.left_out


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"features": [1.0]}, "needs 'target', a number, or a class counted from 0"),
        ({"features": [1.0], "target": -1}, "needs 'target'"),
        ({"features": ["a"], "target": 1.0}, "needs 'features', a list of numbers"),
        ({"target": 1.0}, "needs 'features'"),
    ],
)
def test_a_row_that_is_none_is_named(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=f"sample 'r' of the training part {told}"):
        table_data(read(TABLE), [Sample("r", fields)], 0)


def test_rows_of_other_lengths_and_a_single_class_are_told() -> None:
    rows = [Sample(str(n), {"features": [1.0] * (n + 1), "target": 1}) for n in range(2)]
    with pytest.raises(DataError, match="equally many 'features'; there are 1 and 2"):
        table_data(read(TABLE), rows, 0)
    with pytest.raises(DataError, match="every 'target' of the 1 training samples is 1; there is nothing to tell apart"):
        table_data(read(TABLE), rows[:1], 0)


ROWS = [Row((0.0,), float(number), str(number)) for number in range(200)]
CLASSES = [Row((0.0,), int(number % 4 == 0), str(number)) for number in range(200)]


@pytest.mark.parametrize("sides", ["one", "both"])
def test_outliers_are_moved_by_standard_deviations(sides: Any) -> None:
    moved = planted(ROWS, Plant(outliers=Outliers(share=0.25, sides=sides, size=(2, 3))), seed=1)
    shifts = np.array([new.target - old.target for new, old in zip(moved, ROWS, strict=True)]) / np.std(np.arange(200))
    found = shifts[shifts != 0]
    assert len(found) == 50
    assert ((np.abs(found) >= 2) & (np.abs(found) <= 3)).all()
    assert (found > 0).all() == (sides == "one")
    assert [row.features for row in moved] == [row.features for row in ROWS]


def test_more_outliers_are_those_of_fewer_and_others() -> None:
    few, many = (planted(ROWS, Plant(outliers=Outliers(share=share)), seed=3) for share in (0.1, 0.3))
    same = [new.target == more.target for new, more, old in zip(few, many, ROWS, strict=True) if new.target != old.target]
    assert len(same) == 20
    assert all(same)


def test_faults_follow_from_the_seed() -> None:
    plant = Plant(outliers=Outliers(share=0.1))
    assert planted(ROWS, plant, 1) == planted(ROWS, plant, 1) != planted(ROWS, plant, 2)
    assert planted(ROWS, Plant(), 1) == ROWS


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5, 0.8])
def test_a_class_is_thinned_to_its_share(share: float) -> None:
    kept = planted(CLASSES, Plant(positives=Positives(share=share)), seed=0)
    assert np.mean([row.target for row in kept]) == pytest.approx(share, abs=0.01)
    assert set(kept) <= set(CLASSES)
    assert [int(row.sample) for row in kept] == sorted(int(row.sample) for row in kept)


def test_faults_of_another_kind_of_table_are_told() -> None:
    with pytest.raises(DataError, match=r"plant\.positives is for tables whose 'target' is 0 or 1"):
        planted(ROWS, Plant(positives=Positives(share=0.1)), 0)
    with pytest.raises(DataError, match=r"plant\.outliers is for tables whose 'target' is a number"):
        planted(CLASSES, Plant(outliers=Outliers(share=0.1)), 0)
    with pytest.raises(DataError, match="leaves only one class"):
        planted(CLASSES, Plant(positives=Positives(share=0.0001)), 0)


def test_beside_pairs_no_part_of_a_loss_has_labels_elsewhere() -> None:
    with pytest.raises(DataError, match="supervised takes 'mask: prompt' and no 'prompt_weight'"):
        data(PAIRS, "combine", of=[{"supervised": {"prompt_weight": 0.5}}, "dpo"])
