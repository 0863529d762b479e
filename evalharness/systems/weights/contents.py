"""What a weights folder holds: its files, and a digest of their content that costs milliseconds the second time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalharness.contract import digest
from evalharness.systems.environment import cache_folder

MANIFEST = "evalharness.json"
BLOCK = 1 << 20


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files that make a model, sorted by name: all but hidden ones, Markdown and our manifest."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and path.suffix != ".md" and path.name != MANIFEST and not any(part.startswith(".") for part in parts):
            yield path


def content_digest(folder: Path) -> str:
    """Return a digest (32 hexadecimal digits) of the names and contents of a weights folder's files.

    It is remembered by path, size and time of change, so an unchanged folder is not read again.
    """
    stamps = [[path.relative_to(folder).as_posix(), *_stamp(path)] for path in files_of(folder)]
    memory = cache_folder("digests") / f"{digest(str(folder.resolve()))}.json"
    known = _read(memory)
    if known.get("files") == stamps and isinstance(known.get("digest"), str):
        return known["digest"]
    found = _hash(folder)
    write_whole(memory, json.dumps({"folder": str(folder), "files": stamps, "digest": found}))
    return found


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _hash(folder: Path) -> str:
    hashed = hashlib.blake2b(digest_size=16)
    for path in files_of(folder):
        hashed.update(f"{path.relative_to(folder).as_posix()}\n{path.stat().st_size}\n".encode())
        with path.open("rb") as stream:
            while block := stream.read(BLOCK):
                hashed.update(block)
    return hashed.hexdigest()


def _read(path: Path) -> dict[str, Any]:
    """Return the remembered object; empty where there is none or where it cannot be read."""
    try:
        known = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def write_whole(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it, so that no reader sees half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)
