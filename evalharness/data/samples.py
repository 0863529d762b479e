"""Reads the samples of a task one by one; a broken item is a fault with its place and does not lose the rest."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalharness import registry
from evalharness.contract import Dataset, File, Item, Sample, digest
from evalharness.data.fields import Unfit, map_fields, text_group, text_id
from evalharness.data.seen import SeenIds
from evalharness.errors import DataError, UsageError

if TYPE_CHECKING:
    from evalharness.task import DatasetSpec, Task

PLACES_LOOKED_UP = 20
EXAMPLES = {
    "id": "q1", "references": ["..."], "choices": ["...", "..."], "target": 0, "relevant": {"p1": 1}, "contexts": ["..."],
}  # fmt: skip


@dataclass(frozen=True)
class DataFault:
    """An item that is no sample: where it stands (`file:line`) and why."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass
class SampleReader:
    """Iterates over the samples of a dataset, as often as wanted; memory does not grow but for 24 to 48 bytes an id.

    `limit` takes the first samples of the dataset: broken items are not counted, and nothing is read beyond the last
    sample. After an iteration `count` is the number of samples that it gave and `faults` holds the broken items before
    the last. With `strict` the first of them is raised as DataError. A dataset without a single sample raises DataError,
    a `limit` below 1 UsageError.
    """

    dataset: Dataset
    columns: Mapping[str, str]
    group: str | None = None
    limit: int | None = None
    strict: bool = False
    faults: list[DataFault] = field(default_factory=list)
    count: int = 0
    _seen: SeenIds = field(default_factory=SeenIds, repr=False)
    _repeated: dict[str, int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"the limit must be at least 1 sample, not {self.limit}; leave it out to take all")

    def __iter__(self) -> Iterator[Sample]:
        self.faults, self.count, self._seen, self._repeated = [], 0, SeenIds(self.count), {}
        for number, item in enumerate(self.dataset.items()):
            try:
                sample = self._sample(item, number)
            except Unfit as wrong:
                self._note(DataFault(item.where, str(wrong)))
            else:
                self.count += 1
                yield sample
                if self.count == self.limit:
                    return
        if not self.count:
            raise DataError(self._nothing())

    def _note(self, fault: DataFault) -> None:
        if self.strict:
            raise DataError(f"{fault} (strict: stopped at the first fault)")
        self.faults.append(fault)

    def _nothing(self) -> str:
        if not self.faults:
            return f"{_named(self.dataset)} holds no sample. Name other data, or write one in: {self._example()}"
        return f"none of the {len(self.faults)} items of the dataset can be used; the first fault: {self.faults[0]}"

    def _example(self) -> str:
        """Return an item that these columns would make a sample of, as a line of JSON."""
        columns = {"id": "id", **(self.columns or {"input": "input", "references": "references"})}
        if self.group is not None:
            columns.setdefault(self.group, self.group)
        return json.dumps({column: EXAMPLES.get(name, "...") for name, column in columns.items()}, ensure_ascii=False)

    def _sample(self, item: Item, number: int) -> Sample:
        if item.fault:
            raise Unfit(item.fault)
        fields = map_fields(item.fields, self.columns)
        if "id" in fields:
            identifier = text_id(fields["id"])
            first = self._seen.add(identifier, number)
            if first is not None:
                self._refuse_double(identifier, first)
        else:
            identifier = self._content_id(item, number)
        fields["id"] = identifier
        return Sample(identifier, fields, None if self.group is None else self._group_of(self.group, fields))

    def _refuse_double(self, identifier: str, first: int) -> None:
        known = len(self.faults) < PLACES_LOOKED_UP
        place = next(itertools.islice(self.dataset.items(), first, None)).where if known else f"item {first + 1}"
        raise Unfit(f"the id '{identifier}' stands already at {place}; ids must differ")

    def _content_id(self, item: Item, number: int) -> str:
        """Return the digest of the content; equal items are told apart by -2, -3, ... in the order of the data."""
        content = digest(item.fields)
        if self._seen.add(content, number) is None:
            return content
        self._repeated[content] = self._repeated.get(content, 1) + 1
        return f"{content}-{self._repeated[content]}"

    def _group_of(self, name: str, fields: Mapping[str, Any]) -> str | None:
        if name not in fields:
            raise Unfit(f"the field '{name}' is missing, which names the sample's group")
        return text_group(fields[name])


def read_samples(task: Task, *, limit: int | None = None, strict: bool = False) -> SampleReader:
    """Return the reader of a task's samples, of the first `limit` good ones; nothing is read before it is iterated over."""
    return SampleReader(_dataset(task.dataset), task.dataset.fields, task.group, limit, strict)


def data_digests(task: Task) -> dict[str, str]:
    """Return the digests of a task's data as they are now, named as a record names its own: `data`, `training data`."""
    train: DatasetSpec | None = getattr(task, "train", None)
    found = {"data": _dataset(task.dataset).digest()}
    return found if train is None else {**found, "training data": _dataset(train).digest()}


def read_pool(spec: DatasetSpec) -> list[Sample]:
    """Return all samples of a few-shot pool; broken items are left out, with a warning in the log."""
    reader = SampleReader(_dataset(spec), spec.fields)
    pool = list(reader)
    if reader.faults:
        logging.getLogger("evalharness").warning(
            "few-shot pool: %d items left out; first: %s", len(reader.faults), reader.faults[0]
        )
    return pool


def _named(dataset: Dataset) -> str:
    """Return the files that a dataset reads, as they were written, or else its name and options."""
    files = [value.written for value in dataset.options().values() if isinstance(value, File)]
    return ", ".join(files) or f"the dataset {dataset.signature()}"


def _dataset(spec: DatasetSpec) -> Dataset:
    dataset: Dataset = registry.build("dataset", spec.source)
    return dataset
