"""The run folder: files whole or not at all, one process at a time, nothing left of an earlier run."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from evalharness.errors import BusyError, DataError
from evalharness.results.folder import LOG, Log, begin, locked, whole, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")
    with whole(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["file"]


def test_an_interrupted_file_leaves_the_old_one_and_no_rest(tmp_path: Path) -> None:
    def interrupted(path: Path) -> None:
        with whole(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    write_text(tmp_path / "file", "old")
    for name in ("file", "other"):
        with pytest.raises(KeyboardInterrupt):
            interrupted(tmp_path / name)
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_folder_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataError, match=r"[^w]/file is a file; give a folder$"), locked(path):
            pass
    with pytest.raises(DataError, match=r" is a folder; give a file$"):
        write_text(tmp_path, "text")
    with pytest.raises(DataError, match=r"cannot write to .*missing/file: No such file"):
        write_text(tmp_path / "missing" / "file", "text")


def test_a_second_holder_is_told_who_holds_the_folder_and_the_next_may_have_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    with (
        locked(folder) as held,
        pytest.raises(BusyError, match=r"is being written by process \d+ on .*, since \d{4}-.*--out DIR"),
        locked(folder),
    ):
        pass
    assert held == folder
    with locked(folder):
        pass


def hold_and_die(folder: Path) -> None:
    with locked(folder):
        os._exit(1)


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=hold_and_die, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == 1
    with locked(tmp_path):
        pass


def test_beginning_removes_the_results_of_an_earlier_run_and_nothing_else(tmp_path: Path) -> None:
    for name in ("record.json", "replicates.npz", "samples.parquet", "task.yaml", "log.jsonl", "notes.txt"):
        (tmp_path / name).write_text("old")
    begin(tmp_path)
    assert names(tmp_path) == ["log.jsonl", "notes.txt", "samples.parquet", "task.yaml"]
    begin(tmp_path)


def test_each_line_of_the_log_is_on_disk_when_it_was_added(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add("run started", task="größe")
    (first,) = (tmp_path / LOG).read_text(encoding="utf-8").splitlines()
    assert "größe" in first
    log.add("trouble", message="line\nbreak", count=2)
    log.close()
    events = [json.loads(line) for line in (tmp_path / LOG).read_text(encoding="utf-8").splitlines()]
    assert [list(event) for event in events] == [["time", "event", "task"], ["time", "event", "message", "count"]]
    assert events[1]["message"] == "line\nbreak"


def test_a_new_log_replaces_the_old_one(tmp_path: Path) -> None:
    for name in ("first", "second"):
        log = Log(tmp_path)
        log.add(name)
        log.close()
    assert [json.loads(line)["event"] for line in (tmp_path / LOG).read_text().splitlines()] == ["second"]
