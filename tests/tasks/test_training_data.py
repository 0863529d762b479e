"""The data of the training tasks: what the script writes, apart in training and test, and as balanced as it promises."""

from __future__ import annotations

import json
import runpy
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

DATA = Path(__file__).parents[2] / "tasks" / "data"


def lines(*parts: str) -> list[dict[str, Any]]:
    with DATA.joinpath(*parts).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def script() -> Any:
    return SimpleNamespace(**runpy.run_path(str(DATA / "generate.py")))


@pytest.mark.parametrize("name", ["instructions", "preferences"])
def test_the_files_are_what_the_script_writes(script: Any, name: str) -> None:
    assert [lines(name, f"{part}.jsonl") for part in ("train", "test")] == list(getattr(script, name)())


@pytest.mark.parametrize(("name", "text"), [("instructions", "instruction"), ("preferences", "prompt"), ("bytes", "text")])
def test_nothing_of_the_test_part_was_trained_on(name: str, text: str) -> None:
    train, test = lines(name, "train.jsonl"), lines(name, "test.jsonl")
    assert len({item["id"] for item in train + test}) == len(train) + len(test)
    assert not {item[text] for item in train} & {item[text] for item in test}


def test_there_are_hundreds_of_instructions_of_every_kind() -> None:
    train, test = lines("instructions", "train.jsonl"), lines("instructions", "test.jsonl")
    assert len(train) >= 300
    assert len(test) >= 100
    assert Counter(item["kind"] for item in train).keys() == Counter(item["kind"] for item in test).keys()
    assert all(1 <= len(item["answers"]) == len(set(item["answers"])) <= 3 for item in train + test)
    assert sum(len(item["answers"]) > 1 for item in train) >= 100


@pytest.mark.parametrize(("part", "least"), [("train", 240), ("test", 80)])
def test_the_length_of_an_answer_hardly_tells_which_is_preferred(part: str, least: int) -> None:
    pairs = lines("preferences", f"{part}.jsonl")
    differences = [len(pair["chosen"]) - len(pair["rejected"]) for pair in pairs]
    assert len(pairs) >= least
    assert all(pair["chosen"] != pair["rejected"] for pair in pairs)
    assert 0.35 <= sum(value > 0 for value in differences) / len(pairs) <= 0.48
    assert 0.35 <= sum(value < 0 for value in differences) / len(pairs) <= 0.48
    long = [max(len(pair["chosen"]), len(pair["rejected"])) > 50 for pair in pairs]
    right = [(gap < 0 if is_long else gap > 0) + 0.5 * (gap == 0) for gap, is_long in zip(differences, long, strict=True)]
    assert sum(right) / len(pairs) < 0.7


def test_ways_of_preferring_are_equally_many_in_both_parts() -> None:
    for part, count in (("train", 60), ("test", 20)):
        assert set(Counter(pair["way"] for pair in lines("preferences", f"{part}.jsonl")).values()) == {count}


def test_pieces_of_bytes_are_short_and_their_documents_stand_in_one_part() -> None:
    train, test = lines("bytes", "train.jsonl"), lines("bytes", "test.jsonl")
    assert all(0 < len(item["text"].encode()) <= 120 for item in train + test)
    assert not {item["document"] for item in train} & {item["document"] for item in test}
    assert sum(len(item["text"].encode()) for item in train) > 100_000
    assert len({item["document"] for item in test}) >= 20
