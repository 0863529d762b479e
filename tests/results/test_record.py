"""The record: a round trip, equal bytes, and an explanation of whatever is no record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalharness.errors import DataError
from evalharness.results import Record, read_record
from evalharness.results.record import SCHEMA, provenance
from evalharness.scoring import Score

SCORE = Score(
    value=0.1 + 0.2, low=0.0, high=1.0, interval="bounded mean", samples=3, groups=2, clustered=True, unmeasured={"no réf": 1},
    errors=2, as_worst=1, bounds=[0.1, 0.5], unit="%", se=1e-17, df=2.0, signature="bleu|n:4", generator="g",
    replicates=1000, fingerprint="00ff",
)  # fmt: skip
MAKER = {"plugin": "text", "distribution": "evalharness", "version": "1.0"}


@pytest.fixture
def record() -> Record:
    return Record(
        task={"name": "größe", "version": "1", "digest": "ab"},
        dataset={"digest": "cd", "samples": 5, "faults": 1, "limit": None},
        system={"name": "s", "digest": "ef", "spec": {"model": "echo"}},
        scores={"bleu": SCORE, "nothing": Score(value=None, reason="nothing was measured")},
        makers={"bleu": MAKER, "nothing": {}},
        usage={"seconds": 1.5},
        provenance={"created": "now"},
    )


def test_a_record_comes_back_as_it_was_from_its_file_and_its_folder(tmp_path: Path, record: Record) -> None:
    (tmp_path / "record.json").write_text(record.to_json(), encoding="utf-8")
    assert read_record(tmp_path) == read_record(tmp_path / "record.json") == record
    assert read_record(tmp_path).to_json() == record.to_json()


def test_the_json_names_the_schema_and_puts_the_maker_into_the_score(record: Record) -> None:
    plain = json.loads(record.to_json())
    assert plain["schema"] == SCHEMA
    assert list(plain) == ["schema", "task", "dataset", "system", "scores", "usage", "provenance"]
    assert plain["scores"]["bleu"].items() >= MAKER.items()
    assert "größe" in record.to_json()


def test_errors_are_broken_data_and_the_samples_of_the_score_that_lost_most(record: Record) -> None:
    assert record.errors == 1 + 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"record\.json is not a record: .*evalharness run TASK"),
        ("[]", r"is not a record of the schema evalharness\.record/1; its schema is None"),
        ('{"schema": "evalharness.record/2"}', r"its schema is 'evalharness\.record/2'"),
        ('{"schema": "evalharness.record/1"}', r"record\.json is damaged: KeyError: 'scores'"),
        ('{"schema": "evalharness.record/1", "scores": {}}', "damaged: TypeError"),
        ('{"schema": "evalharness.record/1", "scores": {"bleu": 3}}', "damaged: TypeError"),
        ('{"schema": "evalharness.record/1", "scores": 3}', "damaged"),
        ('{"schema": "evalharness.record/1", "scores": {"bleu": {"value": 1, "magic": 2}}}', "damaged: TypeError.*magic"),
    ],
)
def test_what_is_no_record_is_explained(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_record(tmp_path)


@pytest.mark.parametrize("section", ["task", "dataset", "system", "usage", "provenance"])
@pytest.mark.parametrize("value", [None, 3, "text", [1]])
def test_a_section_that_is_no_mapping_is_explained(tmp_path: Path, record: Record, section: str, value: Any) -> None:
    (tmp_path / "record.json").write_text(json.dumps(json.loads(record.to_json()) | {section: value}))
    with pytest.raises(DataError, match=f"damaged: .*'{section}'"):
        read_record(tmp_path)


def test_a_file_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is not a record: .*No such file"):
        read_record(tmp_path)


def test_a_number_that_json_does_not_know_is_never_written(record: Record) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Record(task={}, dataset={}, system={}, scores={"bleu": Score(value=float("nan"))}).to_json()


def test_provenance_says_what_made_the_run() -> None:
    found = provenance("evalharness run t.yaml", Path("runs/t/s"), Path("tasks/t.yaml"))
    assert (found["command"], found["folder"], found["task_file"]) == ("evalharness run t.yaml", "runs/t/s", "tasks/t.yaml")
    assert "numpy" in found["packages"]
