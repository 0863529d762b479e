"""Writes imported results as run folders: record, replicates and samples, as a run of ours leaves them behind."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from evalharness.contract import Batch, digest
from evalharness.errors import DataError
from evalharness.results.export.names import file_name
from evalharness.results.folder import LOG, RECORD, REPLICATES, SAMPLES, TASK, begin, locked, whole, write_text
from evalharness.results.importing.lm_eval import (
    Results,
    Row,
    Stated,
    data_source,
    model_options,
    read_results,
    read_rows,
    settings,
)
from evalharness.results.importing.metrics import MISSING, Better, Imported, Mean, Value, fitting, known_range, metric_of
from evalharness.results.record import Record, provenance, read_record
from evalharness.results.replicates import write_replicates
from evalharness.results.samples import TEXTS, SampleWriter, Scored, json_text
from evalharness.scoring import Entry, Finished, Measured, Score, Tally, finish, hash_keys, measure, seed_of

NORMAL = 1.959963984540054
FROM_STDERR = "normal, from the standard error that the file states"
NO_STDERR = "the file states no standard error, and has no samples that give this score"
NO_WIDTH = "the file states a standard error of 0"
NO_VALUE = "the file states no number"
OUTPUT_TYPES = {"generate_until": "generate", "multiple_choice": "multiple_choice"}


@dataclass(frozen=True)
class _Computed:
    """A score that was computed from the values of the samples."""

    entry: Entry
    measured: Measured
    finished: Finished


def import_results(path: Path, out: Path) -> list[Path]:
    """Write each task of a results file of lm-evaluation-harness as a run folder under `out`, and return the folders.

    Where the samples stand beside it, scores are computed from them, with intervals and replicates; otherwise value and
    interval are those that the file states. Raises DataError where the file is none, or a folder holds another run.
    """
    found: dict[Path, Results] = {}
    for results in read_results(path):
        if results.scores:
            other = found.setdefault(out / file_name(results.task), results)
            if other is not results:
                raise DataError(f"{path}: the tasks '{other.task}' and '{results.task}' would share one folder; rename one there")
    for folder in found:
        _refuse_run(folder)
    return [_import(results, folder) for folder, results in found.items()]


def _refuse_run(folder: Path) -> None:
    """Raise DataError where a folder holds what a run of ours left, which an import would not replace."""
    left = [name for name in (TASK, LOG) if (folder / name).exists()]
    if not left and (folder / RECORD).exists() and "imported" not in read_record(folder).provenance:
        left = [RECORD]
    if left:
        raise DataError(f"{folder} holds a run that is no import ({left[0]} is of it). Import into another folder: --out DIR")


def _import(results: Results, folder: Path) -> Path:
    rows = read_rows(results)
    computed = {name: found for name, stated in results.scores.items() if (found := _compute(results, name, stated, rows))}
    with locked(folder):
        begin(folder)
        (folder / SAMPLES).unlink(missing_ok=True)
        if computed:
            _write_samples(folder / SAMPLES, rows, computed)
        with whole(folder / REPLICATES) as path:
            write_replicates(
                path, {name: values for one in computed.values() for name, values in one.finished.replicates.items()}
            )
        write_text(folder / RECORD, _record(results, rows, computed, folder).to_json())
    return folder


def _compute(results: Results, name: str, stated: Stated, rows: Sequence[Row]) -> _Computed | None:
    """Return a score made of the samples; None where they do not give the value that the file states."""
    given = [row.values.get(name) for row in rows]
    base = None if stated.value is None else fitting(given, stated.value)
    if base is None:
        return None
    entry = Entry.of(_metric(base, name, stated, given))
    ids = [row.id for row in rows]
    blank: list[None] = [None] * len(rows)
    measured = measure(entry, Batch({"value": given}, ids), failures=blank, policy="exclude", measured={})
    measured.statuses[:] = [_told(status, row, name) for status, row in zip(measured.statuses, rows, strict=True)]
    tally = Tally(entry)
    samples, clustered = hash_keys(ids), any(row.group is not None for row in rows)
    keys = hash_keys([(row.id, row.repeat) if row.repeat else row.id for row in rows])
    tally.add(measured, hash_keys([row.id if row.group is None else row.group for row in rows]), keys, samples)
    seed = seed_of(results.task, _version(results), "group" if clustered else None)
    return _Computed(entry, measured, finish(entry, tally, seed=seed, clustered=clustered))


def _metric(base: type[Imported], name: str, stated: Stated, values: Sequence[Value]) -> Imported:
    better: Better = "higher" if stated.higher_is_better else "lower"
    return metric_of(base, name, better, stated.range or known_range(name, values), stated.unit)


def _told(status: str | None, row: Row, name: str) -> str | None:
    """Return why a sample has no value, as the file tells it where it does."""
    return row.statuses.get(name, status) if status == MISSING else status


def _version(results: Results) -> str:
    return str(results.of("versions"))


def _write_samples(path: Path, rows: Sequence[Row], computed: Mapping[str, _Computed]) -> None:
    texts: dict[str, Any] = {
        **{name: [None] * len(rows) for name in TEXTS},
        "id": [row.id for row in rows],
        "group": [row.group for row in rows],
        "repeat": [row.repeat for row in rows],
        "response": [row.response for row in rows],
        "fields": [json_text(row.fields) for row in rows],
    }
    entries = [one.entry for one in computed.values()]
    with whole(path) as temporary, SampleWriter(temporary, entries) as writer:
        writer.add(Scored(texts, {name: one.measured for name, one in computed.items()}))


def _from_stated(name: str, stated: Stated) -> Score:
    """Return a score with the interval that follows from the standard error that the file states."""
    metric = _metric(Mean, name, stated, [stated.value])
    limits = None if metric.range is None else list(metric.range)
    blank = Score(
        value=stated.value, se=stated.stderr, samples=stated.samples, groups=stated.samples, better=metric.better,
        unit=stated.unit, range=limits, signature=f"imported|{name}|as stated",
    )  # fmt: skip
    if stated.value is None or not stated.stderr:
        reason = NO_VALUE if stated.value is None else NO_STDERR if stated.stderr is None else NO_WIDTH
        return dataclasses.replace(blank, reason=reason)
    low, high = limits or (None, None)
    reach = NORMAL * stated.stderr
    lowest = max(stated.value - reach, -math.inf if low is None else low)
    highest = min(stated.value + reach, math.inf if high is None else high)
    return dataclasses.replace(blank, low=lowest, high=highest, interval=FROM_STDERR)


def _record(results: Results, rows: Sequence[Row], computed: Mapping[str, _Computed], folder: Path) -> Record:
    scores = {
        name: computed[name].finished.scores[name] if name in computed else _from_stated(name, stated)
        for name, stated in results.scores.items()
    }
    version = str(results.file.get("lm_eval_version") or results.file.get("evalharness_version") or "unknown")
    maker = {"plugin": "imported", "distribution": _harness(results), "version": version}
    return Record(
        task=_task(results),
        dataset=_dataset(results, rows),
        system=_system(results),
        scores=scores,
        makers=dict.fromkeys(scores, maker),
        usage=_usage(results),
        provenance=_provenance(results, folder, version),
    )


def _harness(results: Results) -> str:
    return "evalharness" if results.file.get("model_source") == "evalharness" else "lm-eval"


def _task(results: Results) -> dict[str, Any]:
    version, shots = _version(results), results.of("n-shot", 0)
    defined = digest([results.task, version, shots, settings(results.config)])
    how = OUTPUT_TYPES.get(str(results.config.get("output_type")), "likelihood")
    return {"name": results.task, "version": version, "digest": defined, "output_type": how, "fewshot": shots}


def _dataset(results: Results, rows: Sequence[Row]) -> dict[str, Any]:
    """Return what is known of the data; without samples their digest is not."""
    counts = results.of("n-samples") or {}
    known = digest([(row.id, row.doc_hash) for row in rows]) if rows else ""
    samples = len({row.id for row in rows}) or int(counts.get("effective", 0))
    limit = (results.file.get("config") or {}).get("limit")
    return {
        "source": data_source(results.config),
        "digest": known,
        "samples": samples,
        "faults": 0,
        "limit": limit,
        "revision": None,
    }


def _system(results: Results) -> dict[str, Any]:
    """Return what answered: the model with its arguments, and how it was addressed."""
    config = results.file.get("config") or {}
    asked = {key: results.file.get(key) for key in ("system_instruction", "chat_template_sha", "fewshot_as_multiturn")}
    model = {str(config.get("model", "unknown")): model_options(config.get("model_args"))}
    spec = {"name": _system_name(results), "model": model, "generate": config.get("gen_kwargs") or {}, **asked}
    return {"name": _system_name(results), "digest": digest({**spec, "name": None}), "spec": spec, "identity": {}}


def _system_name(results: Results) -> str:
    return str(results.file.get("model_name") or (results.file.get("config") or {}).get("model") or "unknown")


def _usage(results: Results) -> dict[str, Any]:
    try:
        seconds = float(results.file.get("total_evaluation_time_seconds") or 0.0)
    except ValueError:
        seconds = 0.0
    counts = dict.fromkeys(("requests", "from_store", "input_tokens", "output_tokens"), 0)
    return {**counts, "seconds": round(seconds, 3), "troubles": []}


def _provenance(results: Results, folder: Path, version: str) -> dict[str, Any]:
    """Return where an imported record comes from; `created` is when its results were made."""
    made = provenance(f"evalharness import {results.path.name}", folder, Path())
    content = sha256(results.path.read_bytes()).hexdigest()
    date = results.file.get("date")
    when = {"created": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(date))} if isinstance(date, (int, float)) else {}
    source = {"from": _harness(results), "version": version, "file": results.path.name, "sha256": content}
    return {**made, **when, "task_file": "", "imported": source}
