"""The response store: every answer and every search result that was ever paid for, in one SQLite file.

Nothing is ever asked twice: a run that was killed, extended or given another metric finds its answers here.
One writer thread owns the writing connection; `write` is one transaction that no kill undoes, and what is added one
by one becomes one every half second. Other processes wait for the file; the first answer to a key wins. Values are
canonical JSON; float arrays stand beside them as little-endian bytes.
"""

from __future__ import annotations

import queue
import sqlite3
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from evalharness.errors import BusyError, DataError, EvalharnessError
from evalharness.systems.environment import cache_folder

SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT NOT NULL, generation INTEGER NOT NULL, kind TEXT NOT NULL, maker TEXT NOT NULL, created REAL NOT NULL,
    value TEXT NOT NULL, floats BLOB NOT NULL, PRIMARY KEY (key, generation)
) WITHOUT ROWID
"""
COLUMNS = "key, kind, maker, value, floats"
WAIT_SECONDS = 120.0
TRIM_WAIT_SECONDS = 5.0  # someone waits at a terminal, and a run may go on for hours
KEYS_A_QUERY = 1_000
COMMIT_SECONDS = 0.5
PAGES_KB = 16_384  # what a connection keeps of the file in memory


class Stored(NamedTuple):
    """One stored value: canonical JSON text and the float arrays that belong to it."""

    key: str
    kind: str
    maker: str
    value: str
    floats: tuple[float, ...] = ()


@dataclass(frozen=True)
class Holding:
    """What the store holds of one kind and one maker (a model or retriever)."""

    kind: str
    maker: str
    answers: int
    bytes: int
    newest: float


@dataclass
class _Job:
    rows: Sequence[Stored]
    late: bool = False  # nobody waits for it
    done: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None


class Store:
    """A store at a path; `fresh` starts a new generation, in which nothing is found that was stored before.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "s.sqlite") as store:
    ...     store.write([Stored("k", "generate", "m", '{"text":"hi"}', (0.5,))])
    ...     store.read(["k", "other"])["k"].value
    '{"text":"hi"}'
    """

    def __init__(self, path: Path | None = None, *, fresh: bool = False) -> None:
        self.path = path if path is not None else cache_folder() / "responses.sqlite"
        self._reading = self._open()
        with self._explained():
            newest = self._reading.execute("SELECT max(generation) FROM answers").fetchone()[0] or 0
        self.generation = newest + 1 if fresh else newest
        self._oldest = self.generation if fresh else 0
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._added: list[Stored] = []
        self._due = 0.0
        self._lock = threading.Lock()
        self._refused: Exception | None = None
        self._writer = self._start()

    def _start(self) -> threading.Thread:
        writer = threading.Thread(target=self._write_jobs, name="response store", daemon=True)
        writer.start()
        return writer

    def _open(self, wait: float = WAIT_SECONDS) -> sqlite3.Connection:
        with self._explained(), ExitStack() as undone:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=wait, check_same_thread=False)
            undone.callback(connection.close)
            _use_wal(connection, wait)
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(f"PRAGMA cache_size=-{PAGES_KB}")
            with connection:
                connection.execute(SCHEMA)
            # a table of someone else shows here, before anything has been paid for
            connection.execute(f"SELECT {COLUMNS}, generation, created FROM answers LIMIT 0")
            undone.pop_all()
        return connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> EvalharnessError:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return BusyError(
                f"the response store {self.path} is being written by another process. Nothing that it holds is lost. "
                f"Wait for that process and type the command again."
            )
        return DataError(
            f"the response store {self.path} cannot be used: {error}. Nothing that it holds is lost. "
            f"Free some space, mend its permissions, or name another file with --store PATH."
        )

    def read(self, keys: Sequence[str]) -> dict[str, Stored]:
        """Return what is stored under these keys, the newest generation of each."""
        rows = self._select(COLUMNS, keys)
        return {key: Stored(key, kind, maker, value, unpack(floats)) for key, kind, maker, value, floats in rows}

    def known(self, keys: Sequence[str]) -> set[str]:
        """Return those of these keys under which something is stored, without reading what it is."""
        return {key for (key,) in self._select("key", keys)}

    def _select(self, columns: str, keys: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of these keys, older generations of a key before newer ones."""
        for start in range(0, len(keys), KEYS_A_QUERY):
            part = keys[start : start + KEYS_A_QUERY]
            marks = ",".join("?" * len(part))
            query = f"SELECT {columns} FROM answers WHERE generation >= ? AND key IN ({marks}) ORDER BY generation"
            with self._explained():
                rows = self._reading.execute(query, [self._oldest, *part]).fetchall()
            yield from rows

    def write(self, rows: Sequence[Stored]) -> None:
        """Store all rows in one transaction and return when they would survive the end of this process, kill -9 included.

        After a power cut the last transactions may be missing, and are asked for again; the file is whole in any case.
        """
        if not rows:
            return
        job = _Job(rows)
        self._jobs.put(job)
        job.done.wait()
        if job.error is not None:
            raise self._unusable(job.error) from job.error

    def add(self, row: Stored) -> None:
        """Store one row within COMMIT_SECONDS, in one transaction with what else is added until then.

        Raises what `write` raises, also for rows that were added before and could not be stored.
        """
        self._raise_refused()
        with self._lock:
            self._added.append(row)
            first = len(self._added) == 1
            if first:
                self._due = time.monotonic() + COMMIT_SECONDS
        if first:
            self._jobs.put(_Job(()))  # the writer sleeps until there is a job, and then until the rows are due

    def flush(self) -> None:
        """Store what was added and return when it would survive the end of this process."""
        self.write(self._taken())
        self._raise_refused()

    def _raise_refused(self) -> None:
        if self._refused is not None:
            error, self._refused = self._refused, None
            raise self._unusable(error) from error

    def _taken(self) -> Sequence[Stored]:
        with self._lock:
            rows, self._added = self._added, []
        return rows

    def _next_job(self) -> _Job | None:
        """Wait for a job, or until the rows that were added are due."""
        while True:
            left = max(0.0, self._due - time.monotonic()) if self._added else None
            try:
                return self._jobs.get(timeout=left)
            except queue.Empty:
                return _Job(self._taken(), late=True)

    def _write_jobs(self) -> None:
        connection: sqlite3.Connection | None = None
        while (job := self._next_job()) is not None:
            try:
                if job.rows:
                    connection = connection or self._open()
                    with connection:
                        connection.executemany("INSERT OR IGNORE INTO answers VALUES (?,?,?,?,?,?,?)", self._records(job.rows))
            except Exception as error:  # handed to the thread that waits for the job
                job.error = error
                self._refused = error if job.late else self._refused
            finally:
                job.done.set()
        if connection is not None:
            connection.close()

    def _records(self, rows: Iterable[Stored]) -> Iterator[tuple[object, ...]]:
        now = time.time()
        for row in rows:
            yield row.key, self.generation, row.kind, row.maker, now, row.value, pack(row.floats)

    def holdings(self) -> list[Holding]:
        """Return what the store holds, by kind and maker."""
        size = "sum(length(value) + length(floats) + length(key))"
        query = f"SELECT kind, maker, count(*), {size}, max(created) FROM answers GROUP BY kind, maker ORDER BY kind, maker"
        with self._explained():
            return [Holding(*row) for row in self._reading.execute(query).fetchall()]

    def trim(self, *, maker: str | None = None, before: float | None = None) -> int:
        """Delete the answers of one maker and/or those created before a time (Unix seconds); return how many.

        Raises BusyError, with nothing deleted, where another process goes on writing for TRIM_WAIT_SECONDS.
        """
        chosen: Mapping[str, object] = {"maker = ?": maker, "created < ?": before}
        given = {clause: value for clause, value in chosen.items() if value is not None}
        clauses = " AND ".join(given) or "1"
        with closing(self._open(TRIM_WAIT_SECONDS)) as connection, self._explained():
            with connection:
                deleted = connection.execute(f"DELETE FROM answers WHERE {clauses}", list(given.values())).rowcount
            connection.execute("VACUUM")
        return deleted

    def close(self) -> None:
        """Store what was added, wait for what is being written and close the file."""
        self._jobs.put(_Job(self._taken()))
        self._jobs.put(None)
        self._writer.join()
        self._reading.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _use_wal(connection: sqlite3.Connection, wait: float) -> None:
    """Set the journal mode; SQLite itself does not wait for the lock that this takes while a file is new."""
    until = time.monotonic() + wait
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)


def pack(values: Sequence[float]) -> bytes:
    """Return the values as little-endian float64 bytes."""
    return struct.pack(f"<{len(values)}d", *values)


def unpack(data: bytes) -> tuple[float, ...]:
    """Return the values of little-endian float64 bytes.

    >>> unpack(pack((0.5, -1.0)))
    (0.5, -1.0)
    """
    return struct.unpack(f"<{len(data) // 8}d", data) if data else ()
