"""Records as `model-index`, the metadata by which a model card on the Hugging Face Hub shows results.

Spec: the section on `model-index` of the Hub's model card specification. A score without a value has no place there
and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evalharness.results.export.names import visible
from evalharness.results.export.source import hub_dataset
from evalharness.results.record import Record
from evalharness.results.wording import number

if TYPE_CHECKING:
    from evalharness.scoring import Score

TASK_TYPES = {
    "generate": "text-generation",
    "multiple_choice": "multiple-choice",
    "likelihood": "text-generation",
    "retrieve": "text-ranking",
}


def text(records: Sequence[Record]) -> str:
    """Return the front matter of a model card with the results of records, an entry for each system."""
    import yaml

    systems: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        systems.setdefault(visible(str(record.system["name"])), []).append(_result(record))
    index = [{"name": name, "results": results} for name, results in systems.items()]
    return f"---\n{yaml.safe_dump({'model-index': index}, sort_keys=False, allow_unicode=True, width=1_000_000)}---\n"


def _result(record: Record) -> dict[str, Any]:
    name = visible(str(record.task["name"]))
    kind = TASK_TYPES.get(record.task.get("output_type", ""), "text-generation")
    metrics = [_metric(score_name, score) for score_name, score in record.scores.items() if score.value is not None]
    return {"task": {"type": kind, "name": name}, "dataset": _dataset(record, name), "metrics": metrics}


def _dataset(record: Record, task: str) -> dict[str, Any]:
    options = hub_dataset(record) or {}
    found = {
        "type": options.get("path", task), "name": options.get("path", task), "config": options.get("config"),
        "split": options.get("split"), "revision": record.dataset.get("revision"),
    }  # fmt: skip
    return {key: value for key, value in found.items() if value is not None}


def _metric(name: str, score: Score) -> dict[str, Any]:
    details = {
        "low": score.low, "high": score.high, "level": score.level, "samples": score.samples, "better": score.better,
        "unmeasured": sum(score.unmeasured.values()), "errors": score.errors, "signature": score.signature,
    }  # fmt: skip
    known = {key: value for key, value in details.items() if value is not None}
    return {"type": visible(name), "value": score.value, "name": f"{visible(name)} ({_extent(score)})", "args": known}


def _extent(score: Score) -> str:
    samples = f"{score.samples:,} samples"
    if score.low is None or score.high is None:
        return samples
    return f"{100 * score.level:.4g} % interval {number(score.low)} to {number(score.high)}, {samples}"
