"""The record: a round trip, equal bytes, and an explanation of whatever is no record."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from evalharness.errors import DataError, shown
from evalharness.results import Record, read_record
from evalharness.results.record import SCHEMA, provenance
from evalharness.scoring import Score

ROOT = Path(__file__).parent.parent.parent
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
        ("[]", r"is not a record of the schema evalharness\.record/1; its schema is null"),
        ('{"schema": "evalharness.record/2"}', r"its schema is 'evalharness\.record/2'"),
        ('{"schema": "evalharness.record/1"}', r"record\.json is damaged: task is missing\. Run its task again\."),
        ('{"schema": ' + "[" * 100_000, "is not a record: .*recursion"),
        ('{"schema": "evalharness.record/1", "usage": NaN}', r"is not a record: it is no JSON \(NaN is no number of JSON\)"),
    ],
)
def test_what_is_no_record_is_explained(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_record(tmp_path)


@pytest.mark.parametrize("section", ["task", "dataset", "system", "scores", "usage", "provenance"])
@pytest.mark.parametrize("value", [None, 3, "text", [1]])
def test_a_section_that_is_no_mapping_is_explained(tmp_path: Path, record: Record, section: str, value: Any) -> None:
    (tmp_path / "record.json").write_text(json.dumps(json.loads(record.to_json()) | {section: value}))
    with pytest.raises(DataError, match=f"is damaged: {section} is {re.escape(shown(value))}, not a mapping"):
        read_record(tmp_path)


def spoiled(plain: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a record with one value changed; `path` leads to it."""
    *way, last = path.split("/")
    part = plain
    for key in way:
        part = part.setdefault(key, {})
    part[last] = value
    return plain


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("task/name", ["a"], "task.name is ['a'], not a string"),
        ("task/name", "\ud800", "task.name is '\\ud800', not a string"),
        ("dataset/limit", "x", "dataset.limit is 'x', not a whole number from 0"),
        ("dataset/samples", "x", "dataset.samples is 'x', not a whole number from 0"),
        ("dataset/samples", -1, "dataset.samples is -1, not a whole number from 0"),
        ("dataset/samples", None, "dataset.samples is null, not a whole number from 0"),
        ("system/spec", 3, "system.spec is 3, not a mapping"),
        ("scores/bleu", 3, "scores.bleu is 3, not a mapping"),
        ("scores/bleu", {}, "scores.bleu.value is missing"),
        ("scores/bleu/value", "x", "scores.bleu.value is 'x', not a number"),
        ("scores/bleu/value", True, "scores.bleu.value is true, not a number"),
        ("scores/bleu/value", 10**400, "scores.bleu.value is 1000"),
        ("scores/bleu/groups", 10**19, "scores.bleu.groups is 10000000000000000000, not a whole number from 0"),
        ("scores/bleu/unmeasured", ["x"], "scores.bleu.unmeasured is ['x'], not a mapping"),
        ("scores/bleu/unmeasured/late", 0.5, "scores.bleu.unmeasured.late is 0.5, not a whole number from 0"),
        ("scores/bleu/clustered", "no", "scores.bleu.clustered is 'no', not true or false"),
        ("scores/bleu/better", "best", "scores.bleu.better is 'best', not one of 'higher', 'lower'"),
        ("scores/bleu/bounds", [0.1, "x"], "scores.bleu.bounds[1] is 'x', not a number"),
        ("scores/bleu/bounds", [0.1], "scores.bleu.bounds is [0.1], not two numbers"),
        ("scores/bleu/range", [], "scores.bleu.range is [], not two numbers"),
        ("scores/bleu/fingerprint", "zz", "scores.bleu.fingerprint is 'zz', no hexadecimal number"),
        ("scores/bleu/magic", 2, "Score.__init__() got an unexpected keyword argument 'magic'"),
        ("magic", {}, "Record.__init__() got an unexpected keyword argument 'magic'"),
        ("stopping", {"goal": "f1 ±0.1"}, "stopping.score is missing"),
        ("usage/troubles", [{"kind": "model"}], "usage.troubles[0].message is missing"),
        ("usage/seconds", "1 s", "usage.seconds is '1 s', not a number"),
        ("provenance/packages", {"numpy": 2}, "provenance.packages.numpy is 2, not a string"),
    ],
)
def test_a_value_of_another_type_is_named(tmp_path: Path, record: Record, path: str, value: Any, message: str) -> None:
    (tmp_path / "record.json").write_text(json.dumps(spoiled(json.loads(record.to_json()), path, value)))
    with pytest.raises(DataError, match=re.escape(f"record.json is damaged: {message}")):
        read_record(tmp_path)


def test_every_record_of_the_boards_in_this_repository_is_sound() -> None:
    found = sorted((ROOT / "leaderboards").rglob("record.json"))
    assert len(found) >= 15
    assert all(read_record(path).scores for path in found)


@pytest.mark.parametrize(
    ("place", "message"), [("", r"is no finished run: it has no record\.json"), ("gone", r"gone does not exist")]
)
def test_a_record_that_is_not_there_is_explained(tmp_path: Path, place: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"{message}\. Give the folder that 'evalharness run TASK' wrote, or its record\.json"):
        read_record(tmp_path / place)


def test_a_number_that_json_does_not_know_is_never_written(record: Record) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Record(task={}, dataset={}, system={}, scores={"bleu": Score(value=float("nan"))}).to_json()


def test_provenance_says_what_made_the_run() -> None:
    found = provenance("evalharness run t.yaml", Path("runs/t/s"), Path("tasks/t.yaml"))
    assert (found["command"], found["folder"], found["task_file"]) == ("evalharness run t.yaml", "runs/t/s", "tasks/t.yaml")
    assert "numpy" in found["packages"]


def test_scores_from_before_training_stand_beside_those_after_it(record: Record) -> None:
    scores = dict.fromkeys(("rouge.rougeL", "rouge.before.rougeL", "bleu"), SCORE)
    trained = dataclasses.replace(record, scores=scores)
    assert trained.trained_scores == ["rouge.rougeL", "bleu"]
    assert [trained.before(name) for name in trained.trained_scores] == ["rouge.before.rougeL", None]
