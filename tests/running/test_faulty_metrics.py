"""A metric plugin that breaks its contract costs its own score or sample, never the run, and never becomes a 0."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import evalharness as eh
from evalharness.registry import Registry, Source
from evalharness.results import Record
from tests.running.conftest import TASK, module


class Share(eh.Metric):
    """Share of something, 0 to 1."""

    name, better, range = "share", "higher", (0, 1)

    def measure(self, response: list[str], references: list[list[str]]) -> Any:
        return {"value": [1.0 for _ in response]}


class Raises(Share):
    """Share, but one sample makes it raise."""

    name = "raises"

    def measure(self, response: list[str], references: list[list[str]]) -> Any:
        if ["14"] in references:
            raise ZeroDivisionError("no way")
        return {"value": [1.0 for _ in response]}


class TooFew(Share):
    """Share, but a row is missing."""

    name = "too_few"

    def measure(self, response: list[str], references: list[list[str]]) -> Any:
        return {"value": [1.0 for _ in response][1:]}


class NotANumber(Share):
    """Share, but every other row is NaN."""

    name = "not_a_number"

    def measure(self, response: list[str], references: list[list[str]]) -> Any:
        return {"value": [math.nan if int(answers[0]) % 4 else 1.0 for answers in references]}


class Meddler(Share):
    """Share, but it changes what it is given."""

    name = "meddler"

    def measure(self, response: list[str], references: list[list[str]]) -> Any:
        references[0].append("anything")
        return {"value": [1.0 for _ in response]}


class WrongParts(Share):
    """Share, but its score has other keys than its parts."""

    name, parts = "wrong_parts", (".a", ".b")

    def score(self, *_: Any, **sums: Any) -> Any:
        return {".a": sums["value"]}


class Shapeless(Share):
    """Share, but its statistics are as wide as the batch."""

    name, range = "shapeless", None

    def measure(self, response: list[str], references: list[list[str]]) -> Any:
        return {"value": [[1.0] * len(response)] * len(response)}

    def score(self, *_: Any, **sums: Any) -> Any:
        return sums["value"].sum(-1)


@pytest.fixture
def run(task: Callable[..., Path], plugins: Registry) -> Callable[[type[eh.Metric]], tuple[Record, str]]:
    def go(cls: type[eh.Metric]) -> tuple[Record, str]:
        def evalharness_metrics() -> list[type[eh.Metric]]:
            return [cls]

        plugins.add(module("faulty", evalharness_metrics=eh.hookimpl(evalharness_metrics)), Source("faulty", "acme", "1"))
        record = eh.run(task(TASK.replace("token_f1]", f"{cls.name}]")), out="out")
        told = [json.loads(line) for line in Path("out/log.jsonl").read_text().splitlines()]
        return record, "\n".join(event["message"] for event in told if event["event"] == "trouble")

    return go


Go = Callable[[type[eh.Metric]], tuple[Record, str]]


def test_a_metric_that_raises_loses_only_the_sample_at_fault(run: Go) -> None:
    record, told = run(Raises)
    assert (record.scores["raises"].value, record.scores["raises"].samples, record.scores["raises"].errors) == (1.0, 39, 1)
    assert "metric 'raises' (" in told
    assert "raised ZeroDivisionError: no way" in told
    assert record.scores["exact_match"].samples == 40
    assert record.errors == 1


def test_a_metric_with_too_few_rows_has_no_value_and_says_why(run: Go) -> None:
    record, told = run(TooFew)
    score = record.scores["too_few"]
    assert (score.value, score.errors) == (None, 40)
    assert "returned 0 rows of 'value' for 1 samples" in told
    assert score.reason is not None
    assert "too_few" in score.reason


def test_nan_is_unmeasured_and_never_zero(run: Go) -> None:
    record, _ = run(NotANumber)
    score = record.scores["not_a_number"]
    assert (score.value, score.samples, score.unmeasured) == (1.0, 20, {"not a number": 20})


def test_a_metric_that_changes_its_input_is_found_out_and_others_are_safe(run: Go) -> None:
    record, told = run(Meddler)
    assert "changed its input 'references'" in told
    assert record.scores["meddler"].value is None
    assert record.scores["exact_match"].value == 26 / 40


def test_wrong_parts_cost_the_score(run: Go) -> None:
    record, told = run(WrongParts)
    assert record.scores["wrong_parts.a"].value is None
    assert "its parts are .a, .b" in (record.scores["wrong_parts.a"].reason or "") + told


def test_statistics_whose_shape_depends_on_the_batch_cost_the_score(run: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalharness.running.pipeline.ROWS_A_BATCH", 15)
    record, told = run(Shapeless)
    score = record.scores["shapeless"]
    assert (score.value, score.reason) == (None, "its statistics have names or shapes that depend on the samples")
    assert (score.samples, score.errors) == (30, 10)
    assert "returned statistics whose names or shapes depend on the samples" in told
    assert record.scores["exact_match"].samples == 40
