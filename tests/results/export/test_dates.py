"""The time of a run in other formats: the same instant, wherever the record was written and wherever it is read."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evalharness.results import Record, read_record
from evalharness.results.export import every_eval_ever, lm_eval
from evalharness.results.export.dates import epoch
from evalharness.results.importing import import_results

Make = Callable[..., Record]
INSTANT = 1767323045  # 2026-01-02T03:04:05 in UTC


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kolkata"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give the zone that the clock of this machine shows."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("created", ["2026-01-02T03:04:05+0000", "2026-01-02T08:34:05+0530", "2026-01-01T22:04:05-0500"])
def test_the_offset_counts_and_the_zone_of_the_reader_does_not(zone: str, make_record: Make, created: str) -> None:
    record = dataclasses.replace(make_record(), provenance={"created": created})
    assert epoch(record) == INSTANT
    assert lm_eval.results(record)["date"] == INSTANT
    assert every_eval_ever.evaluation_id(record).endswith(f"/{INSTANT}")
    assert every_eval_ever.aggregate(record)["retrieved_timestamp"] == str(INSTANT)


def test_the_instant_goes_there_and_back(zone: str, make_record: Make, tmp_path: Path) -> None:
    (tmp_path / "results_1.json").write_text(json.dumps(lm_eval.results(make_record())), encoding="utf-8")
    (folder,) = import_results(tmp_path / "results_1.json", tmp_path / "out")
    assert epoch(read_record(folder)) == INSTANT


@pytest.mark.parametrize("created", [None, "", "yesterday"])
def test_a_record_without_a_time_has_none(make_record: Make, created: str | None) -> None:
    record = dataclasses.replace(make_record(), provenance={"created": created})
    assert (epoch(record), lm_eval.results(record)["date"]) == (None, None)
    assert every_eval_ever.evaluation_id(record).endswith("/0")
