"""Folders that appear whole or not at all: filled beside their place, then put into it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalharness.errors import DataError


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder to fill; when that is done it takes the place of `target`, and what was there is deleted."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as beside:
            filled = Path(beside, "new")
            filled.mkdir()
            yield filled
            _put(filled, target, Path(beside, "old"))
    except OSError as error:
        raise DataError(f"cannot write {target}: {error.strerror or error}. Free some space, or name another folder.") from error


def _put(filled: Path, target: Path, old: Path) -> None:
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(filled, target)
    except OSError:
        if old.exists():
            os.replace(old, target)
        raise


def differences(expected: Path, found: Path) -> list[str]:
    """Return in words in which files two folders differ, in the order of their paths.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
    ...     _ = Path(one, "a").write_text("1"), Path(other, "b").write_text("2")
    ...     differences(Path(one), Path(other))
    ['a is missing', 'b does not belong there']
    """
    wanted, there = _files(expected), _files(found)
    told = dict.fromkeys(wanted - there, "is missing") | dict.fromkeys(there - wanted, "does not belong there")
    told |= {name: "is not up to date" for name in wanted & there if not _equal(expected / name, found / name)}
    return [f"{name} {told[name]}" for name in sorted(told)]


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _equal(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()
