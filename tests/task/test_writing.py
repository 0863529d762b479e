"""The task that is written down reads back as an equal task."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalharness.errors import Fault
from evalharness.task import load_task, task_yaml
from evalharness.task.strict_yaml import read_text

TRICKY = [
    "no",
    "1.10",
    "",
    "null",
    "010",
    "1e-5",
    "- a",
    "a: b",
    "x\n",
    "two\nlines\n\n",
    " lead",
    "trail ",
    "'",
    '"',
    "日本",
    "{{ x }}",
    "#",
]


@pytest.mark.parametrize("text", TRICKY)
def test_texts_that_yaml_could_misread_come_back(text: str, write: Callable[..., str]) -> None:
    task = load_task(write(), overrides=[f"description={_quoted(text)}", f"system.generate.stop=[{_quoted(text)}]"])
    assert task.description == text
    again = load_task(write(task_yaml(task), "again.yaml"))
    assert again == task
    assert (again.digest(), again.system.digest()) == (task.digest(), task.system.digest())


def test_every_section_comes_back(write: Callable[..., str]) -> None:
    settings = [
        "fewshot={samples: 2, path: pool.jsonl, sampler: seeded}", "transforms=[strip, first_line]", "repeats=2", "delimiter=' '",
        "metrics=[{matching: {case: false}, as: mine}, {judged: {model: {recorded: {path: judge.jsonl}}}}, {found: {k: [1, 2]}}]",
        "system.retriever={fused: {of: [{shelf: {corpus: corpus.txt}}, {shelf: {corpus: other.txt}}]}}", "group=topic",
    ]  # fmt: skip
    path = write()
    task = load_task(path, overrides=settings)
    text = task_yaml(task)
    assert "as: mine" in text
    assert load_task(write(text, "again.yaml")).plain() == task.plain()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30))
def test_any_text_comes_back(write: Callable[..., str], text: str) -> None:
    from dataclasses import replace

    task = replace(load_task(write()), description=text)
    faults: list[Fault] = []
    assert read_text(task_yaml(task), faults, file="t").value()["description"] == text
    assert faults == []


def _quoted(text: str) -> str:
    import json

    return json.dumps(text)
