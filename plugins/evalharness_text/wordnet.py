"""Reads the synonyms of words from WordNet's own files."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

import evalharness as eh

# What WordNet's morphy does to a word to find its base forms, by part of speech: an ending, and what stands in its place.
_ENDINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "noun": (
        ("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"),
        ("ies", "y"),
    ),
    "verb": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "adj": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "adv": (),
}  # fmt: skip
FILES = tuple(name for part in _ENDINGS for name in (f"index.{part}", f"data.{part}", f"{part}.exc"))


class Synonyms(dict[str, frozenset[str]]):
    """The single words that share a meaning with a word, by word; looked up in a folder of WordNet's files when asked for."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._parts = [_PartOfSpeech(Path(folder), name) for name in _ENDINGS]

    def __missing__(self, word: str) -> frozenset[str]:
        self[word] = found = frozenset(name for part in self._parts for name in part.synonyms(word))
        return found


class _PartOfSpeech:
    def __init__(self, folder: Path, name: str) -> None:
        self._endings = _ENDINGS[name]
        self._data = (folder / f"data.{name}").read_bytes()
        self._exceptions = {form: bases for form, *bases in map(str.split, _lines(folder / f"{name}.exc"))}
        self._places: dict[str, list[str]] = {}
        for line in _lines(folder / f"index.{name}"):
            if not line.startswith(" "):  # the licence
                lemma, _, count, *rest = line.split()
                self._places[lemma] = rest[-int(count) :]

    def synonyms(self, word: str) -> Iterator[str]:
        for form in self._base_forms(word):
            for place in self._places[form]:
                yield from (name for name in self._lemmas(int(place)) if "_" not in name)

    def _base_forms(self, word: str) -> list[str]:
        changed = (word.removesuffix(old) + new for old, new in self._endings if word.endswith(old))
        forms = dict.fromkeys([word, *self._exceptions.get(word, changed)])
        return [form for form in forms if form in self._places]

    def _lemmas(self, place: int) -> list[str]:
        fields = self._data[place : self._data.index(b"\n", place)].decode("utf-8").split()
        count = int(fields[3], 16)
        return [lemma.partition("(")[0] for lemma in fields[4 : 4 + 2 * count : 2]]  # "(p)" says how an adjective stands


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def read_synonyms(folder: str) -> Synonyms:
    """Return the synonyms that a folder holds, read once a process; raises DataError where a file of it is missing."""
    return _synonyms(folder, _stamps(folder))


def wordnet_digest(folder: str) -> str:
    """Return a digest of what the files of a folder hold; raises DataError where one is missing."""
    return _digest(folder, _stamps(folder))


@functools.lru_cache(maxsize=2)
def _synonyms(folder: str, stamps: tuple[tuple[int, int], ...]) -> Synonyms:
    try:
        return Synonyms(folder)
    except (ValueError, OSError) as error:
        raise eh.DataError(f"meteor: {folder} holds no WordNet that can be read: {error}") from error


@functools.lru_cache(maxsize=8)
def _digest(folder: str, stamps: tuple[tuple[int, int], ...]) -> str:
    digests = [hashlib.blake2b((Path(folder) / name).read_bytes(), digest_size=8).hexdigest() for name in FILES]
    return eh.digest(digests, size=4)


def _stamps(folder: str) -> tuple[tuple[int, int], ...]:
    try:
        stats = [(Path(folder) / name).stat() for name in FILES]
    except OSError as error:
        raise eh.DataError(
            f"meteor: the option 'wordnet' must name the folder of WordNet's database; {error.strerror}: {error.filename}. "
            "Unpack WordNet 3.0 or 3.1 and name the folder that holds index.noun, data.noun, noun.exc and so on."
        ) from error
    return tuple((stat.st_size, stat.st_mtime_ns) for stat in stats)
