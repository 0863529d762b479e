"""Records in the schema of Every Eval Ever: one file of scores a run, and a file of its samples.

Followed to the letter: schema 0.3.0 (`eval.schema.json` and `instance_level_eval.schema.json` of the package
every-eval-ever 0.3.0). It knows no score without a value and no sample without one; they are left out, and counted in
`score_details.details`.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.results.export.dates import epoch
from evalharness.results.export.names import file_name, only
from evalharness.results.export.rows import Row, has_rows, input_of, references_of, rows_of
from evalharness.results.export.source import hub_dataset, model_id
from evalharness.results.folder import make, whole, write_text
from evalharness.results.record import Record, read_record

if TYPE_CHECKING:
    from evalharness.scoring import Score

VERSION = "0.3.0"


def text(records: Sequence[Record]) -> str:
    """Return the scores of one record as JSON."""
    return _json(aggregate(only(records, "every-eval-ever")))


def write(run: Path, out: Path) -> list[Path]:
    """Write `data/TASK/OWNER/MODEL/UUID.json` into a folder, and the samples beside it where the run has them."""
    record = read_record(run)
    place = Path("data", file_name(str(record.task["name"])), *map(file_name, model_id(record).split("/")))
    name = str(uuid.UUID(bytes=blake2b(record.to_json().encode("utf-8", "replace"), digest_size=16).digest(), version=4))
    make(out / place)
    plain, paths = aggregate(record), [out / place / f"{name}.json"]
    if has_rows(run):
        samples = place / f"{name}_samples.jsonl"
        plain["detailed_evaluation_results"] = {"file_path": samples.as_posix(), **_write_samples(run, record, out / samples)}
        paths.append(out / samples)
    write_text(paths[0], _json(plain))
    return paths


def _write_samples(run: Path, record: Record, path: Path) -> dict[str, Any]:
    """Write a line for each sample and score, and return how they are to be checked."""
    checksum, count = sha256(), 0
    with whole(path) as temporary, temporary.open("wb") as file:
        for row in rows_of(run):
            for line in _lines(row, record):
                encoded = (json.dumps(line, ensure_ascii=True, allow_nan=False) + "\n").encode()
                checksum.update(encoded)
                file.write(encoded)
                count += 1
    return {"format": "jsonl", "hash_algorithm": "sha256", "checksum": checksum.hexdigest(), "total_rows": count}


def _json(plain: Mapping[str, Any]) -> str:
    return json.dumps(plain, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def aggregate(record: Record) -> dict[str, Any]:
    """Return the scores of a record as the schema has them, without a reference to samples."""
    name = evaluation_id(record)
    results = [_result(record, name, each, score) for each, score in record.scores.items() if score.value is not None]
    return {
        "schema_version": VERSION,
        "evaluation_id": name,
        "evaluation_timestamp": str(record.provenance.get("created", "")),
        "retrieved_timestamp": _epoch(record),
        "source_metadata": {
            "source_name": "evalharness", "source_type": "evaluation_run",
            "source_organization_name": "unknown", "evaluator_relationship": "other",
        },
        "eval_library": _library(record),
        "model_info": _model(record),
        "evaluation_results": results,
    }  # fmt: skip


def evaluation_id(record: Record) -> str:
    """Return TASK/MODEL/TIME, with the system in it, since two systems may share a model."""
    return f"{record.task['name']}/{model_id(record)}/{record.system['name']}/{_epoch(record)}"


def _epoch(record: Record) -> str:
    return str(int(epoch(record) or 0))


def _library(record: Record) -> dict[str, Any]:
    """Return what ran the evaluation: this harness, or the one that an imported record comes from."""
    imported = record.provenance.get("imported", {})
    if imported:
        return {"name": str(imported["from"]), "version": str(imported.get("version") or "unknown")}
    return {"name": "evalharness", "version": str(record.provenance.get("evalharness", "unknown"))}


def _model(record: Record) -> dict[str, Any]:
    details = {
        "deployment_type": "unknown", "model_availability": "unknown", "system_digest": str(record.system.get("digest")),
        "system": json.dumps(record.system.get("spec", {}), ensure_ascii=False),
    }  # fmt: skip
    return {"name": str(record.system["name"]), "id": model_id(record), "additional_details": details}


def _result(record: Record, evaluation: str, name: str, score: Score) -> dict[str, Any]:
    return {
        "evaluation_result_id": f"{evaluation}/{name}",
        "evaluation_name": str(record.task["name"]),
        "source_data": _source(record),
        "metric_config": _metric(name, score, record.makers.get(name, {})),
        "score_details": _details(score),
        "generation_config": _generation(record),
    }


def _source(record: Record) -> dict[str, Any]:
    keys = ("digest", "revision", "limit")
    details = {key: str(record.dataset[key]) for key in keys if record.dataset.get(key) is not None}
    hub = hub_dataset(record)
    if hub is None:
        return {"dataset_name": str(record.task["name"]), "source_type": "other", "additional_details": details}
    found = {"hf_repo": str(hub["path"]), "hf_split": str(hub.get("split", "test")), "samples_number": record.dataset["samples"]}
    return {"dataset_name": str(hub["path"]), "source_type": "hf_dataset", **found, "additional_details": details}


def _metric(name: str, score: Score, maker: Mapping[str, str]) -> dict[str, Any]:
    low, high = score.range or (None, None)
    return {
        "metric_id": name, "metric_name": name, **({"metric_unit": score.unit} if score.unit else {}),
        "lower_is_better": score.better == "lower", "score_type": "continuous",
        "min_score": "-Infinity" if low is None else low, "max_score": "Infinity" if high is None else high,
        "additional_details": {"signature": score.signature, **maker},
    }  # fmt: skip


def _details(score: Score) -> dict[str, Any]:
    uncertainty: dict[str, Any] = {"num_samples": score.samples}
    if score.se is not None and math.isfinite(score.se):
        uncertainty["standard_error"] = {"value": score.se}
    if score.low is not None and score.high is not None:
        bounds = {"lower": score.low, "upper": score.high, "confidence_level": score.level}
        uncertainty["confidence_interval"] = {**bounds, "method": str(score.interval)}
    counts = {"samples": score.samples, "groups": score.groups, "errors": score.errors, "as_worst": score.as_worst}
    told = {**{key: str(value) for key, value in counts.items()}, "unmeasured": json.dumps(score.unmeasured, ensure_ascii=False)}
    return {"score": score.value, "details": told, "uncertainty": uncertainty}


def _generation(record: Record) -> dict[str, Any]:
    spec = record.system.get("spec", {})
    options = {key: value for key, value in (spec.get("generate") or {}).items() if key in ("temperature", "top_p", "max_tokens")}
    arguments = {**options, **({"prompt_template": spec["prompt"]} if spec.get("prompt") else {})}
    details = {"output_type": str(record.task.get("output_type")), "fewshot": str(record.task.get("fewshot"))}
    return {"generation_args": arguments, "additional_details": details}


def _lines(row: Row, record: Record) -> Iterator[dict[str, Any]]:
    """Yield one sample as the schema has it, once for each score that has a value for it."""
    evaluation, asked, references = evaluation_id(record), input_of(row), references_of(row)
    said = [] if row.response is None else [row.response]
    shared = {
        "schema_version": VERSION, "evaluation_id": evaluation, "model_id": model_id(record),
        "evaluation_name": str(record.task["name"]), "sample_id": row.id, "sample_hash": _hash(asked, references),
        "interaction_type": "single_turn", "input": {"raw": asked, "reference": references, **_choices(row)},
        "output": {"raw": said}, "messages": None, "answer_attribution": [_attribution(text) for text in said],
    }  # fmt: skip
    for name, value in row.scores.items():
        score = record.scores.get(name)
        if score is not None and score.value is not None and value is not None and math.isfinite(value):
            evaluated = {"score": value, "is_correct": value == _best(score)}
            yield {**shared, "evaluation_result_id": f"{evaluation}/{name}", "evaluation": evaluated, "metadata": _metadata(row)}


def _hash(asked: str, references: list[str]) -> str:
    """Return what identifies a sample across systems, by the recipe that the schema's keepers give."""
    content = json.dumps({"raw": asked, "reference": references}, sort_keys=True, separators=(",", ":"))
    return sha256(content.encode()).hexdigest()


def _choices(row: Row) -> dict[str, Any]:
    choices = row.fields.get("choices")
    return {"choices": [str(choice) for choice in choices]} if isinstance(choices, list) else {}


def _attribution(text: str) -> dict[str, Any]:
    found = {"source": "output.raw", "extracted_value": text, "extraction_method": "none"}
    return {"turn_idx": 0, **found, "is_terminal": True}


def _best(score: Score) -> float | None:
    """Return the good end of a score's range, which is what a correct answer has."""
    low, high = score.range or (None, None)
    return high if score.better == "higher" else low


def _metadata(row: Row) -> dict[str, str]:
    found = {"repeat": str(row.repeat), "is_correct": "the score is the best that there is"}
    if row.group is not None:
        found["group"] = row.group
    if row.contexts is not None:
        found["contexts"] = json.dumps([passage.get("id") for passage in row.contexts], ensure_ascii=False)
    return found
