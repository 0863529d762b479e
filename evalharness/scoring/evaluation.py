"""Scores columns that are at hand with one metric, from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalharness.contract import Batch, Metric, Passage
from evalharness.errors import UsageError
from evalharness.scoring.chain import Chain
from evalharness.scoring.generator import seed_of
from evalharness.scoring.keys import hash_keys
from evalharness.scoring.measuring import measure
from evalharness.scoring.score import Score, finish
from evalharness.scoring.tally import Tally


@dataclass(frozen=True)
class Evaluation:
    """What a metric says of some columns.

    `scores` by score name; `samples` the values of each sample by score name, None where there is none; `statuses` for
    each sample None or the reason; `notes` what the plugin did wrong.
    """

    scores: dict[str, Score]
    samples: dict[str, list[float | None]]
    statuses: list[str | None]
    notes: tuple[str, ...] = ()


def evaluate(metric: Metric, columns: Mapping[str, Sequence[Any]]) -> Evaluation:
    """Return the scores of one metric over columns, one value a sample in each.

    `references` may be given as one string a sample, `contexts` as strings or mappings with id and text. The columns
    `id` and `group`, where given, name the samples and what they are clustered by. Raises UsageError for columns of
    unequal length, a missing column, and metrics that ask a model or build on other scores.
    """
    table = _table(metric, columns)
    size = len(next(iter(table.values()), ()))
    (entry,) = Chain.build([(None, metric)]).entries
    names = [str(name) for name in columns.get("id", range(size))]
    if len(set(names)) < size:
        raise UsageError("two samples have one id; ids must differ")
    ids = hash_keys(names)
    measured = measure(entry, Batch(table, names), failures=[None] * size, policy="worst", measured={})
    tally = Tally(entry)
    tally.add(measured, hash_keys(columns["group"]) if "group" in columns else ids, ids)
    finished = finish(entry, tally, seed=seed_of("evaluate", "1", None), clustered="group" in columns)
    samples = {name: [None if value != value else value for value in found.tolist()] for name, found in measured.values.items()}
    return Evaluation(finished.scores, samples, measured.statuses, measured.notes)


def _table(metric: Metric, columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    if metric.asks:
        raise UsageError(f"metric '{metric.name}' asks a model; run it in a task: evalharness run TASK")
    missing = [name for name in metric.reads if name not in columns]
    if missing:
        raise UsageError(f"metric '{metric.name}' reads '{missing[0]}', which is not given; given: {', '.join(columns)}")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UsageError(f"the columns have unequal lengths: {shown}")
    return {name: [_value(name, value) for value in column] for name, column in columns.items()}


def _value(name: str, value: Any) -> Any:
    if name == "references" and isinstance(value, str):
        return [value]
    if name == "contexts" and value is not None:
        return [_passage(number, item) for number, item in enumerate(value)]
    return value


def _passage(number: int, item: Any) -> Passage:
    if isinstance(item, Passage):
        return item
    return Passage(str(number), item) if isinstance(item, str) else Passage(**item)
