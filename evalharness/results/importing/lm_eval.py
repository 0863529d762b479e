"""Reads what lm-evaluation-harness writes: `results_*.json`, and the `samples_*.jsonl` beside it.

Followed: version 0.4.13; scores are keyed `metric,filter`, which older versions than 0.4 do not do.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalharness.errors import DataError
from evalharness.results.export.names import file_name
from evalharness.results.importing.metrics import Value

FILE_READERS = ("json", "csv", "parquet", "text", "arrow")
NOT_VALUES = ("name", "alias", "sample_len", "sample_count")
BY_TASK = ("results", "configs", "n-samples", "higher_is_better")
WRITTEN = "Give the results_*.json that 'lm_eval --output_path DIR' writes."
WITHOUT = "Move that file away to import what the results file states, without samples."
UNLIKE = (AttributeError, IndexError, KeyError, TypeError, ValueError)  # what a shape that nobody writes may raise


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What a file states of one score: its value and standard error, None where it has no number."""

    value: float | None
    stderr: float | None
    higher_is_better: bool
    range: list[float | None] | None
    unit: str
    samples: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One sample at one repeat, with its values by score name."""

    id: str
    group: str | None
    repeat: int
    response: str | None
    fields: Mapping[str, Any]
    doc_hash: str
    values: dict[str, Value] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Results:
    """The results of one task: the whole file, the scores by name, and the file of samples or None."""

    path: Path
    file: Mapping[str, Any]
    task: str
    scores: Mapping[str, Stated]
    samples: Path | None

    def of(self, section: str, default: Any = None) -> Any:
        """Return what a section of the file has on this task."""
        found = self.file.get(section)
        return found.get(self.task, default) if isinstance(found, Mapping) else default

    @property
    def config(self) -> Mapping[str, Any]:
        """How the task was configured."""
        found: Mapping[str, Any] = self.of("configs") or {}
        return found

    @property
    def own(self) -> Mapping[str, Any]:
        """What `evalharness export` put into the file."""
        found: Mapping[str, Any] = (self.config.get("metadata") or {}).get("evalharness") or {}
        return found


def read_results(path: Path) -> list[Results]:
    """Return the results of each task of a file; raises DataError where it is no file of that harness."""
    file = _file(path)
    found = [_results(path, file, task, values) for task, values in file["results"].items() if not _is_group(file, task)]
    if not any(results.scores for results in found):
        raise DataError(f"{path} states no score under the keys 'metric,filter', as lm-evaluation-harness 0.4 and later do")
    return found


def _file(path: Path) -> Mapping[str, Any]:
    """Return the content of a results file, its sections mappings or not there, and None for what is no finite number."""
    try:
        file = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: None)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. {WRITTEN}") from error
    except (ValueError, RecursionError) as error:
        raise _no_results(path, f"it is not JSON ({error})") from error
    if not isinstance(file, dict) or not isinstance(file.get("results"), dict):
        raise _no_results(path, "it has no section 'results'")
    for section in BY_TASK:
        for task, entry in _mapping(path, file, section).items():
            if not isinstance(entry, dict):
                raise _no_results(path, f"what its section '{section}' holds of '{task}' is no mapping")
    _mapping(path, file, "config")
    return file


def _mapping(path: Path, file: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    found = file.get(section) or {}
    if not isinstance(found, dict):
        raise _no_results(path, f"its section '{section}' is no mapping")
    return found


def _no_results(path: Path, why: str) -> DataError:
    return DataError(f"{path} is no results file of lm-evaluation-harness: {why}. {WRITTEN}")


def _is_group(file: Mapping[str, Any], task: str) -> bool:
    """Return whether a name is of a group of tasks, whose scores are made of theirs."""
    return bool((file.get("group_subtasks") or {}).get(task)) and task not in (file.get("configs") or {})


def _results(path: Path, file: Mapping[str, Any], task: str, values: Mapping[str, Any]) -> Results:
    samples = path.with_name(f"samples_{file_name(task)}_{path.stem.rpartition('_')[2]}.jsonl")
    bare = Results(path=path, file=file, task=task, scores={}, samples=samples if samples.is_file() else None)
    keys = [key for key in values if "," in key and key not in NOT_VALUES and "_stderr," not in key]
    try:
        scores = {_name(*key.rsplit(",", 1)): _stated(bare, values, *key.rsplit(",", 1)) for key in keys}
    except UNLIKE as error:
        raise _no_results(path, f"what it says of the task '{task}' is not as that harness writes it") from error
    return Results(path=path, file=file, task=task, scores=scores, samples=bare.samples)


def _name(metric: str, filtered: str) -> str:
    """Return the name of a score: the metric, and its filter where there is one."""
    return metric if filtered == "none" else f"{metric},{filtered}"


def _stated(results: Results, values: Mapping[str, Any], metric: str, filtered: str) -> Stated:
    own = (results.own.get("metrics") or {}).get(_name(metric, filtered)) or {}
    counts = results.of("n-samples") or {}
    return Stated(
        value=_number(values[f"{metric},{filtered}"]),
        stderr=_number(values.get(f"{metric}_stderr,{filtered}")),
        higher_is_better=(results.of("higher_is_better") or {}).get(metric) is not False,
        range=own.get("range"),
        unit=own.get("unit", ""),
        samples=int(own.get("samples", counts.get("effective", values.get("sample_len", 0)))),
    )


def _number(value: Any) -> float | None:
    """Return a finite number, or None: the format writes N/A where there is none."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def read_rows(results: Results) -> list[Row]:
    """Return the samples of a task, the lines of several filters put together; none where there is no file of them."""
    rows: dict[tuple[str, int], Row] = {}
    for where, line in _lines(results.samples) if results.samples is not None else ():
        try:
            _take(rows, line, str(results.config.get("output_type")))
        except UNLIKE as error:
            told = "what it holds is not as lm-evaluation-harness 0.4.13 writes it"
            raise DataError(f"{where} cannot be read: {told}. {WITHOUT}") from error
    return list(rows.values())


