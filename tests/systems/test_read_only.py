"""Where nothing may be written: the store and the run folder say so, and say what to do."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from evalharness.errors import DataError
from evalharness.results.folder import locked, write_text
from evalharness.systems.store import Store, Stored


def denied(*args: Any, **options: Any) -> Any:
    raise PermissionError(errno.EACCES, "Permission denied")


class ReadOnly(sqlite3.Connection):
    """A connection to a database in which nothing may be written."""

    def executemany(self, *args: Any) -> sqlite3.Cursor:
        raise sqlite3.OperationalError("attempt to write a readonly database")


def test_a_store_in_a_folder_that_may_not_be_made_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(DataError, match=r"s\.sqlite cannot be used: .*Permission denied.*mend its permissions.*--store PATH"):
        Store(tmp_path / "closed" / "s.sqlite")


def test_a_store_that_may_not_be_opened_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(*args: Any, **options: Any) -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", unable)
    with pytest.raises(DataError, match=r"cannot be used: unable to open database file\..*--store PATH"):
        Store(tmp_path / "s.sqlite")


def test_a_store_that_turns_read_only_is_explained_and_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        store.write([Stored("old", "generate", "echo 1", '{"text":"x"}')])
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, factory=ReadOnly, **options))
    with Store(path) as store:
        with pytest.raises(
            DataError, match=r"attempt to write a readonly database\. Nothing that it holds is lost\. .*--store PATH"
        ):
            store.write([Stored("new", "generate", "echo 1", '{"text":"y"}')])
        assert list(store.read(["old", "new"])) == ["old"]


def test_a_run_folder_that_may_not_be_made_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", denied)
    with (
        pytest.raises(DataError, match=r"^cannot write to .*closed: Permission denied$"),
        locked(tmp_path / "closed"),
    ):
        raise AssertionError("the folder was given")


def test_a_run_folder_in_which_no_file_may_be_made_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(DataError, match=r"^cannot write to .*: Permission denied$"), locked(tmp_path):
        raise AssertionError("the folder was given")


def test_a_file_that_may_not_be_replaced_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record.json"
    write_text(path, "old")
    monkeypatch.setattr("os.replace", denied)
    with pytest.raises(DataError, match=r"^cannot write to .*: Permission denied$"):
        write_text(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
