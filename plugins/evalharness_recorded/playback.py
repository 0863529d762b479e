"""A responses file as a table from (id, repeat) to the line that holds it, of which only hashes and offsets are kept."""

from __future__ import annotations

import functools
import hashlib
import json
import mmap
import re
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import evalharness as eh

Key = tuple[str, int]
SHOWN = 20
EXAMPLE = '{"id": "q1", "response": "..."}'
_MARK = b"\xef\xbb\xbf"
_LEADING_ID = re.compile(rb'\s*\{\s*"id"\s*:\s*"([^"\\]*)"')
_ANY_ID = re.compile(rb'"id"\s*:\s*"?([^"\\,}]+)')
_ANY_REPEAT = re.compile(rb'"repeat"\s*:\s*(\d+)')


@dataclass(frozen=True)
class Unreadable:
    """Why there is no recorded item for a key."""

    reason: str


@dataclass(frozen=True)
class Playback:
    """A responses file, opened.

    `hashes` holds the sorted hashes of the keys and `lines` the line of each, counted from 0; `starts` where each line
    begins, and the end of the file; all int64. `nameless` are the numbers of lines whose key cannot be read.
    """

    path: str
    data: mmap.mmap
    digest: str
    hashes: Any
    lines: Any
    starts: Any
    nameless: tuple[int, ...]

    def read(self, keys: Sequence[Key]) -> Iterator[dict[str, Any] | Unreadable]:
        """Yield for each key the object that its line holds."""
        import numpy as np

        wanted = np.fromiter(map(hash, keys), np.int64, len(keys))
        places = np.searchsorted(self.hashes, wanted)
        hits = self.hashes.take(places, mode="clip") == wanted
        lines = self.lines.take(places, mode="clip")
        spans = zip(keys, hits.tolist(), self.starts[lines].tolist(), self.starts[lines + 1].tolist(), strict=True)
        for key, hit, start, end in spans:
            item = _parsed(self.data[start:end]) if hit else None
            yield item if isinstance(item, dict) and _key_of(item) == key else self._searched(key)

    def place(self, key: Key) -> str:
        """Return `file:line` of a key that the file holds."""
        return f"{self.path}:{self._candidates(key)[0] + 1}"

    def release(self) -> None:
        """Give back the memory of the pages that were read; the operating system may still hold them."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self.data.madvise(mmap.MADV_DONTNEED)

    def refuse_duplicates(self) -> None:
        """Raise DataError if a key stands in more than one line, with all such lines."""
        shared: dict[Key, list[int]] = defaultdict(list)
        equal = self.hashes[1:] == self.hashes[:-1]
        for value in dict.fromkeys(self.hashes[1:][equal].tolist()):
            for line in self._lines_of(value):
                shared[_key_in(self._line(line)) or ("", 0)].append(line + 1)
        doubled = [(key, lines) for key, lines in shared.items() if len(lines) > 1]
        if doubled:
            shown = "; ".join(f"{_described(key)} in lines {', '.join(map(str, lines))}" for key, lines in doubled[:SHOWN])
            more = f"; and {len(doubled) - SHOWN} more" if len(doubled) > SHOWN else ""
            raise eh.DataError(f"{self.path}: more than one response is recorded for {shown}{more}; keep one of each")

    def _searched(self, key: Key) -> dict[str, Any] | Unreadable:
        """Look a key up that the quick way did not find: another key has its hash, its line is broken, or it is absent."""
        for line in self._candidates(key):
            item = _parsed(self._line(line))
            return item if isinstance(item, dict) else Unreadable(f"{self.path}:{line + 1}: {item}")
        lines = ", ".join(map(str, self.nameless[:SHOWN]))
        hint = f"; lines whose id cannot be read: {lines}" if lines else ""
        which = f"repeat {key[1]} of this sample" if key[1] else "this sample"
        return Unreadable(f"{self.path} holds no response for {which}{hint}")

    def _candidates(self, key: Key) -> list[int]:
        return [line for line in self._lines_of(hash(key)) if _key_in(self._line(line)) == key]

    def _lines_of(self, value: int) -> list[int]:
        first, last = self.hashes.searchsorted(value, "left"), self.hashes.searchsorted(value, "right")
        return sorted(self.lines[first:last].tolist())

    def _line(self, line: int) -> bytes:
        return self.data[int(self.starts[line]) : int(self.starts[line + 1])]


def opened(path: str) -> Playback:
    """Return the responses file, indexed once for as long as it does not change.

    Raises DataError when it is missing or empty, when no line has an id, and when an id and repeat occur twice.
    """
    try:
        state = Path(path).stat()
    except OSError as error:
        raise eh.DataError(f"{path}: cannot read this file of recorded responses: {error.strerror}") from None
    if not state.st_size:
        raise eh.DataError(f"{path}: this file of recorded responses is empty; a line is {EXAMPLE}")
    return _indexed(path, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _indexed(path: str, size: int, changed: int) -> Playback:
    import numpy as np

    hashes, lines, starts, nameless = array("q"), array("q"), array("q"), list[int]()
    hashed = hashlib.blake2b(digest_size=16)
    with Path(path).open("rb") as stream:
        position = len(_MARK) if stream.read(len(_MARK)) == _MARK else 0
        stream.seek(position)
        for line, content in enumerate(stream):
            hashed.update(content)
            starts.append(position)
            position += len(content)
            key = _key_in(content)
            if key is not None:
                hashes.append(hash(key))
                lines.append(line)
            elif content.strip():
                nameless.append(line + 1)
        starts.append(position)
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    if not hashes:
        raise eh.DataError(f"{path}: no line of this file of recorded responses has an id; a line is {EXAMPLE}")
    order = np.asarray(hashes).argsort(kind="stable")
    sorted_hashes, sorted_lines = np.asarray(hashes)[order], np.asarray(lines)[order]
    playback = Playback(path, data, hashed.hexdigest(), sorted_hashes, sorted_lines, np.asarray(starts), tuple(nameless))
    playback.refuse_duplicates()
    return playback


def _parsed(content: bytes) -> dict[str, Any] | str:
    """Return the object that a line holds, or what is wrong with it."""
    try:
        item = json.loads(str(content, "utf-8"))
    except (ValueError, RecursionError) as error:
        return f"broken line: {error}"
    return item if isinstance(item, dict) else "broken line: not an object"


def _key_of(item: dict[str, Any]) -> Key | None:
    identifier, repeat = item.get("id"), item.get("repeat", 0)
    if type(identifier) is int:
        identifier = str(identifier)
    return (identifier, repeat) if type(identifier) is str and type(repeat) is int else None


def _key_in(content: bytes) -> Key | None:
    """Return the key of a line, also of a broken one if it can be made out; parses JSON only where it must."""
    leading = _LEADING_ID.match(content)
    try:
        if leading is not None and b'"repeat"' not in content:
            return str(leading[1], "utf-8"), 0
        item = _parsed(content)
        if isinstance(item, dict):
            return _key_of(item)
        named, repeat = _ANY_ID.search(content), _ANY_REPEAT.search(content)
        return (str(named[1], "utf-8").strip(), int(repeat[1]) if repeat else 0) if named else None
    except UnicodeDecodeError:
        return None


def _described(key: Key) -> str:
    return f"the sample '{key[0]}'" + (f", repeat {key[1]}" if key[1] else "")
