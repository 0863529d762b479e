"""Records as lm-evaluation-harness writes its results: `results_*.json`, and `samples_*.jsonl` beside it.

Followed: version 0.4.13. What it has no word for (groups, ids, repeats, ranges, why a sample was not measured) stands
under keys of our own, which it ignores and `evalharness import` reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.results.export.dates import epoch
from evalharness.results.export.names import file_name, only, stamp
from evalharness.results.export.rows import Row, has_rows, input_of, references_of, rows_of
from evalharness.results.export.source import hub_dataset, options_of
from evalharness.results.folder import make, whole, write_text
from evalharness.results.record import Record, read_record

if TYPE_CHECKING:
    from evalharness.scoring import Score

OUTPUT_TYPES = {"generate": "generate_until", "multiple_choice": "multiple_choice", "likelihood": "loglikelihood_rolling"}
NO_FILTER = "none"


def text(records: Sequence[Record]) -> str:
    """Return the scores of one record as JSON."""
    return _json(results(only(records, "lm-eval")))


def write(run: Path, out: Path) -> list[Path]:
    """Write `SYSTEM/results_TASK_TIME.json` into a folder, and the samples beside it where the run has them."""
    record = read_record(run)
    task, folder = file_name(str(record.task["name"])), out / file_name(str(record.system["name"]))
    make(folder)
    paths = [folder / f"results_{task}_{stamp(record)}.json"]
    write_text(paths[0], _json(results(record)))
    if has_rows(run):
        paths.append(folder / f"samples_{task}_{stamp(record)}.jsonl")
        with whole(paths[1]) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in _lines(rows_of(run), record))
    return paths


def _json(plain: Mapping[str, Any]) -> str:
    return json.dumps(plain, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def parts_of(name: str) -> tuple[str, str]:
    """Return the metric and the filter of a score: a score of an imported run may name its filter after a comma.

    >>> parts_of("token_f1"), parts_of("exact_match,strict-match")
    (('token_f1', 'none'), ('exact_match', 'strict-match'))
    """
    metric, comma, found = name.rpartition(",")
    return (metric, found) if comma else (name, NO_FILTER)


def results(record: Record) -> dict[str, Any]:
    """Return the results file of a record."""
    task, scores = str(record.task["name"]), record.scores
    directions = {parts_of(name)[0]: score.better == "higher" for name, score in scores.items()}
    return {
        "results": {task: _values(record)},
        "group_subtasks": {},
        "configs": {task: _config(record)},
        "versions": {task: record.task["version"]},
        "n-shot": {task: record.task.get("fewshot", 0)},
        "higher_is_better": {task: directions},
        "n-samples": {task: {"original": record.dataset["samples"], "effective": record.dataset["samples"]}},
        "config": _execution(record),
        "git_hash": None,
        "date": epoch(record),
        "task_hashes": {task: record.task["digest"]},
        "model_source": "evalharness",
        "model_name": record.system["name"],
        "model_name_sanitized": file_name(str(record.system["name"])),
        "total_evaluation_time_seconds": str(record.usage.get("seconds", "")),
        "evalharness_version": record.provenance.get("evalharness"),
    }


def _values(record: Record) -> dict[str, Any]:
    """Return value and standard error by `metric,filter`; a score without a value is left out."""
    task = str(record.task["name"])
    found: dict[str, Any] = {"name": task, "alias": task, "sample_len": record.dataset["samples"]}
    for name, score in record.scores.items():
        metric, filtered = parts_of(name)
        if score.value is not None:
            found[f"{metric},{filtered}"] = score.value
            found[f"{metric}_stderr,{filtered}"] = "N/A" if score.se is None else score.se
    return found


def _config(record: Record) -> dict[str, Any]:
    hub, spec = hub_dataset(record) or {}, record.system.get("spec", {})
    own = {
        "group": any(score.clustered for score in record.scores.values()),
        "task_digest": record.task["digest"],
        "metrics": {name: _metric(name, score) for name, score in record.scores.items()},
    }
    return {
        "task": record.task["name"],
        "dataset_path": hub.get("path"),
        "dataset_name": hub.get("config"),
        "test_split": hub.get("split"),
        "doc_to_text": spec.get("prompt"),
        "num_fewshot": record.task.get("fewshot", 0),
        "output_type": OUTPUT_TYPES.get(record.task.get("output_type", "generate")),
        "generation_kwargs": spec.get("generate"),
        "metric_list": [
            {"metric": parts_of(name)[0], "higher_is_better": score.better == "higher"} for name, score in record.scores.items()
        ],
        "metadata": {"version": record.task["version"], "evalharness": own},
    }


def _metric(name: str, score: Score) -> dict[str, Any]:
    """Return what an import needs to know of a score beside its values."""
    return {"range": score.range, "unit": score.unit, "samples": score.samples}


def _execution(record: Record) -> dict[str, Any]:
    spec = record.system.get("spec", {})
    model, options = options_of(spec.get("model"))
    return {
        "model": model, "model_args": options, "batch_size": None, "batch_sizes": [], "device": None, "use_cache": None,
        "limit": record.dataset.get("limit"), "bootstrap_iters": 0, "gen_kwargs": spec.get("generate") or {},
    }  # fmt: skip


def _lines(rows: Iterable[Row], record: Record) -> Iterator[dict[str, Any]]:
    """Yield a line for each row and filter."""
    filters: dict[str, list[str]] = {}
    for name in record.scores:
        filters.setdefault(parts_of(name)[1], []).append(name)
    options = record.system.get("spec", {}).get("generate")
    for number, row in enumerate(rows):
        for filtered, names in filters.items():
            yield _line(number, row, filtered, {name: row.scores[name] for name in names if name in row.scores}, options)


def _line(number: int, row: Row, filtered: str, values: Mapping[str, float | None], options: Any) -> dict[str, Any]:
    asked, references, said = input_of(row), references_of(row), row.response
    target = references[0] if references else ""
    measured = {parts_of(name)[0]: value for name, value in values.items() if value is not None}
    return {
        "doc_id": int(row.id) if row.id.isascii() and row.id.isdecimal() and str(int(row.id)) == row.id else number,
        "doc": dict(row.fields),
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": asked, "arg_1": options}},
        "resps": [[said]],
        "filtered_resps": [said],
        "filter": filtered,
        "metrics": list(measured),
        "doc_hash": _hash(json.dumps(row.fields, indent=2, ensure_ascii=False, default=str)),
        "prompt_hash": _hash(asked),
        "target_hash": _hash(target),
        **measured,
        "evalharness": {
            "id": row.id, "group": row.group, "repeat": row.repeat, "response": said, "references": references,
            "statuses": {name: row.status_of(name) for name in values if row.status_of(name) is not None},
        },
    }  # fmt: skip


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
