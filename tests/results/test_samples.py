"""The samples file: bytes that do not depend on batches, statistics that come back as they were, memory that stays flat."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given, settings, strategies
from pyarrow import parquet

import evalharness as eh
from evalharness import metric
from evalharness.contract import Batch, Failure, Passage, Response, Unmeasured
from evalharness.errors import DataError
from evalharness.results import samples
from evalharness.results.samples import (
    SampleWriter,
    Scored,
    answers_text,
    evidence_text,
    json_rows,
    json_text,
    read_answers,
    read_batches,
    read_json,
)
from evalharness.scoring import Chain, Entry, measure


class Sizes(eh.Metric):
    """Length of the responses over a count, with a table of counts beside it."""

    name, better, range = "sizes", "higher", None

    def measure(self, response: list[str]) -> eh.Rows:
        cells = numpy.array([[[len(text), 1, 2], [3, 4, 5]] for text in response], float)
        reasons = {row: "too short" for row, text in enumerate(response) if len(text) < 2}
        return eh.Rows({"cells": cells, "count": numpy.ones(len(response))}, reasons)

    def score(self, *, cells: Any, count: Any) -> Any:
        return cells[..., 0, 0] / count


class Longest(eh.Metric):
    """Length of the longest response; keeps the texts."""

    name, better, range, pool, replicates = "longest", "higher", (0, None), "rows", 10

    def measure(self, response: list[str]) -> dict[str, Any]:
        return {"text": list(response), "size": [len(text) for text in response]}

    def score(self, *, weights: Any, text: Any, size: Any) -> float:
        return float(size.max())


@metric(better="higher", range=(0, None))
def even(response: str) -> float | Unmeasured:
    """Length of the responses of an even length."""
    return Unmeasured("odd") if len(response) % 2 else float(len(response))


@pytest.fixture
def entries() -> tuple[Entry, ...]:
    return Chain.build([(None, each) for each in (even(), Sizes(), Longest())]).entries


def scored(entries: Sequence[Entry], responses: Sequence[str | None], start: int = 0) -> Scored:
    """Return these responses as one measured batch."""
    count, ids = len(responses), [f"q{start + row}" for row in range(len(responses))]
    batch = Batch({"response": list(responses)}, ids)
    found = {
        entry.name: measure(entry, batch, failures=[None] * count, policy="worst", measured={}, answers=None) for entry in entries
    }
    texts: dict[str, list[Any]] = {name: [None] * count for name in samples.TEXTS}
    texts |= {"id": ids, "group": ids, "repeat": [0] * count, "response": list(responses), "fields": ["{}"] * count}
    return Scored(texts, found)


def write(path: Path, entries: Sequence[Entry], responses: Sequence[str | None], size: int) -> Path:
    with SampleWriter(path, entries) as writer:
        for start in range(0, len(responses), size):
            writer.add(scored(entries, responses[start : start + size], start))
    return path


def responses(count: int) -> list[str | None]:
    return [None if row % 11 == 0 else "é" * (row % 7) for row in range(count)]


def test_the_bytes_do_not_depend_on_the_batches(tmp_path: Path, entries: Sequence[Entry]) -> None:
    texts = responses(25_000)
    written = {size: write(tmp_path / str(size), entries, texts, size).read_bytes() for size in (333, 1_024, 20_000)}
    assert len(set(written.values())) == 1
    groups = parquet.ParquetFile(tmp_path / "333").metadata
    assert [groups.row_group(number).num_rows for number in range(groups.num_row_groups)] == [10_000, 10_000, 5_000]


def test_text_and_array_statistics_keep_their_values_and_shape_and_unmeasured_rows_are_null(
    tmp_path: Path, entries: Sequence[Entry]
) -> None:
    path = write(tmp_path / "s.parquet", entries, ["abc", None, "x", "four"], 4)
    table = parquet.read_table(path)
    assert table.column("statistics").to_pylist() == [
        {
            "even": None,
            "sizes": {"cells": [3, 1, 2, 3, 4, 5], "count": 1},
            "longest": {"text": "abc", "size": 3},
        },
        {"even": None, "sizes": None, "longest": None},
        {"even": None, "sizes": None, "longest": {"text": "x", "size": 1}},
        {
            "even": {"value": 4, "value.count": 1},
            "sizes": {"cells": [4, 1, 2, 3, 4, 5], "count": 1},
            "longest": {"text": "four", "size": 4},
        },
    ]
    assert table.column("statuses").to_pylist()[1] == {"even": "no response", "sizes": "no response", "longest": "no response"}
    assert table.column("scores").to_pylist()[2] == {"even": None, "sizes": None, "longest": None}


def test_a_metric_that_measures_nothing_at_first_does_not_stop_the_row_groups(tmp_path: Path, entries: Sequence[Entry]) -> None:
    """Batches after the first row group have the layout of those before, measured or not."""
    texts = ["even"] * 10_000 + [None] * 10_000 + ["even"] * 3
    path = write(tmp_path / "s.parquet", entries, texts, 1_000)
    assert parquet.read_table(path).column("statistics").to_pylist()[-1]["sizes"]["cells"] == [4, 1, 2, 3, 4, 5]


def test_plain_means_are_never_waited_for(tmp_path: Path, entries: Sequence[Entry]) -> None:
    with SampleWriter(tmp_path / "s.parquet", entries[:1]) as writer:
        writer.add(scored(entries[:1], [None] * 10_000))
        assert writer._waiting == []
        writer.add(scored(entries[:1], ["four"], 10_000))
    assert parquet.read_table(tmp_path / "s.parquet").column("statistics").to_pylist()[-1] == {
        "even": {"value": 4, "value.count": 1}
    }


@pytest.mark.parametrize("size", [50, 1_000])
def test_memory_stays_flat_where_a_metric_measures_nothing_for_long(
    tmp_path: Path, entries: Sequence[Entry], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(samples, "ROWS_A_GROUP", 100)
    monkeypatch.setattr(samples, "ROWS_WAITING", 500)
    path, held = tmp_path / "s.parquet", []
    with SampleWriter(path, entries) as writer:
        for start in range(0, 2_000, size):
            texts = [None if row < 700 else "four" for row in range(start, start + size)]
            writer.add(scored(entries, texts, start))
            held.append(sum(map(len, writer._waiting)) + (writer._table.num_rows if writer._table else 0))
    assert max(held) < 500
    last = parquet.read_table(path).column("statistics").to_pylist()[-1]
    assert last == {"even": {"value": 4, "value.count": 1}, "sizes": None, "longest": None}


def test_a_run_of_no_batches_leaves_a_file_of_no_rows(tmp_path: Path, entries: Sequence[Entry]) -> None:
    path = write(tmp_path / "s.parquet", entries, [], 1)
    assert parquet.read_table(path).num_rows == 0


@pytest.mark.parametrize("batches", [0, 1, 3])
def test_an_exception_on_its_way_is_not_replaced(tmp_path: Path, entries: Sequence[Entry], batches: int) -> None:
    def interrupted() -> None:
        with SampleWriter(tmp_path / "s.parquet", entries) as writer:
            for start in range(batches):
                writer.add(scored(entries, ["four"] * 10_000, start * 10_000))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()


def test_what_was_written_is_read_back(tmp_path: Path, entries: Sequence[Entry]) -> None:
    texts = responses(2_500)
    path = write(tmp_path / "s.parquet", entries, texts, 1_000)
    start = 0
    for columns, measured in read_batches(path, entries, 999):
        again = scored(entries, texts[start : start + 999], start)
        start += len(again)
        assert columns["id"] == again.texts["id"]
        assert columns["fields"] == [{}] * len(again)
        for name, found in again.measured.items():
            assert measured[name].statuses == found.statuses
            assert measured[name].kept.tolist() == found.kept.tolist()
            for each in found.statistics:
                numpy.testing.assert_array_equal(measured[name].statistics[each], found.statistics[each])
            for score in found.values:
                numpy.testing.assert_array_equal(measured[name].values[score], found.values[score])
    assert start == 2_500


class Spans(eh.Metric):
    """Share of responses, 1 for each; the evidence is where the response lies."""

    name, better, range = "spans", "higher", (0, 1)

    def measure(self, response: list[str]) -> eh.Rows:
        spans = {row: [{"start": 0, "end": len(text), "words": ("é", text)}] for row, text in enumerate(response) if text}
        return eh.Rows({"one": [1.0] * len(response)}, evidence=spans)


def test_evidence_comes_back_by_metric_and_is_null_where_none_gave_any(tmp_path: Path) -> None:
    entries = Chain.build([(None, Spans()), ("again", Spans()), (None, even())]).entries
    batch = scored(entries, ["ab", "", None])
    written = Scored({**batch.texts, "evidence": [evidence_text(batch.measured, row) for row in range(3)]}, batch.measured)
    with SampleWriter(tmp_path / "s.parquet", entries) as writer:
        writer.add(written)
    ((columns, _),) = read_batches(tmp_path / "s.parquet", entries, 9)
    span = [{"start": 0, "end": 2, "words": ["é", "ab"]}]
    assert columns["evidence"] == [{"spans": span, "again": span}, None, None]


def test_a_file_that_lacks_a_column_or_is_none_is_explained(tmp_path: Path, entries: Sequence[Entry]) -> None:
    path = write(tmp_path / "s.parquet", entries[:1], ["four"], 1)
    with pytest.raises(DataError, match="has no scores of 'sizes'"):
        next(read_batches(path, entries, 1))
    parquet.write_table(parquet.read_table(path).drop_columns(["answers"]), path)
    with pytest.raises(DataError, match="has no column 'answers'"):
        next(read_batches(path, entries, 1))
    path.write_text("no parquet")
    with pytest.raises(DataError, match=r"s\.parquet cannot be read"):
        next(read_batches(path, entries, 1))


EVERY_KIND = Response(
    text="é", finish="stop", logprobs=(-0.1, -math.inf), tokens=(1, 2), merged=1, embedding=(0.1, math.nan, math.inf),
    contexts=(Passage("p", "text", -math.inf), Passage("q", "text")), input_tokens=3, output_tokens=4, latency=0.5,
)  # fmt: skip


@pytest.mark.parametrize(
    "response",
    [EVERY_KIND, Response(), Response(logprobs=()), Response(text=""), Response(error=Failure("timeout", "60 s"))],
)
def test_answers_come_back_whole(response: Response) -> None:
    text = answers_text({"judge": [response, Response(text="no")], "other": []})
    assert text is not None
    json.loads(text, parse_constant=pytest.fail)
    found = read_answers(read_json(text), "judge")
    assert repr(found) == repr([response, Response(text="no")])
    assert read_answers(read_json(text), "other") == read_answers(None, "judge") == []


@given(strategies.recursive(strategies.floats() | strategies.text() | strategies.none(), strategies.lists))
def test_every_float_survives_as_json(value: Any) -> None:
    assert repr(read_json(json_text(value))) == repr(value)


plain_values = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats() | strategies.text(),
    lambda inner: strategies.lists(inner) | strategies.dictionaries(strategies.text(), inner),
) | strategies.lists(strategies.builds(Passage, strategies.text(), strategies.text(), strategies.none() | strategies.floats()))


@settings(max_examples=30)
@given(strategies.dictionaries(strategies.text(), strategies.tuples(plain_values, plain_values), max_size=3))
def test_rows_of_columns_are_written_as_each_row_by_itself(columns: dict[str, tuple[Any, Any]]) -> None:
    rows = [{name: column[row] for name, column in columns.items()} for row in range(2)]
    texts = [json.dumps(samples._named_floats(row), sort_keys=True, ensure_ascii=False, separators=(",", ":")) for row in rows]
    assert json_rows(columns, 2) == texts
