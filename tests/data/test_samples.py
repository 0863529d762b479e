"""Samples stream with stable ids; what is broken is a fault with its place and loses nothing else."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness import DataError, Dataset, Item, Spec, UsageError
from evalharness.data import SampleReader, read_pool
from evalharness.data.seen import SeenIds
from evalharness.task import DatasetSpec


class Rows(Dataset):
    """Items that stand in a class variable."""

    name = "rows"
    rows: ClassVar[list[Item]] = []

    def items(self) -> Iterator[Item]:
        yield from self.rows

    def digest(self) -> str:
        return "rows"


def reader(rows: list[dict[str, Any]], columns: dict[str, str] | None = None, **options: Any) -> SampleReader:
    class Given(Rows):
        """These items."""

    Given.rows = [Item(row, f"here:{number}", row.pop("fault", "")) for number, row in enumerate(map(dict, rows), start=1)]
    return SampleReader(Given(), columns or {}, **options)


def faults(read: SampleReader) -> list[str]:
    return [str(fault) for fault in read.faults]


def test_mapped_ids_and_groups_are_text() -> None:
    read = reader(
        [{"key": 7, "topic": "a"}, {"key": "x", "topic": {"n": 1}}, {"key": "y", "topic": None}], {"id": "key"}, group="topic"
    )
    assert [(sample.id, sample.group) for sample in read] == [("7", "a"), ("x", '{"n":1}'), ("y", None)]
    assert [sample["id"] for sample in read] == ["7", "x", "y"]


def test_a_column_called_id_is_the_id_without_being_mapped() -> None:
    assert [sample.id for sample in reader([{"id": "a"}, {"id": 2}])] == ["a", "2"]


def test_items_without_id_are_called_after_their_content() -> None:
    rows = [{"a": 1, "b": "x"}, {"a": 2}, {"b": "x", "a": 1}, {"a": 1, "b": "x"}]
    ids = [sample.id for sample in reader(rows)]
    assert len(ids[0]) == 32
    assert ids == [ids[0], ids[1], f"{ids[0]}-2", f"{ids[0]}-3"]
    assert {sample.id for sample in reader(rows[::-1])} == set(ids)
    assert [sample.id for sample in reader(rows, limit=2)] == ids[:2]


def test_a_mapping_does_not_change_content_ids() -> None:
    rows = [{"question": "?", "answer": "x"}]
    assert [sample.id for sample in reader(rows)] == [sample.id for sample in reader(rows, {"input": "question"})]


def test_broken_items_are_faults_and_the_rest_is_read() -> None:
    rows = [
        {"id": 1, "input": "a"},
        {"fault": "broken JSON"},
        {"id": 3, "input": None},
        {"id": 1, "input": "b"},
        {"id": 5, "input": "c"},
    ]
    read = reader(rows)
    assert [sample.id for sample in read] == ["1", "5"]
    assert read.count == 2
    assert faults(read) == [
        "here:2: broken JSON",
        "here:3: 'input' must be a string, not null",
        "here:4: the id '1' stands already at here:1; ids must differ",
    ]
    assert [sample.id for sample in read] == ["1", "5"]
    assert len(read.faults) == 3


def test_strict_stops_at_the_first_fault() -> None:
    read = iter(reader([{"id": 1}, {"id": ""}, {"id": 3}], strict=True))
    assert next(read).id == "1"
    with pytest.raises(
        DataError, match=r"^here:2: the id must be a string that is not empty.*\(strict: stopped at the first fault\)$"
    ):
        next(read)


def test_a_missing_group_is_a_fault_of_that_sample() -> None:
    read = reader([{"id": 1, "topic": "x"}, {"id": 2}], group="topic")
    assert [sample.id for sample in read] == ["1"]
    assert faults(read) == ["here:2: the field 'topic' is missing, which names the sample's group"]


def test_limit_takes_the_first_good_samples_and_reads_no_further() -> None:
    rows = [{"id": 1}, {"fault": "x"}, {"id": 1}, {"id": 3}, {"fault": "y"}, {"id": 4}]
    read = reader(rows, limit=2)
    for _ in range(2):
        assert [sample.id for sample in read] == ["1", "3"]
        assert faults(read) == ["here:2: x", "here:3: the id '1' stands already at here:1; ids must differ"]
    assert [sample.id for sample in reader(rows, limit=99)] == ["1", "3", "4"]
    assert [sample.id for sample in reader([{"id": 1}, {"fault": "never seen"}], limit=1, strict=True)] == ["1"]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(UsageError, match=rf"^the limit must be at least 1 sample, not {limit}; leave it out to take all$"):
        reader([{"id": 1}], limit=limit)


def test_a_dataset_without_samples_is_an_error_that_shows_a_sample() -> None:
    with pytest.raises(DataError) as caught:
        list(reader([]))
    assert str(caught.value) == (
        'the dataset rows holds no sample. Name other data, or write one in: {"id": "q1", "input": "...", "references": ["..."]}'
    )
    columns = {"id": "key", "input": "q", "references": "a.text", "choices": "options", "target": "answer"}
    with pytest.raises(DataError) as caught:
        list(reader([], columns, group="topic"))
    example = str(caught.value).partition("write one in: ")[2]
    assert json.loads(example) == {
        "key": "q1", "q": "...", "a.text": ["..."], "options": ["...", "..."], "answer": 0, "topic": "..."
    }  # fmt: skip
    (sample,) = reader([json.loads(example)], columns, group="topic")
    assert (sample.id, sample.group, sample["references"]) == ("q1", "...", ["..."])


def test_items_of_which_none_can_be_used_are_an_error() -> None:
    with pytest.raises(DataError, match=r"^none of the 2 items of the dataset can be used; the first fault: here:1: broken$"):
        list(reader([{"fault": "broken"}, {"fault": "too"}]))


def test_many_double_ids_are_told_without_reading_everything_again_for_each() -> None:
    read = reader([{"id": "same"}] * 60)
    assert len(list(read)) == 1
    assert faults(read)[0] == "here:2: the id 'same' stands already at here:1; ids must differ"
    assert faults(read)[-1] == "here:60: the id 'same' stands already at item 1; ids must differ"


@given(st.lists(st.text(min_size=1, max_size=3), max_size=50))
def test_seen_ids_know_who_was_first(ids: list[str]) -> None:
    seen, first = SeenIds(), dict[str, int]()
    for number, identifier in enumerate(ids):
        assert seen.add(identifier, number) == first.get(identifier)
        first.setdefault(identifier, number)
    assert len(seen) == len(first)


def test_seen_ids_grow_and_stay_small() -> None:
    tracemalloc.start()
    seen = SeenIds()
    assert all(seen.add(f"sample-{number}", number) is None for number in range(20_000))
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert size < 20_000 * 64
    assert all(seen.add(f"sample-{number}", 0) == number for number in range(0, 20_000, 97))


def test_a_file_of_fifty_megabytes_streams_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    padding = "x" * 5_000
    with path.open("w") as stream:
        for number in range(10_000):
            stream.write(json.dumps({"id": f"q{number}", "input": padding, "references": ["a"]}) + "\n")
    assert path.stat().st_size > 50_000_000
    read = SampleReader(_files(path), {})
    tracemalloc.start()
    count = sum(1 for _ in read)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 10_000
    assert peak < 2_000_000


def _files(path: Path) -> Dataset:
    from evalharness import registry

    dataset: Dataset = registry.build("dataset", Spec("files", {"path": str(path)}))
    return dataset


def test_a_pool_leaves_broken_items_out_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_text('{"id": "a", "input": "x"}\n{\n')
    pool = read_pool(DatasetSpec(source=Spec("files", {"path": str(path)})))
    assert [sample.id for sample in pool] == ["a"]
    assert "few-shot pool: 1 items left out" in caplog.text
