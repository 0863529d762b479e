"""The response store: what is written is found, once and for all, by every process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evalharness.errors import BusyError, DataError
from evalharness.systems.store import COMMIT_SECONDS, Store, Stored


def entry(key: str, text: str = "x", floats: tuple[float, ...] = ()) -> Stored:
    return Stored(key, "generate", "echo 1", f'{{"text":"{text}"}}', floats)


def test_what_was_written_is_found_by_the_next_process(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        store.write([entry("a", floats=(0.1, float("-inf"), -0.0))])
    with Store(tmp_path / "s.sqlite") as store:
        assert store.read(["a", "b"]) == {"a": entry("a", floats=(0.1, float("-inf"), -0.0))}


def test_the_first_answer_to_a_key_wins(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        store.write([entry("a", "first")])
        store.write([entry("a", "second")])
        assert "first" in store.read(["a"])["a"].value


def test_thousands_of_keys_are_read_in_one_call(tmp_path: Path) -> None:
    keys = [f"k{number}" for number in range(1_777)]
    with Store(tmp_path / "s.sqlite") as store:
        store.write([entry(key) for key in keys])
        assert list(store.read([*keys, "absent"])) == list(store.read(keys))
        assert len(store.read(keys)) == 1_777


def test_a_fresh_generation_finds_nothing_old_and_is_found_later(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        store.write([entry("a", "old")])
    with Store(tmp_path / "s.sqlite", fresh=True) as store:
        assert store.read(["a"]) == {}
        store.write([entry("a", "new")])
    with Store(tmp_path / "s.sqlite") as store:
        assert "new" in store.read(["a"])["a"].value


def test_trimming_deletes_by_maker_and_age(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        store.write([entry("a"), Stored("b", "search", "bm25 2", "[]")])
        assert [(holding.kind, holding.answers) for holding in store.holdings()] == [("generate", 1), ("search", 1)]
        assert store.trim(maker="bm25 2") == 1
        assert store.trim(before=time.time() - 3600) == 0
        assert store.trim(before=time.time() + 1) == 1


def test_a_read_only_folder_is_explained(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(DataError, match=r"cannot be used: .*--store PATH"):
        Store(blocked / "s.sqlite")


def test_known_keys_are_those_that_read_would_find(tmp_path: Path) -> None:
    keys = [f"k{number}" for number in range(1_777)]
    with Store(tmp_path / "s.sqlite") as store:
        store.write([entry(key) for key in keys])
        assert store.known([*keys, "absent"]) == set(keys)
        assert store.known([]) == set()
    with Store(tmp_path / "s.sqlite", fresh=True) as store:
        assert store.known(keys) == set()
        store.write([entry("k1")])
        assert store.known(keys) == {"k1"}


@pytest.mark.parametrize("columns", ["question TEXT", "key TEXT, generation INTEGER"])
def test_a_table_of_someone_else_is_explained_and_kept(tmp_path: Path, columns: str) -> None:
    with closing(sqlite3.connect(tmp_path / "s.sqlite")) as connection:
        connection.execute(f"CREATE TABLE answers ({columns})")
        with pytest.raises(DataError, match=r"s\.sqlite cannot be used: no such column: (key|kind).*--store PATH"):
            Store(tmp_path / "s.sqlite")
        assert columns in connection.execute("SELECT sql FROM sqlite_master").fetchone()[0]


def test_a_table_that_changes_is_explained_by_every_use(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        store.write([entry("a")])
        with closing(sqlite3.connect(tmp_path / "s.sqlite")) as connection:
            connection.execute("ALTER TABLE answers RENAME COLUMN maker TO owner")
        uses: list[Callable[[], object]] = [
            store.holdings,
            lambda: store.trim(maker="echo 1"),
            lambda: store.read(["a"]),
            lambda: Store(tmp_path / "s.sqlite"),
        ]
        for use in uses:
            with pytest.raises(DataError, match=r"cannot be used: no such column: maker.*--store PATH"):
                use()


def test_a_file_that_is_no_database_is_explained_and_kept(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("dear diary " * 500)
    with pytest.raises(DataError, match="cannot be used: file is not a database"):
        Store(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "dear diary " * 500


def test_trimming_beside_a_writer_is_explained_after_a_short_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalharness.systems.store.TRIM_WAIT_SECONDS", 0.2)
    with Store(tmp_path / "s.sqlite") as store, closing(sqlite3.connect(tmp_path / "s.sqlite")) as writer:
        store.write([entry("a")])
        writer.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        with pytest.raises(BusyError, match=r"s\.sqlite is being written by another process.*type the command again"):
            store.trim()
        assert 0.1 < time.monotonic() - started < 60
        writer.rollback()
        assert store.known(["a"]) == {"a"}
        assert store.trim() == 1


def test_a_full_disk_is_explained_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        store.write([entry("a")])
        pages = sqlite3.connect(tmp_path / "s.sqlite").execute("PRAGMA page_count").fetchone()[0]
        limited = store._open

        def full() -> sqlite3.Connection:
            connection = limited()
            connection.execute(f"PRAGMA max_page_count={pages}")
            return connection

        store._jobs.put(None)
        store._writer.join()
        monkeypatch.setattr(store, "_open", full)
        store._writer = store._start()
        with pytest.raises(DataError, match=r"disk is full.*Nothing that it holds is lost"):
            store.write([entry(f"k{number}", "x" * 4000) for number in range(50)])
        assert set(store.read(["a", "k1"])) == {"a"}


def _write_until_killed(path: Path, chunk: int) -> None:
    with Store(path) as store:
        for number in range(10_000):
            store.write([entry(f"{number}-{part}") for part in range(chunk)])


def test_a_killed_writer_leaves_whole_chunks_only(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_write_until_killed, args=(tmp_path / "s.sqlite", 7))
    process.start()
    while not (tmp_path / "s.sqlite").exists() or os.path.getsize(tmp_path / "s.sqlite") < 4096:
        time.sleep(0.01)
    time.sleep(0.3)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with Store(tmp_path / "s.sqlite") as store:
        (holding,) = store.holdings()
    assert holding.answers > 0
    assert holding.answers % 7 == 0


def _write_own(path: Path, name: str) -> None:
    with Store(path) as store:
        for number in range(100):
            store.write([entry(f"{name}{number}"), entry(f"shared{number}", name)])


def test_two_processes_write_one_store(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write_own, args=(tmp_path / "s.sqlite", name)) for name in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    with Store(tmp_path / "s.sqlite") as store:
        assert sum(holding.answers for holding in store.holdings()) == 300


def _open_at_once(path: Path, start: Any) -> None:
    start.wait()
    for number in range(20):
        with Store(path.with_name(f"{number}.sqlite")):
            pass


def test_processes_that_make_the_file_at_once_do_not_collide(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(3)
    processes = [context.Process(target=_open_at_once, args=(tmp_path / "s.sqlite", start)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]


def test_what_was_added_is_stored_within_half_a_second_and_at_once_when_flushed(tmp_path: Path) -> None:
    rows = [Stored(key, "generate", "m", "{}") for key in "abc"]
    with Store(tmp_path / "s.sqlite") as store:
        store.add(rows[0])
        store.flush()
        assert store.known("abc") == {"a"}
        store.add(rows[1])
        until = time.monotonic() + 10 * COMMIT_SECONDS
        while store.known("abc") != {"a", "b"}:
            assert time.monotonic() < until
            time.sleep(0.02)
        store.add(rows[2])
    with Store(tmp_path / "s.sqlite") as store:
        assert store.known("abc") == {"a", "b", "c"}


def test_what_could_not_be_stored_is_told_with_the_next_answer_or_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        monkeypatch.setattr(store, "_records", lambda rows: 1 / 0)
        store.add(Stored("a", "generate", "m", "{}"))
        time.sleep(2 * COMMIT_SECONDS)
        with pytest.raises(DataError, match=r"s\.sqlite cannot be used: division by zero"):
            store.add(Stored("b", "generate", "m", "{}"))
        store.add(Stored("c", "generate", "m", "{}"))
        with pytest.raises(DataError, match=r"s\.sqlite cannot be used: division by zero"):
            store.flush()
