"""The page on the task format: its examples load, and it names every key with its default."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalharness import registry
from evalharness.task import (
    FewShot,
    GenerateOptions,
    Price,
    System,
    Task,
    TrainerOptions,
    check_data,
    check_task,
    is_training_file,
    load_task,
    load_training,
)

PAGE = (Path(__file__).parents[2] / "docs" / "task_format.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
REAL_PLUGINS = registry.installed  # before the fixture of this folder puts a few in its place

CAPITALS = """\
{"id": "fr", "question": "Capital of France?", "answers": ["Paris"], "continent": "Europe", "gold": {"p1": 1}}
{"id": "jp", "question": "Capital of Japan?", "answers": ["Tokyo"], "continent": "Asia", "gold": ["p2"]}
{"id": "xx", "question": "Capital of the sea?", "answers": [], "continent": "none", "gold": {}}
"""
CHOICES = """\
{"question": "Largest?", "choices": ["ant", "whale"], "target": 1}
{"question": "Smallest?", "choices": ["ant", "whale"], "target": "ant"}
"""
INSTRUCTIONS = '{"id": "a", "instruction": "Name a colour.", "answers": ["red"]}\n'
CORPUS = '{"id": "p1", "text": "Paris lies in France."}\n{"id": "p2", "text": "Tokyo lies in Japan."}\n'


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("\n")[0])
def test_an_example_loads_without_errors(example: str, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "installed", REAL_PLUGINS)
    write(CAPITALS, "capitals.jsonl")
    write(CHOICES, "choices.jsonl")
    write(CORPUS, "corpus.jsonl")
    write(INSTRUCTIONS, "data/instructions/train.jsonl")
    write(INSTRUCTIONS, "data/instructions/test.jsonl")
    path = write(example)
    for task in load_training(path) if is_training_file(path) else [load_task(path)]:
        assert [finding for finding in check_task(task) if finding.level == "error"] == []
        if task.dataset.source.name == "files":
            assert [finding for finding in check_data(task) if finding.level == "error"] == []


def rows() -> dict[str, tuple[str, ...]]:
    """Return the cells of each table row by its first word in backticks; of equal ones the last."""
    found = re.findall(r"^\| `(\w+)` \|(.*)\|$", PAGE, re.MULTILINE)
    return {key: tuple(cell.strip() for cell in rest.split("|")) for key, rest in found}


@pytest.mark.parametrize("cls", [Task, FewShot, GenerateOptions, System, Price])
def test_every_key_stands_in_a_table_with_its_default(cls: Any) -> None:
    for item in dataclasses.fields(cls):
        if item.name in ("path", "places") and cls is Task:
            continue
        assert item.name in rows(), f"{cls.__name__}.{item.name} is missing in docs/task_format.md"
        shown = re.fullmatch(r"`([^`]+)`", rows()[item.name][1])
        if shown and item.name not in ("split",):
            default = yaml.safe_load(shown[1])
            assert str(default) == str(item.default) or default == item.default, item.name


def test_every_option_of_the_trainer_stands_in_the_page() -> None:
    shown = set(re.findall(r"`(\w+)`", PAGE[PAGE.index("Keys of `trainer`") : PAGE.index("**Before and after**")]))
    assert {item.name for item in dataclasses.fields(TrainerOptions)} <= shown


@pytest.mark.parametrize("name", ["files", "hub"])
def test_every_option_of_a_dataset_plugin_stands_in_the_page(name: str) -> None:
    options = [item.name for item in registry.installed().find("dataset", name).cls.option_fields() if item.name != "path"]
    shown = re.findall(rf"^\| `{name}` \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert shown == options
