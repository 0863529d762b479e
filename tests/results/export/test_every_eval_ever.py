"""Every Eval Ever, validated against the schema itself."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from evalharness.errors import UsageError
from evalharness.results import Record, read_record
from evalharness.results.export import every_eval_ever
from tests.results.conftest import HOSTILE, Runs

Make = Callable[..., Record]
SCHEMAS = Path(__file__).parent / "every_eval_ever_0.3.0"


def valid(plain: Any, name: str) -> Any:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert schema["version"] == every_eval_ever.VERSION
    jsonschema.Draft7Validator(schema).validate(plain)
    return plain


@pytest.fixture
def written(runs: Runs, tmp_path: Path) -> tuple[Any, list[Any], Path]:
    scores, samples = every_eval_ever.write(runs.loud, tmp_path)
    lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    return json.loads(scores.read_text(encoding="utf-8")), lines, samples


def test_a_run_is_valid_and_says_what_the_record_says(runs: Runs, written: tuple[Any, list[Any], Path]) -> None:
    plain, record = valid(written[0], "eval"), read_record(runs.loud)
    found = {result["metric_config"]["metric_id"]: result for result in plain["evaluation_results"]}
    assert list(found) == list(record.scores)
    score, result = record.scores["token_f1"], found["token_f1"]
    assert result["score_details"]["score"] == score.value
    interval = result["score_details"]["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"], interval["confidence_level"]) == (score.low, score.high, 0.95)
    assert result["score_details"]["uncertainty"]["num_samples"] == 39
    assert json.loads(result["score_details"]["details"]["unmeasured"]) == {"no reference": 1}
    config = result["metric_config"]
    assert (config["lower_is_better"], config["min_score"], config["max_score"]) == (False, 0, 1)
    assert result["generation_config"]["generation_args"]["max_tokens"] == 7
    assert plain["eval_library"] == {"name": "evalharness", "version": record.provenance["evalharness"]}


def test_each_sample_is_valid_once_for_each_score_that_it_has(written: tuple[Any, list[Any], Path]) -> None:
    plain, lines, _ = written
    for line in lines:
        valid(line, "instance_level_eval")
    results = {result["evaluation_result_id"] for result in plain["evaluation_results"]}
    assert {line["evaluation_result_id"] for line in lines} == results
    assert {line["evaluation_id"] for line in lines} == {plain["evaluation_id"]}
    assert {line["model_id"] for line in lines} == {plain["model_info"]["id"]}
    exact = [line for line in lines if line["evaluation_result_id"].endswith("/exact_match")]
    assert len(exact) == 39  # one has no reference, and so no value
    right = next(line for line in exact if line["sample_id"] == "q1")
    assert right["evaluation"] == {"score": 1.0, "is_correct": True}
    assert (right["input"], right["output"]) == ({"raw": "one 1 two", "reference": ["Say one 1 two"]}, {"raw": ["Say one 1 two"]})
    assert right["metadata"]["group"] == "t1"


def test_the_files_are_named_and_checked_as_the_schema_wants(written: tuple[Any, list[Any], Path], tmp_path: Path) -> None:
    plain, lines, samples = written
    detail = plain["detailed_evaluation_results"]
    assert tmp_path / detail["file_path"] == samples
    assert re.fullmatch(r"data/shouting/local/echo/[0-9a-f]{8}-[0-9a-f]{4}-4.*_samples\.jsonl", detail["file_path"])
    assert detail["checksum"] == sha256(samples.read_bytes()).hexdigest()
    assert detail["total_rows"] == len(lines)


def test_a_second_export_writes_the_same_bytes(runs: Runs, tmp_path: Path) -> None:
    first, second = every_eval_ever.write(runs.loud, tmp_path / "a"), every_eval_ever.write(runs.loud, tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert [path.name for path in first] == [path.name for path in second]


def test_a_record_alone_is_valid_and_names_no_samples(runs: Runs, tmp_path: Path) -> None:
    alone = Path(shutil.copy(runs.loud / "record.json", tmp_path))
    (scores,) = every_eval_ever.write(alone, tmp_path)
    assert "detailed_evaluation_results" not in valid(json.loads(scores.read_text(encoding="utf-8")), "eval")


@pytest.mark.parametrize(
    ("range_", "limits"), [([0, None], (0, "Infinity")), (None, ("-Infinity", "Infinity")), ([0.0, 100.0], (0.0, 100.0))]
)
def test_open_ends_of_a_range_are_infinite(make_record: Make, range_: Any, limits: tuple[Any, Any]) -> None:
    plain = valid(every_eval_ever.aggregate(make_record(range=range_)), "eval")
    config = plain["evaluation_results"][0]["metric_config"]
    assert (config["min_score"], config["max_score"]) == limits


def test_hub_data_and_models_are_named_as_the_hub_names_them(make_record: Make) -> None:
    record = make_record(system=HOSTILE)
    spec = {"model": {"hf": {"weights": "acme/llm-1b@0a1b"}}, "prompt": "{{ input }}"}
    dataset = {**record.dataset, "source": {"hub": {"path": "acme/questions"}}}
    found = Record(**{**vars(record), "dataset": dataset, "system": {**record.system, "spec": spec}})
    plain = valid(every_eval_ever.aggregate(found), "eval")
    assert plain["model_info"]["id"] == "acme/llm-1b"
    assert plain["evaluation_results"][0]["source_data"]["hf_repo"] == "acme/questions"


def test_no_name_leads_out_of_the_folder(make_record: Make, tmp_path: Path) -> None:
    record = make_record(task="../../x", system="../y")
    (tmp_path / "record.json").write_text(record.to_json(), encoding="utf-8")
    (path,) = every_eval_ever.write(tmp_path / "record.json", tmp_path / "out")
    assert path.parent == tmp_path / "out" / "data" / "x" / "local" / "echo"


def test_a_file_holds_one_run(make_record: Make) -> None:
    with pytest.raises(UsageError, match="a file of the format 'every-eval-ever' holds one run, not 2"):
        every_eval_ever.text([make_record(), make_record()])
