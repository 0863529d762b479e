"""The run folder: its name, its exclusive lock, and files that appear whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from evalharness.errors import BusyError, DataError

RECORD, REPLICATES, SAMPLES, TASK, LOG, LOCK = (
    "record.json", "replicates.npz", "samples.parquet", "task.yaml", "log.jsonl", ".lock",
)  # fmt: skip


@contextmanager
def locked(folder: Path) -> Iterator[Path]:
    """Make the folder and hold it for this process; raises BusyError with the holder where another one has it.

    The lock ends with the process, however it ends.
    """
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / LOCK, "a+", encoding="utf-8")  # noqa: SIM115  (held until the run ends)
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(
                f"{folder} is being written by {_holder(file)}. Wait for it to end, or name another folder with --out DIR."
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        file.flush()
        yield folder


def folder_of(path: Path) -> Path:
    """Return the run folder that a path names: itself, or where the record file stands that it is."""
    return path.parent if path.is_file() else path


def make(folder: Path) -> None:
    """Make a folder and those above it, where they are not there; raises DataError where that cannot be."""
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)


def begin(folder: Path) -> None:
    """Remove the results of an earlier run, so that none stands beside samples that are not its own."""
    with _explained(folder):
        for name in (RECORD, REPLICATES):
            (folder / name).unlink(missing_ok=True)


def _holder(file: TextIO) -> str:
    file.seek(0)
    return file.read() or "another process"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path` to fill, then rename it: a reader sees the old file or the new one."""
    temporary = path.with_name(f".{path.name}.tmp")
    with _explained(path.parent):
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except BusyError:
        raise
    except OSError as error:
        raise DataError(
            f"cannot write to {folder}: {error.strerror or error}. The answers so far are in the response store: "
            f"free some space or name another folder with --out DIR, and run again."
        ) from error


class Log:
    """The run's log, one JSON object a line; each line is on disk when `add` returns."""

    def __init__(self, folder: Path) -> None:
        with _explained(folder):
            self._file = open(folder / LOG, "w", encoding="utf-8")  # noqa: SIM115  (open for the whole run)
        self._folder = folder

    def add(self, event: str, **details: Any) -> None:
        """Write one event with its details."""
        line = json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, **details}, ensure_ascii=False)
        with _explained(self._folder):
            self._file.write(line + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