def _take(rows: dict[tuple[str, int], Row], line: Mapping[str, Any], output_type: str) -> None:
    """Put a line to the row that it is of."""
    own = line.get("evalharness") or {}
    key = str(own.get("id", line["doc_id"])), int(own.get("repeat", 0))
    row = rows.setdefault(key, _row(*key, line, own, output_type))
    named = {metric: _name(metric, str(line.get("filter", "none"))) for metric in line["metrics"]}
    row.values.update({name: _value(line.get(metric)) for metric, name in named.items()})
    row.statuses.update(own.get("statuses") or {})


def _lines(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the lines of a file of samples, each with its place; raises DataError where one is none."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, start=1):
                yield f"{path}:{number}", _line(f"{path}:{number}", text)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}. {WITHOUT}") from error


def _line(where: str, text: str) -> Mapping[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} cannot be read: it is not JSON ({error}). {WITHOUT}") from error
    missing = [key for key in ("doc_id", "metrics") if not isinstance(line, dict) or key not in line]
    if missing:
        raise DataError(f"{where} is no sample of lm-evaluation-harness: it has no '{missing[0]}'. {WITHOUT}")
    found: Mapping[str, Any] = line
    return found


def _row(name: str, repeat: int, line: Mapping[str, Any], own: Mapping[str, Any], output_type: str) -> Row:
    asked = list((line.get("arguments") or {}).values())
    doc = line.get("doc") if isinstance(line.get("doc"), Mapping) else {"doc": line.get("doc")}
    shown = {"input": (asked[0].get("arg_0") if asked else None), "references": own.get("references", [line.get("target")])}
    return Row(
        id=name,
        group=own.get("group"),
        repeat=repeat,
        response=own["response"] if "response" in own else _response(line.get("resps"), asked, output_type),
        fields={**shown, **(doc or {})},
        doc_hash=str(line.get("doc_hash", "")),
    )


def _response(given: Any, asked: list[Mapping[str, Any]], output_type: str) -> str | None:
    """Return the text that was generated, or the choice that was most likely; None where neither was asked for."""
    if output_type == "generate_until":
        found = given[0][0] if given and given[0] else None
        return found if isinstance(found, str) else None
    if output_type == "multiple_choice" and given and all(isinstance(each[0], list) for each in given):
        likely = max(range(len(given)), key=lambda choice: float(given[choice][0][0]))
        return str(asked[likely].get("arg_1", "")).strip()
    return None


def _value(found: Any) -> Value:
    """Return the value of a sample: a number, or a log-likelihood with the units that it is over."""
    if isinstance(found, list) and len(found) == 2 and all(_number(part) is not None for part in found):
        return float(found[0]), float(found[1])
    return _number(found)


def settings(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what of a task's configuration defines the task: not the model, nor where functions lay in memory."""
    kept = {key: value for key, value in config.items() if key != "metadata"}
    found: Mapping[str, Any] = json.loads(re.sub(r" at 0x[0-9a-f]+", "", json.dumps(kept)))
    return found


def model_options(arguments: Any) -> dict[str, Any]:
    """Return the arguments of the model, which older versions write as one text.

    >>> model_options("pretrained=acme/llm,dtype=float32")
    {'pretrained': 'acme/llm', 'dtype': 'float32'}
    """
    if isinstance(arguments, str):
        pairs = (part.partition("=") for part in arguments.split(",") if part)
        return {name.strip(): value for name, _, value in pairs}
    return dict(arguments or {})


def data_source(config: Mapping[str, Any]) -> Any:
    """Return where the data of a task come from, as a task of ours would write it; a reader of files by its name alone."""
    path = config.get("dataset_path")
    if not path or path in FILE_READERS or str(path).startswith((".", "/")):
        return path
    options = {"path": path, "config": config.get("dataset_name")}
    options["split"] = config.get("test_split") or config.get("validation_split")
    return {"hub": {key: value for key, value in options.items() if value}}
