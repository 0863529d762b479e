"""Scores columns that are at hand with one metric, from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from evalharness.contract import Batch, Metric, Passage
from evalharness.contract.columns import over_columns
from evalharness.errors import DataError, UsageError
from evalharness.scoring.chain import Chain
from evalharness.scoring.figures import Pictures
from evalharness.scoring.generator import seed_of
from evalharness.scoring.keys import group_hashes, hash_keys
from evalharness.scoring.measuring import measure
from evalharness.scoring.score import Score, finish
from evalharness.scoring.tally import Tally


@dataclass(frozen=True)
class Evaluation:
    """What a metric says of some columns.

    `scores` by score name; `samples` the values of each sample by score name, None where there is none; `statuses` for
    each sample None or the reason; `notes` what the plugin did wrong; `figures` what the metric draws of all samples.
    """

    scores: dict[str, Score]
    samples: dict[str, list[float | None]]
    statuses: list[str | None]
    notes: tuple[str, ...] = ()
    figures: Pictures = ()


def evaluate(metric: Metric, columns: Mapping[str, Sequence[Any]]) -> Evaluation:
    """Return the scores of one metric over columns, one value a sample in each.

    `references` may be given as one text a sample, `contexts` as texts or mappings with a text. The columns `id` and
    `group`, where given, name the samples and what they are clustered by; a sample without a group is its own. Raises
    UsageError for columns of unequal length, a missing column, and metrics that ask a model or build on other scores;
    DataError for values of a wrong type.
    """
    metric = over_columns(metric)
    _check(metric, columns)
    table = {name: [_value(name, value, row) for row, value in enumerate(column)] for name, column in columns.items()}
    size = len(next(iter(table.values()), ()))
    (entry,) = Chain.build([(None, metric)]).entries
    names = [str(name) for name in columns.get("id", range(size))]
    if len(set(names)) < size:
        raise DataError("two samples have one id; ids must differ")
    ids = hash_keys(names)
    measured = measure(entry, Batch(table, names), failures=[None] * size, policy="worst", measured={})
    tally = Tally(entry)
    tally.add(measured, group_hashes([_plain(group) for group in columns.get("group", [None] * size)], ids), ids)
    finished = finish(entry, tally, seed=seed_of("evaluate", "1", None), clustered="group" in columns)
    samples = {name: [None if value != value else value for value in found.tolist()] for name, found in measured.values.items()}
    notes = tuple(dict.fromkeys([*measured.notes, *sorted(tally.notes)]))
    return Evaluation(finished.scores, samples, measured.statuses, notes, finished.figures)


def _plain(key: Any) -> Any:
    """Return a group key without the type that an array gives it."""
    return key.item() if hasattr(key, "item") else key


def _check(metric: Metric, columns: Mapping[str, Sequence[Any]]) -> None:
    if metric.asks:
        raise UsageError(f"metric '{metric.name}' asks a model; run it in a task: evalharness run TASK")
    if metric.uses:
        raise UsageError(f"metric '{metric.name}' builds on the scores {', '.join(metric.uses)}; name all of them in a task")
    missing = [name for name in metric.reads if name not in columns]
    if missing:
        given = ", ".join(columns) or "nothing"
        raise UsageError(f"metric '{metric.name}' reads '{missing[0]}', which is not given; given: {given}")
    for name, column in columns.items():
        if isinstance(column, (str, bytes, Mapping, Set)) or not hasattr(column, "__len__"):
            raise UsageError(f"the column '{name}' is one {type(column).__name__}; it must be a list, one value a sample")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UsageError(f"the columns have unequal lengths: {shown}; each needs one value a sample")


def _value(name: str, value: Any, row: int) -> Any:
    if value is None:
        return None
    if name == "references":
        return _references(value, row)
    if name == "contexts":
        return _contexts(value, row)
    if name == "response" and not isinstance(value, str):
        raise DataError(f"response {row} is {type(value).__name__}; it must be text, or None where there is none")
    return value


def _references(value: Any, row: int) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise DataError(f"references {row} are {value!r}; they must be a text or a list of texts")
    return list(texts)


def _contexts(value: Any, row: int) -> list[Passage]:
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, (list, tuple)):
        raise DataError(f"contexts {row} are {value!r}; they must be a list of passages, best first")
    return [_passage(item, number, row) for number, item in enumerate(found, start=1)]


def _passage(item: Any, number: int, row: int) -> Passage:
    if isinstance(item, Passage):
        return item
    if isinstance(item, str):
        return Passage(str(number), item)
    if isinstance(item, Mapping) and isinstance(item.get("text"), str):
        return Passage(str(item.get("id", number)), item["text"], item.get("score"))
    raise DataError(f"contexts {row} hold {item!r}; they must be texts, or have a 'text' and perhaps 'id' and 'score'")
