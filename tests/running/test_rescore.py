"""Scoring again from the samples: agreement where nothing was touched, the difference named where something was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pyarrow
import pytest
from pyarrow import parquet

import evalharness as eh
from evalharness.errors import DataError
from evalharness.registry import Registry, Source
from evalharness.running import rescore
from tests.running.conftest import TASK, Adder, module

EVERYTHING = TASK.replace(
    "metrics: [exact_match, token_f1]",
    "metrics: [exact_match, token_f1, bleu, {perplexity: {of: references}}, "
    "{combine: {of: [exact_match, token_f1]}}, ranks, table]",
)


class Ranks(eh.Metric):
    """Median length of the responses, no function of sums."""

    name, better, range, pool, replicates = "ranks", "lower", (0, None), "rows", 50

    def measure(self, response: list[str]) -> Any:
        return {"text": response, "length": [len(text) for text in response]}

    def score(self, *, weights: Any, text: Any, length: Any) -> Any:
        assert all(isinstance(each, str) for each in text)
        return float(numpy.median(numpy.repeat(length, weights)))


class Table(eh.Metric):
    """Accuracy from a two by two table of counts, 0 to 1."""

    name, better, range = "table", "higher", (0, 1)

    def measure(self, response: list[str], references: list[list[str]]) -> Any:
        cells = numpy.zeros((len(response), 2, 2))
        for row, (text, answers) in enumerate(zip(response, references, strict=True)):
            cells[row, int(text in answers), int(answers[0]) % 2] = 1
        return {"cells": cells}

    def score(self, cells: Any) -> Any:
        return cells[..., 1, :].sum(-1) / cells.sum((-1, -2))


@pytest.fixture
def finished(task: Callable[..., Path], plugins: Registry) -> Path:
    def evalharness_metrics() -> list[type[eh.Metric]]:
        return [Ranks, Table]

    plugins.add(module("more", evalharness_metrics=eh.hookimpl(evalharness_metrics)), Source("more", "acme", "1"))
    eh.run(task(EVERYTHING.replace("model: adder", "model: {adder: {broken: true}}")), out="out")
    Adder.asked.clear()
    return Path("out")


@pytest.mark.parametrize("statistics_only", [False, True])
def test_an_untouched_run_agrees_and_asks_nothing(finished: Path, statistics_only: bool) -> None:
    agreement = rescore(finished, statistics_only=statistics_only)
    assert agreement.text() == "out: all 7 scores and their replicates agree with the record"
    assert agreement.agrees
    assert Adder.asked == []


def test_a_changed_score_is_named(finished: Path) -> None:
    record = json.loads((finished / "record.json").read_text())
    record["scores"]["bleu"]["value"] += 1.0
    (finished / "record.json").write_text(json.dumps(record))
    agreement = rescore(finished)
    assert [difference[:2] for difference in agreement.differences] == [("bleu", "value")]
    assert "bleu: value is" in agreement.text()
    assert agreement.plain()["agrees"] is False


def test_a_changed_response_is_found_by_measuring_and_a_changed_statistic_by_adding(finished: Path) -> None:
    table = parquet.read_table(finished / "samples.parquet")
    responses = table.column("response").to_pylist()
    responses[1] = "wrong"
    place = table.schema.get_field_index("response")
    parquet.write_table(table.set_column(place, "response", pyarrow.array(responses)), finished / "samples.parquet")
    assert not rescore(finished).agrees
    assert rescore(finished, statistics_only=True).agrees


def test_changed_replicates_are_found(finished: Path) -> None:
    with numpy.load(finished / "replicates.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["table"] = arrays["table"] + numpy.float32(0.01)
    numpy.savez(finished / "replicates.npz", **arrays)
    assert rescore(finished).differences == (("table", "replicates", "stored", "different"),)


def test_a_folder_that_is_no_run_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no finished run: it has no record\.json"):
        rescore(tmp_path)
