"""How long models took for what, kept in the store's file: the basis of a plan before a run.

Each time that a model was asked, a row for each kind of request says how many were answered, with how many tokens, in how
many seconds. It is a convenience: what cannot be written is left out, and nothing is told of it.
"""

from __future__ import annotations

import copy
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from evalharness.contract import Model
from evalharness.systems.budget import Budget, Count

TABLE = """
CREATE TABLE IF NOT EXISTS history (
    maker TEXT NOT NULL, kind TEXT NOT NULL, requests INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
    run_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, seconds REAL NOT NULL, created REAL NOT NULL
)
"""
WAIT_SECONDS = 5.0


@dataclass(frozen=True)
class Past:
    """What answers of one maker to requests of one kind took, all that are known: `requests` of them in `seconds`."""

    requests: int
    input_tokens: int
    run_tokens: int
    output_tokens: int
    seconds: float


def maker_of(model: Model, identity: str) -> str:
    """Return the name under which the store keeps what a model made."""
    return f"{model.name} {identity[:12]}"


@contextmanager
def remembered(path: Path, model: Model, maker: str, budget: Budget) -> Iterator[None]:
    """Write down what a model is asked within, however it ends."""
    before, started = copy.deepcopy(budget.counts.get(model, {})), time.monotonic()
    try:
        yield
    finally:
        seconds, after = time.monotonic() - started, budget.counts.get(model, {})
        counts = {kind: _since(count, before.get(kind, Count())) for kind, count in after.items()}
        answered = sum(count.answered for count in counts.values())
        rows = [
            (maker, kind, count.answered, count.input_tokens, count.run_tokens, count.output_tokens,
             seconds * count.answered / answered, time.time())
            for kind, count in counts.items() if count.answered
        ]  # fmt: skip
        _write(path, rows)


def _since(now: Count, before: Count) -> Count:
    return Count(
        now.answered - before.answered,
        now.input_tokens - before.input_tokens,
        now.run_tokens - before.run_tokens,
        now.output_tokens - before.output_tokens,
    )


def _write(path: Path, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=WAIT_SECONDS)) as connection, connection:
            connection.execute("PRAGMA synchronous=NORMAL")  # nothing is lost that an answer needs
            connection.execute(TABLE)
            connection.executemany("INSERT INTO history VALUES (?,?,?,?,?,?,?,?)", rows)


def past(path: Path, maker: str, kind: str) -> Past | None:
    """Return what the store knows of a maker's answers to this kind of request, None where it knows of none."""
    query = (
        "SELECT sum(requests), sum(input_tokens), sum(run_tokens), sum(output_tokens), sum(seconds) FROM history "
        "WHERE maker = ? AND kind = ?"
    )
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=WAIT_SECONDS)) as connection:  # none in older files
        row = connection.execute(query, [maker, kind]).fetchone()
        return Past(*row) if row[0] else None
    return None
