"""Code that is run only if its digest is the one that the user trusts.

What is run are the very bytes that were digested, out of memory: neither a file that changes meanwhile nor compiled files
beside it can put other code in their place.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

import evalharness as eh


@dataclass(frozen=True)
class Source:
    """The Python files of a folder, or one script: their bytes by path, and which of them is the main one."""

    place: Path
    main: str
    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """The SHA-256 of a script; of a folder that of the lines `SHA256  PATH` of its files, sorted by path."""
        if self.place.is_file():
            return hashlib.sha256(self.files[self.main]).hexdigest()
        lines = [f"{hashlib.sha256(self.files[path]).hexdigest()}  {path}\n" for path in sorted(self.files)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def check(self, trust: str | None, shown: str) -> None:
        """Raise UsageError, with the digest to copy, unless `trust` is the digest."""
        if trust == self.digest:
            return
        listed = ", ".join(sorted(self.files))
        read = self.place if self.place.is_file() else f"{listed} in {self.place}"
        why = "is not trusted yet" if trust is None else f"is not what is trusted ({trust}): it has changed, or it is another"
        raise eh.UsageError(
            f"the code of {shown} {why}. It would run with your rights: read {read} first, then write\n  trust: {self.digest}"
        )

    def load(self) -> ModuleType:
        """Return the main file as a module; relative imports find the other files."""
        package = f"evalharness_trusted_{self.digest}"
        finder = _finder(package, tuple(self.files.items()))
        if finder not in sys.meta_path:
            sys.meta_path.insert(0, finder)
        return importlib.import_module(f"{package}.{_dotted(self.main)}")


def read_source(place: Path, main: str) -> Source:
    """Return the Python files under a folder, `main` among them, or those of a script alone."""
    if place.is_file():
        return Source(place, place.name, {place.name: place.read_bytes()})
    paths = sorted(path for path in place.rglob("*.py") if path.is_file())
    files = {path.relative_to(place).as_posix(): path.read_bytes() for path in paths}
    if main not in files:
        raise eh.UsageError(
            f"{place} has no {main}, which a module of that name needs; it has: {', '.join(files) or 'no .py file'}"
        )
    return Source(place, main, files)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and runs the modules of one package out of memory."""

    def __init__(self, package: str, files: Sequence[tuple[str, bytes]]) -> None:
        self.sources = {f"{package}.{_dotted(path)}": content for path, content in files}
        self.packages = {package}.union(*map(_parents, self.sources))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        known = fullname in self.sources or fullname in self.packages
        return importlib.util.spec_from_loader(fullname, self, is_package=self.is_package(fullname)) if known else None

    def is_package(self, fullname: str) -> bool:
        return fullname in self.packages

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self.sources.get(fullname, b""))

    def get_code(self, fullname: str) -> CodeType | None:
        return compile(self.get_source(fullname), f"<trusted {fullname}>", "exec", dont_inherit=True)


@functools.cache
def _finder(package: str, files: tuple[tuple[str, bytes], ...]) -> _Finder:
    return _Finder(package, files)


def _parents(name: str) -> list[str]:
    """Return the packages that a module lies in, the inner first.

    >>> _parents("a.b.c")
    ['a.b', 'a']
    """
    return [name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)]


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
