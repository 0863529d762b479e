"""What the table says of the cost of a run."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from evalharness.cli.report import table
from evalharness.results import Record
from tests.comparison.conftest import answers, write_answers, write_task

OLD = {"requests": 180, "from_store": 20, "input_tokens": 87760, "output_tokens": 1119, "seconds": 41.2, "troubles": []}
NEW = {
    **OLD, "retries": 3, "run_tokens": 16760, "saved_tokens": 71000,
    "phases": {"retrieval": 2.0, "model": 30.1, "scoring": 1.5, "intervals": 0.01},
}  # fmt: skip


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    import evalharness as eh

    folder = tmp_path_factory.mktemp("report")
    responses = write_answers(folder / "answers.jsonl", answers(0.5, 2))
    return eh.run(write_task(folder), responses=responses, out=folder / "out", store=folder / "s.sqlite", limit=5)


@pytest.mark.parametrize(
    ("usage", "lines"),
    [
        (
            NEW,
            [
                "180 requests, 20 from the store, 3 retries",
                "87,760 tokens in (71,000 saved by sharing), 1,119 out",
                "41.2 s: model 30.1, retrieval 2.0, scoring 1.5",
            ],
        ),
        ({**NEW, "retries": 1, "saved_tokens": 0}, ["180 requests, 20 from the store, 1 retry · 87,760 tokens in, 1,119 out"]),
        (OLD, ["180 requests, 20 from the store · 87,760 tokens in, 1,119 out · 41.2 s"]),
    ],
)
def test_the_last_lines_tell_what_was_asked_saved_and_waited_for(record: Record, usage: dict[str, Any], lines: list[str]) -> None:
    shown = table(dataclasses.replace(record, usage=usage)).splitlines()
    assert shown[shown.index(lines[0]) :][: len(lines)] == lines


def test_a_record_tells_the_seconds_of_its_phases(record: Record) -> None:
    usage = record.usage
    assert list(usage["phases"]) == ["scoring", "intervals"]  # recorded responses: no model is asked
    assert 0 < sum(usage["phases"].values()) <= usage["seconds"]
    assert {"requests", "from_store", "failures", "retries", "run_tokens", "saved_tokens"} <= usage.keys()
