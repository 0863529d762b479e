"""The run folder: its name, its exclusive lock, and files that appear whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from evalharness.errors import BusyError, DataError, EvalharnessError

RECORD, REPLICATES, SAMPLES, TASK, LOG, LOCK = (
    "record.json", "replicates.npz", "samples.parquet", "task.yaml", "log.jsonl", ".lock",
)  # fmt: skip
FIGURES, PICTURES = "figures.json", "figures"


class CannotWrite(DataError):
    """A file or folder that could be one cannot be written, for want of space or rights."""


def refuse_foreign(folder: Path) -> None:
    """Raise DataError for a folder that holds files and no run, which those of a run would be mixed with."""
    if folder.is_dir():
        found = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        if found and not found & {RECORD, LOG}:
            raise DataError(
                f"{folder} holds other files ({min(found)}) and no run. Name a new folder for the run: --out {folder / 'run'}"
            )


@contextmanager
def locked(folder: Path) -> Iterator[Path]:
    """Make the folder and hold it for this process; raises BusyError with the holder where another one has it.

    The lock ends with the process, however it ends. What is wrong with the input leaves no folder that had to be made.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    make(folder)
    with _explained(folder / LOCK):
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
        try:
            yield folder
        except EvalharnessError:
            _forget(folder, made)
            raise


def _forget(folder: Path, made: Sequence[Path]) -> None:
    """Remove a folder that had to be made, and those above it, where nothing but a log has come into it."""
    if made and {path.name for path in folder.iterdir()} <= {LOCK, LOG}:
        for name in (LOCK, LOG):
            (folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # another run has come into a folder above
            for each in made:
                each.rmdir()


def folder_of(path: Path) -> Path:
    """Return the run folder that a path names: itself, or where the record file stands that it is."""
    return path.parent if path.is_file() else path


def make(folder: Path) -> None:
    """Make a folder and those above it, where they are not there; raises DataError where that cannot be."""
    try:
        with _explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
    except CannotWrite as error:
        file = next((each for each in (folder, *folder.parents) if each.is_file()), None)
        if file is None:
            raise
        raise DataError(f"{file} is a file; give a folder") from error


def begin(folder: Path) -> None:
    """Remove the results of an earlier run, so that none stands beside samples that are not its own."""
    with _explained(folder):
        for path in (folder / RECORD, folder / REPLICATES, folder / FIGURES, *(folder / PICTURES).glob("*.png")):
            path.unlink(missing_ok=True)


def _holder(file: TextIO) -> str:
    file.seek(0)
    return file.read() or "another process"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path` to fill, then rename it: a reader sees the old file or the new one."""
    if path.is_dir():
        raise DataError(f"{path} is a folder; give a file")
    temporary = path.with_name(f".{path.name}.tmp")
    with _explained(path):
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
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotWrite(f"cannot write to {path}: {error.strerror or error}") from error


class Log:
    """The run's log, one JSON object a line; each line is on disk when `add` returns."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOG
        with _explained(self._path):
            self._file = open(self._path, "w", encoding="utf-8")  # noqa: SIM115  (open for the whole run)

    def add(self, event: str, **details: Any) -> None:
        """Write one event with its details."""
        line = json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, **details}, ensure_ascii=False)
        with _explained(self._path):
            self._file.write(line + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
